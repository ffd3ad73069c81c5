"""Charsets of web pages: what a page says it is written in, and what its bytes are.

The order is the browsers': byte order mark, HTTP header, meta tag, bytes (HTML Standard, 13.2.3.2). Unlike a
browser nothing is believed unseen: a declared charset must read the bytes, or the next one is tried. Korean
pages need that. Servers add `charset=utf-8` or `ISO-8859-1` to pages of CP949, converted sites keep their old
meta tag, and labels mean what browsers take them for: `euc-kr` and `ks_c_5601-1987` are CP949 (charsets.yaml).

- UTF-8 with a sequence of three bytes proves itself, whatever is declared: no Hangul in CP949 has that form.
- Two-byte codecs read nearly any two bytes, so a charset that is not Korean gives way to a text of which
  70 % of the letters are among the 700 most common syllables; so does one of one byte a character, which reads
  anything.
- Without a usable label only UTF-8, UTF-16, CP949, Johab and windows-1252 are guessed. A page of undeclared
  Shift_JIS is set aside as `unknown_charset`, not read as something else.

A charset may fail on 2 % of what is not ASCII: programs cut descriptions in the middle of a syllable. Those
places become U+FFFD here and are counted; a page whose *text* holds one is set aside (pages.py).

Decoding and checks take a hundredth of what extraction takes: 200 MB/s of UTF-8 and 57 of CP949 on one core.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from chejil.curation.normalising.mojibake import common_syllables

MAX_BAD_SHARE = 0.02
"""Of the bytes that are not ASCII, so many may be unreadable before the charset is held for the wrong one."""

_COMMON_SHARE = 0.7
_MIN_SYLLABLES = 3
_META_BYTES = 4096  # the standard looks at 1,024 bytes, browsers wait for more; scripts stand before the tag
_HIGH = bytes(range(0x80, 0x100))
_SAMPLE_CHARS = 1 << 14  # of what is not ASCII: enough to know a language by
_MARKS = ((codecs.BOM_UTF8, "UTF-8"), (codecs.BOM_UTF16_LE, "UTF-16LE"), (codecs.BOM_UTF16_BE, "UTF-16BE"))
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_META = re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']\s*([\w.:-]+)", re.IGNORECASE)
_ASCII = re.compile(r"[\0-\x7f]+")
_THREE_BYTES = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
_LATIN_RUN = re.compile(rb"[\x80-\xff]+")
_LATIN = re.compile(rb"[\x85\x91-\x97\x99\xa0-\xff]{1,2}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page's text, and how it was found.

    Args:
        charset: name in the WHATWG standard.
        decided_by: `bom`, `header`, `meta` or `bytes`.
        declared: labels by where they stand, as written; a label that is not known counts as none.
        bad_bytes: places where the bytes could not be read; there the text has U+FFFD.
    """

    text: str
    charset: str
    decided_by: str
    declared: dict[str, str]
    bad_bytes: int

    @property
    def facts(self) -> dict[str, object]:
        """What stands in `meta`: the decision, and the declarations where they say something else."""
        other = {f"charset_{at}": said for at, said in self.declared.items() if name_of(said) != self.charset}
        bad = {"undecodable": self.bad_bytes} if self.bad_bytes else {}
        return {"charset": self.charset, "charset_by": self.decided_by, **other, **bad}


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """Names by label, and codecs by name."""
    table = yaml.safe_load((files("chejil.curation.reading") / "charsets.yaml").read_text("utf-8"))
    names = {label: entry["name"] for entry in table for label in entry["labels"]}
    return names, {entry["name"]: entry["codec"] for entry in table}


def name_of(label: str) -> str | None:
    """The encoding that a label means, by the WHATWG standard.

    >>> name_of(" KS_C_5601-1987 ")
    'EUC-KR'
    """
    return _tables()[0].get(label.strip().strip("\"'").lower())


def declared_in(content: bytes) -> str | None:
    """The label in a page's meta tag or XML declaration.

    >>> declared_in(b'<meta http-equiv=Content-Type content="text/html; charset=euc-kr">')
    'euc-kr'
    """
    head = content[:_META_BYTES]
    found = _XML.match(head) or _META.search(_COMMENT.sub(b"", head))
    return found[1].decode("latin-1") if found else None


def decode(content: bytes, header: str | None = None) -> Decoded | None:
    """Read a page.

    Args:
        header: the label of the HTTP header, if there was one.

    Returns:
        None if no charset reads the bytes.
    """
    meta = declared_in(content)
    declared = {at: said for at, said in (("header", header), ("meta", meta)) if said}
    for decided_by, name in _candidates(content, declared):
        text, bad = _read(content, name)
        if _fits(content, name, text, bad, decided_by):
            return Decoded(text, name, decided_by, declared, bad)
    return None


def _candidates(content: bytes, declared: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Charsets to try, best first, each with what speaks for it."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            yield "bom", name
    wide = _wide(content)
    if wide is not None:
        yield "bytes", wide
    said = {at: known for at, label in declared.items() if (known := name_of(label)) is not None}
    if _proves_utf8(content):
        yield next((at for at, name in said.items() if name == "UTF-8"), "bytes"), "UTF-8"
    for at, name in said.items():
        if not name.startswith("UTF-16"):  # a label that was read as ASCII cannot stand in UTF-16
            yield at, name
    if content.isascii():
        yield "bytes", "UTF-8"
    yield from (("bytes", name) for name in ("UTF-8", "EUC-KR", "Johab", "windows-1252"))


def _wide(content: bytes) -> str | None:
    """UTF-16 without a mark: markup is ASCII, so that every other byte is zero."""
    head = content[:64]
    if head[1:16:2].count(0) >= 6 and 0 not in head[0:16:2]:
        return "UTF-16LE"
    return "UTF-16BE" if head[0:16:2].count(0) >= 6 and 0 not in head[1:16:2] else None


def _proves_utf8(content: bytes) -> bool:
    if _THREE_BYTES.search(content) is None:
        return False
    return _read(content, "UTF-8")[1] <= MAX_BAD_SHARE * _num_high(content)


def _num_high(content: bytes) -> int:
    return len(content) - len(content.translate(None, _HIGH))


def _read(content: bytes, name: str) -> tuple[str, int]:
    """The text without its mark, and the places that could not be read; a last character that is cut off goes."""
    codec = _tables()[1][name]
    text = codecs.getincrementaldecoder(codec)("replace").decode(content).removeprefix("\ufeff")
    bad = text.count("\ufffd") if "\ufffd" in text else 0
    if name == "UTF-8":
        bad -= content.count(b"\xef\xbf\xbd")
    return text, bad


def _fits(content: bytes, name: str, text: str, bad: int, decided_by: str) -> bool:
    if content.isascii() or decided_by == "bom":
        return True
    if bad > MAX_BAD_SHARE * (len(text) if name.startswith("UTF-16") else _num_high(content)):
        return False
    if name in ("EUC-KR", "Johab"):
        return decided_by != "bytes" or reads_korean(text)
    if name.startswith("UTF") or name == "ISO-2022-KR":
        return True
    if reads_korean(_read(content, "EUC-KR")[0]):
        return False
    return decided_by != "bytes" or _reads_latin(content)


def reads_korean(text: str) -> bool:
    """True if the letters beyond ASCII are Korean as it is written, and not syllables that chance makes."""
    letters = [char for char in _ASCII.sub("", text[: 64 * _SAMPLE_CHARS])[:_SAMPLE_CHARS] if char.isalpha()]
    syllables = [char for char in letters if "가" <= char <= "힣"]
    common = sum(map(common_syllables().__contains__, syllables))
    return len(syllables) >= _MIN_SYLLABLES and common >= _COMMON_SHARE * len(letters)


def _reads_latin(content: bytes) -> bool:
    """Accents and typographic quotes stand alone among ASCII letters; two-byte text stands in long runs."""
    return all(_LATIN.fullmatch(run) for run in _LATIN_RUN.findall(content))
