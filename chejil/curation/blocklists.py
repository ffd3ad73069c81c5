"""Blocklists: domains and URLs whose pages are not wanted, as the lists of the University of Toulouse (UT1) hold them.

A list is a file of one entry a line, plain or .gz, or a folder `CATEGORY` with the files `domains` and `urls`. An
entry without a slash is a domain: it stands for itself and for all that lies below it, so `example.com` lists
`sub.example.com` and neither `notexample.com` nor `example.com.evil.net`. One with a slash is the beginning of a path
on that host: `example.com/adult` lists `/adult` and `/adult/1` and not `/adulthood`. `www.` makes no other host.

A domain is a 64-bit hash of its characters from the last to the first, in an open-addressing table: one pass over a
host from its end meets every domain above it, and the list is never searched by string. Four million domains take
64 MB and are read in 2 to 4 seconds; URLs are judged at 600,000 a second. A false hit has a chance of 2^-40 a
URL at that size. FineWeb (Penedo et al. 2024, 3.3) and RefinedWeb (Penedo et al. 2023, G.1) filter by UT1 first.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import numpy as np
import polars as pl
import xxhash
from numba import njit

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers

FILES = ("domains", "urls")
"""Files of a category that are read; UT1's `expressions` and `usage` are not."""

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a
_DOT = ord(".")
_WWW = np.frombuffer(b".www", np.uint8)  # `www.`, read from its end
_PATH_ENDS = "/?#&"
_SCHEME, _SLASHES = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//+"), re.compile("//+")

_BEFORE_HOST = r"^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?(?:[^/?#\\]*@)?"
_HOST = r"(\[[^\]/]*\]|[^/?#\\:]*)"


@dataclass(frozen=True, slots=True)
class Blocklist:
    """One list: `table` (a power of two) uint64, hashes of domains, 0 where empty; `paths` by host without `www.`."""

    table: np.ndarray
    paths: Mapping[str, frozenset[str]]
    num_domains: int


def listed(urls: pl.Series, lists: Mapping[str, Blocklist]) -> dict[str, np.ndarray]:
    """Which URLs stand on which list.

    Args:
        urls: strings; a null, and what has no host, stands on none.

    Returns:
        (num_urls) bool by the list's name.
    """
    if not lists:
        return {}
    found = hosts(urls)
    buffers = TextBuffers.of(found.to_arrow())
    masks = {}
    for name, blocklist in lists.items():
        mask = np.zeros(len(urls), bool)
        look_up(buffers.data, buffers.offsets, blocklist.table, _WWW, mask)
        masks[name] = mask | _on_paths(urls, found, blocklist)
    return masks


def hosts(urls: pl.Series) -> pl.Series:
    """The host of each URL, "" where there is none: lower case, IDN as `xn--`; no userinfo, port, dots at its end.

    >>> hosts(pl.Series(["https://me@WWW.Example.com.:8080/a?b", "예시.한국/a", None])).to_list()
    ['www.example.com', 'xn--vv4b11d.xn--3e0b707e', '']
    """
    column = pl.col("url").str.strip_chars().str.extract(_BEFORE_HOST + _HOST, 1)
    plain = (
        urls.rename("url").to_frame().select(column.str.to_lowercase().str.strip_chars_end(".").fill_null(""))
    )
    return _in_ascii(plain.to_series())


def _in_ascii(names: pl.Series) -> pl.Series:
    """Names as the DNS has them; only those that are not yet are touched, each once."""
    foreign = names.filter(names.str.contains(r"[^\x00-\x7f]|%")).unique()
    if not len(foreign):
        return names
    return names.replace(foreign, pl.Series([_punycode(name) for name in foreign], dtype=pl.String))


def _punycode(name: str) -> str:
    try:
        return unquote(name).encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:  # an empty or overlong label: no name that the DNS could hold
        return name


def _on_paths(urls: pl.Series, found: pl.Series, blocklist: Blocklist) -> np.ndarray:
    """Rows whose path begins as a listed one; only those on a host of such a list are looked at."""
    mask = np.zeros(len(urls), bool)
    if blocklist.paths:
        bare = found.str.strip_prefix("www.")
        for row in bare.is_in(list(blocklist.paths)).arg_true().to_list():
            listed = blocklist.paths[bare[row]]
            path = _path_of(urls[row])
            # Only as long as listed ones are: a URL of a megabyte has half a million places where a path may end.
            ends = {len(one) for one in listed}
            fits = (end for end in ends if end == len(path) or (end < len(path) and path[end] in _PATH_ENDS))
            mask[row] = any(path[:end] in listed for end in fits)
    return mask


def _path_of(url: str) -> str:
    """What follows the host, percent signs decoded; without a slash at its end."""
    return _tidy(_SCHEME.sub("", url.strip().replace("\\", "/")).partition("/")[2])


def _tidy(path: str) -> str:
    """A path as it is compared: percent signs decoded, with one slash for several and none at its end."""
    return _SLASHES.sub("/", "/" + unquote(path)).rstrip("/")


@lru_cache(maxsize=8)
def kept(url: str, name: str, content: str) -> Blocklist:
    """The same as `read`, once a process for each content."""
    return read(url, name)


def read(url: str, name: str) -> Blocklist:
    """Read a list.

    Args:
        url: a file, a folder with `domains` or `urls`, or a folder with such a folder called `name`.

    Raises:
        ChejilError: there is none; or a line that is neither domain nor path.
    """
    domains: list[pl.Series] = []
    paths: dict[str, set[str]] = {}
    for file in _files(url, name):
        entries = _entries(file)
        with_path = entries.str.contains("/", literal=True)
        domains.append(_in_ascii(entries.filter(~with_path).str.strip_chars(".")))
        for host, path in _split(entries.filter(with_path)):
            paths.setdefault(host, set()).add(path)
    names = pl.concat(domains)
    buffers = TextBuffers.of(names.to_arrow())
    table = np.zeros(1 << max(3, (2 * len(names)).bit_length()), np.uint64)
    num_domains = enter(buffers.data, buffers.offsets, table)
    if not num_domains and not paths:
        raise ChejilError("the blocklist is empty", where=url, mend="fetch it again, or take it out")
    return Blocklist(table, {host: frozenset(some) for host, some in paths.items()}, num_domains)


def _entries(url: str) -> pl.Series:
    """The lines of a file: lower-case hosts, without scheme and comments; an empty line is an empty entry."""
    content = _content(url).replace(b"\r\n", b"\n")
    lines = pl.Series("entry", [content.decode("utf-8", "replace")]).str.split("\n").explode()
    # Most lists are bare domains: five passes with regular expressions would take four times as long as this look.
    if content.isascii() and content.islower() and not any(mark in content for mark in b"# \t/*|:"):
        return lines
    lines = lines.str.replace(r"#.*$", "").str.strip_chars()
    # What the block rules of browsers and wildcards of hosts mean is the domain, which holds its subdomains.
    lines = lines.str.replace(r"^\|\|([^/^]+)\^$", "$1").str.replace(r"^\*\.", "")
    lines = lines.str.replace(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", "").str.replace(r"^([^/]*):\d+", "$1")
    odd = lines.str.contains(r"\s|^[^/]*[*|^:]")
    if odd.any():
        number = int(odd.arg_max() or 0)
        what = f"'{lines[number][:60]}' is neither a domain nor a path"
        mend = "one domain or path a line; of a hosts file keep the second column"
        raise ChejilError(what, where=f"{url}:{number + 1}", mend=mend)
    host = lines.str.extract(r"^([^/]*)", 1).str.to_lowercase()
    return (host + lines.str.extract(r"^[^/]*(.*)$", 1)).str.replace(r"^([^/]*?)/$", "$1")


def _split(entries: pl.Series) -> Iterator[tuple[str, str]]:
    """Host without `www.`, and path without a slash at its end."""
    found = hosts(entries).str.strip_prefix("www.")
    for host, entry in zip(found.to_list(), entries.to_list(), strict=True):
        yield host, _tidy(entry.partition("/")[2])


def content_hash(url: str, name: str) -> str:
    """xxh3-128 of a list's files, in hexadecimal; where they lie is not in it.

    Raises:
        ChejilError: there is no such list.
    """
    state = xxhash.xxh3_128()
    for file in _files(url, name):
        state.update(shards.file_hash(file).encode())
    return state.hexdigest()


def _content(url: str) -> bytes:
    files, path = shards.file_system(url)
    content = files.read_bytes(path)
    try:
        return gzip.decompress(content) if url.endswith(".gz") else content
    except (OSError, EOFError) as error:
        raise ChejilError(f"not gzip: {error}", where=url, mend="download the list again") from None


def _files(url: str, name: str) -> list[str]:
    """The files of a list, `domains` first."""
    files, path = shards.file_system(url)
    if files.isfile(path):
        return [url]
    for folder in (url, shards.join(url, name)):
        there = [shards.join(folder, file + ending) for file in FILES for ending in ("", ".gz")]
        found = [file for file in there if files.isfile(shards.file_system(file)[1])]
        if found:
            return found
    what = "no domains or urls in this folder" if files.isdir(path) else "no such blocklist"
    raise ChejilError(what, where=url, mend="give a file, or a folder CATEGORY with domains and urls (UT1)")


@njit(cache=True, nogil=True)
def enter(data, offsets, table):
    """Enter each name that is not empty into `table` (a power of two, at most half full) uint64; how many were new."""
    entered = 0
    for name in range(len(offsets) - 1):
        if offsets[name] == offsets[name + 1]:
            continue
        key = _BASIS
        for at in range(offsets[name + 1] - 1, offsets[name] - 1, -1):
            key = (key ^ np.uint64(data[at])) * _PRIME
        key |= np.uint64(1)
        slot = np.int64(mixed(key) >> np.uint64(20)) & (len(table) - 1)
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + 1) & (len(table) - 1)
        entered += table[slot] == 0
        table[slot] = key
    return entered


@njit(cache=True, nogil=True)
def look_up(data, offsets, table, www, found):
    """Set `found` (num_names) bool where the name, a domain above it, or `www.` and the name is in `table`."""
    for name in range(len(offsets) - 1):
        start, key = offsets[name], _BASIS
        for at in range(offsets[name + 1] - 1, start - 1, -1):
            key = (key ^ np.uint64(data[at])) * _PRIME
            if (at == start or data[at - 1] == _DOT) and is_entered(table, key):
                found[name] = True
                break
        if not found[name] and offsets[name + 1] > start:
            for at in range(len(www)):
                key = (key ^ np.uint64(www[at])) * _PRIME
            found[name] = is_entered(table, key)


@njit(cache=True, nogil=True)
def is_entered(table, key):
    """Whether the hash `key` was entered."""
    key |= np.uint64(1)
    slot = np.int64(mixed(key) >> np.uint64(20)) & (len(table) - 1)
    while table[slot] != 0:
        if table[slot] == key:
            return True
        slot = (slot + 1) & (len(table) - 1)
    return False


@njit(cache=True, nogil=True)
def mixed(key):
    """The bits of a hash spread over all places; FNV leaves those of short names alike."""
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's finaliser
    return key ^ key >> np.uint64(33)
