"""Rules for e-mail addresses, plain and disguised, and for public internet addresses.

An address of a machine is personal data where it is public: private, loopback and documentation ranges, masks, networks
(10.0.0.0/8) and resolvers that everybody asks stay. Four small numbers with dots are a version or a section rather
than an address, so few digits need a label.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache

from chejil.filters.lexicons import lexicon
from chejil.filters.pii_context import Window
from chejil.filters.pii_grades import LIKELY, POSSIBLE, SURE, Grade

MIN_IP_DIGITS, MIN_IP_START = 7, 30  # without a label; versions and sections have few digits and begin low
MAX_LOCAL = 64  # RFC 5321, 4.5.3.1.1
Place = tuple[str, float, int, int]
"""A kind, its grade, and characters that it has before and after the window."""

_LOCAL = re.compile(r"(?<![\w.%+-])[a-z0-9_](?:[\w.%+-]{0,62}[a-z0-9_+-])?\Z", re.ASCII | re.I)
_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]{2,24})(?![a-z0-9_-])",
    re.ASCII | re.I,
)
_PATH_AFTER = re.compile(r":[~/\w]|/[\w]|\(", re.ASCII)
_BRACKETED_AT = r"\s?[(\[{<]\s?(?:a|at|골뱅이|앳|엣|@)\s?[)\]}>]\s?"
_BRACKETED_DOT = r"\s?[(\[{<]\s?(?:dot|점|닷|쩜|\.)\s?[)\]}>]\s?"
_DISGUISED = re.compile(
    r"(?<![\w.%+/@-])(?P<local>[a-z0-9_][\w.%+-]{1,63})"
    rf"(?P<at>{_BRACKETED_AT}|\s?골뱅이\s?|\s(?:앳|엣)\s|\s@\s|\sat\s)"
    rf"(?P<domain>[a-z0-9][a-z0-9-]{{0,61}}(?:(?P<dot>\.|{_BRACKETED_DOT}|\sdot\s|\s?(?:닷|쩜|점)\s?)[a-z0-9-]{{2,61}}){{1,3}})"
    r"(?![a-z0-9_-])",
    re.ASCII | re.I,
)
_SPOKEN_LOCAL = re.compile(r"(?<![\w.%+-])[a-z0-9_][\w.%+-]{2,63}\s?[(\[{<]?\Z", re.ASCII | re.I)
_PLAIN_AT = re.compile(r"\s(?:at|@)\s", re.I)


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(lexicon("pii")[name])


def is_top_domain(name: str) -> bool:
    """Whether a domain may end so: a country's two letters, or one of the list; a file's ending is none."""
    low = name.lower()
    return (len(low) == 2 and low.isalpha() and low not in _listed("file_endings")) or low in _listed(
        "top_domains"
    )


def email(window: Window) -> Place | None:
    """What stands around an at sign."""
    domain = _DOMAIN.match(window.after)
    local = _LOCAL.search(window.before[-MAX_LOCAL - 1 :]) if domain else None
    if (
        local is None
        or domain is None
        or len(local.group()) > MAX_LOCAL
        or local.group().lower() in _listed("machine_locals")
    ):
        return None
    name, rest = domain.group(), window.after[domain.end() :]
    top = name.rpartition(".")[2]
    is_credential = re.search(r"://[^\s/@]*\Z", window.before) is not None
    if _PATH_AFTER.match(rest) or is_credential or (top != top.lower() and top != top.upper()):
        return None
    grade = (
        SURE if is_top_domain(top) or top.startswith("xn--") else LIKELY if window.has("email") else POSSIBLE
    )
    if top.lower() in _listed("file_endings"):
        return None
    return "email", grade, len(local.group()), domain.end()


def disguised(window: Window) -> Place | None:
    """An address whose at sign or dots are words: a 골뱅이 b.com, a(at)b.kr, a AT b DOT org."""
    before, text = window.before[-80:], window.before[-80:] + window.value + window.after
    sign = (len(before), len(before) + len(window.value))
    for found in _DISGUISED.finditer(text):
        if found.start() < sign[0] and sign[1] <= found.end():
            grade = disguise_grade(window, found)
            return ("email", grade, sign[0] - found.start(), found.end() - sign[1]) if grade else None
    return spoken_provider(window) if window.value == "골뱅이" else None


def spoken_provider(window: Window) -> Place | None:
    """A name before 골뱅이 and a provider's name in Hangul after it: reader 골뱅이 네이버 닷컴."""
    local, provider = _SPOKEN_LOCAL.search(window.before), _provider().match(window.after)
    return ("email", SURE, len(local.group()), provider.end()) if local and provider else None


@cache
def _provider() -> re.Pattern[str]:
    names = "|".join(lexicon("pii")["providers"])
    return re.compile(rf"[)\]}}>]?\s?(?:{names})(?:\s?(?:닷|쩜|점|\.)\s?(?:컴|넷|com|net))?", re.IGNORECASE)


def disguise_grade(window: Window, found: re.Match[str]) -> float | None:
    """A word for the at sign needs a word for the dot beside it, or a label."""
    top = re.split(r"[^a-z0-9]+", found["domain"].lower())[-1]
    if not is_top_domain(top) or found["local"].lower() in _listed("machine_locals"):
        return None
    if not _PLAIN_AT.fullmatch(found["at"]) or found["dot"] != ".":
        return SURE
    is_name = re.search(r"[0-9._+-]", found["local"]) is not None and found["at"] in (" AT ", " @ ")
    return LIKELY if is_name or (window.has("email") and found["at"] != " at ") else None


def ipv4(window: Window) -> Grade | None:
    """A public IPv4 address that is no version, network or resolver."""
    value = ".".join(window.groups)
    if window.value != value or any(len(part) > 1 and part[0] == "0" for part in window.groups):
        return None
    if any(int(part) > 255 for part in window.groups) or not is_public(value):
        return None
    is_network = re.match(r"/\d|\.\d|\.[*x]|\s?(?:대역|subnet|netmask)", window.after) is not None
    if (
        is_network
        or window.labels.other == "others"
        or re.search(r"[\w.,-]\Z|[A-Za-z]/\Z", window.before, re.ASCII)
    ):
        return None
    if window.has("ip"):
        return "ip", SURE
    is_long = len(window.digits) >= MIN_IP_DIGITS and int(window.groups[0]) >= MIN_IP_START
    is_likely = is_long and window.groups[3] not in ("0", "255")
    return "ip", LIKELY if is_likely else POSSIBLE


def ipv6(window: Window) -> Grade | None:
    """A public IPv6 address."""
    value = window.value.rstrip(":") if not window.value.endswith("::") else window.value
    goes_on = re.match(r"/\d|\.\d|[\w:]", window.after, re.ASCII) is not None
    if goes_on or not is_public(value) or re.search(r"[\w:.]\Z", window.before, re.ASCII):
        return None
    return "ip", SURE


def is_public(value: str) -> bool:
    """Whether it is an address that is routed, of one machine, and no listed resolver."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and str(address) not in _listed("public_ips")
