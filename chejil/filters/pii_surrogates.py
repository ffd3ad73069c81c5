"""What takes the place of personal data: a placeholder of its kind, or a surrogate of the same shape.

A placeholder is `<PHONE>`, `<RRN>` and so on, in ASCII: one token or few in any tokenizer, and never found again. A
surrogate keeps the look of the text: the same separators, length and script, other digits from a keyed hash of seed,
kind and value, so one value has one surrogate everywhere, however it is spelled.

Where a kind has numbers that are never given out, surrogates are of those and belong to nobody: resident numbers have
a day of birth and a wrong check digit, cards fail Luhn, mobiles begin with 010-0 and landlines with an exchange of 0,
North American ones lie in 555-01XX, social security numbers in 9XX, e-mail in RFC 2606's domains, addresses of machines
in RFC 5737 and 3849. Accounts, passports, house numbers and phones of other countries have no such numbers: their
surrogates are random, and may by chance be someone's. Where that must not be, mask these kinds with placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

from chejil.filters.pii_checksums import (
    business_check_digit,
    corporate_check_digit,
    foreigner_check_digit,
    luhn_check_digit,
    resident_check_digit,
)
from chejil.filters.pii_grades import KINDS

PLACEHOLDERS = {kind: f"<{kind.upper()}>" for kind in KINDS}
_SYLLABLES = dict(zip("공영일이삼사오육륙칠팔구Oo", "00123456678900", strict=True))
_SCRIPTS = ("0123456789", "０１２３４５６７８９", "공일이삼사오육칠팔구")
_AT = re.compile(
    r"@|＠|\s?[(\[{<]\s?(?:a|at|골뱅이|앳|엣|@)\s?[)\]}>]\s?|\s?골뱅이\s?|\s(?:앳|엣|at|@)\s", re.I
)
_DOT = re.compile(r"\.|\s?[(\[{<]\s?(?:dot|점|닷|쩜|\.)\s?[)\]}>]\s?|\s(?:dot)\s|\s?(?:닷|쩜|점)\s?", re.I)
DOMAINS = ("com", "net", "org")


def surrogate(kind: str, value: str, seed: int) -> str:
    """Another value of the same kind and shape, which is no one's; never `value` itself.

    >>> surrogate("phone", "010-1234-5678", 0)[:5]
    '010-0'
    """
    for attempt in range(100):
        stream = _Stream(kind, canonical(kind, value), seed, attempt)
        made = _MAKERS.get(kind, _number)(kind, value, stream)
        if made != value:
            return made
    raise AssertionError(kind)


def canonical(kind: str, value: str) -> str:
    """What all spellings of one value share: its digits (of a Korean phone as dialled at home), or lower case."""
    if kind == "email":
        parts = _AT.split(value.lower(), maxsplit=1)
        return "@".join((*parts[:-1], _DOT.sub(".", parts[-1])))
    if kind in ("ip", "address", "passport"):
        return value.lower()
    digits = "".join(ascii_digits(value))
    return national(value, digits) if kind == "phone" else digits


def ascii_digits(value: str) -> list[str]:
    """The digits of a value, as ASCII; syllables and an O count where they spell a number."""
    return [digit for _, digit, _ in _places(value)]


def national(value: str, digits: str) -> str:
    """A Korean phone number as it is dialled at home."""
    bare = digits.removeprefix("00") if digits.startswith("0082") else digits
    is_abroad = bare.startswith("82") and (len(bare) >= 11 or value.startswith("+"))
    return "0" + bare[2:].lstrip("0") if is_abroad else digits


class _Stream:
    """Digits that a key decides, as many as are asked for."""

    def __init__(self, kind: str, value: str, seed: int, attempt: int) -> None:
        self._parts = (kind, value, str(attempt))
        self._key = str(seed).encode()[:64]
        self._numbers = self._make()

    def _make(self) -> Iterator[int]:
        block = 0
        while True:
            text = "\0".join((*self._parts, str(block))).encode()
            yield from blake2b(text, key=self._key).digest()
            block += 1

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1 (at most 65,536)."""
        return (next(self._numbers) << 16 | next(self._numbers) << 8 | next(self._numbers)) % limit

    def digits(self, number: int) -> str:
        """That many digits."""
        return "".join(str(self.below(10)) for _ in range(number))


def _places(value: str) -> list[tuple[int, str, str]]:
    """Place, ASCII digit and script of each digit of a value."""
    spells = sum(char in _SYLLABLES for char in value) >= 2
    places = []
    for place, char in enumerate(value):
        for script in _SCRIPTS[:2]:
            if char in script:
                places.append((place, str(script.index(char)), script))
        if spells and char in _SYLLABLES:
            places.append((place, _SYLLABLES[char], _SCRIPTS[2] if char not in "Oo" else _SCRIPTS[0]))
    return places


def _write(value: str, digits: str) -> str:
    chars = list(value)
    for (place, _, script), digit in zip(_places(value), digits, strict=True):
        chars[place] = script[int(digit)]
    return "".join(chars)


def _number(kind: str, value: str, stream: _Stream) -> str:
    old = "".join(ascii_digits(value))
    return _write(value, _DIGITS.get(kind, _any_digits)(old, stream))


def _any_digits(old: str, stream: _Stream) -> str:
    return stream.digits(len(old))


def _wrong(stream: _Stream, *right: int) -> str:
    wrong = [digit for digit in range(10) if digit not in right]
    return str(wrong[stream.below(len(wrong))])


def _resident(old: str, stream: _Stream) -> str:
    gender = old[6] if old[6] not in "90" else "1"
    year = stream.below(40) + 50 if gender in "1256" else stream.below(20)
    body = f"{year:02}{stream.below(12) + 1:02}{stream.below(28) + 1:02}{gender}{stream.digits(5)}"
    check = foreigner_check_digit if gender in "5678" else resident_check_digit
    return body + _wrong(stream, check(body), corporate_check_digit(body))


def _business(old: str, stream: _Stream) -> str:
    body = stream.digits(9)
    return body + _wrong(stream, business_check_digit(body))


def _corporate(old: str, stream: _Stream) -> str:
    body = stream.digits(2) + "9" + stream.digits(9)  # a third digit of 9 is no month: no resident's number
    return body + _wrong(stream, corporate_check_digit(body))


def _driver(old: str, stream: _Stream) -> str:
    return "9" + stream.digits(len(old) - 1)


def _us_ssn(old: str, stream: _Stream) -> str:
    return f"9{stream.digits(2)}{stream.below(49) + 1:02}{stream.digits(4)}"


def _card(old: str, stream: _Stream) -> str:
    body = stream.digits(len(old) - 1)
    return body + _wrong(stream, luhn_check_digit(body))


_DIGITS = {"rrn": _resident, "frn": _resident, "brn": _business, "corporate": _corporate, "driver": _driver,
           "us_ssn": _us_ssn, "card": _card}  # fmt: skip


def _phone(_: str, value: str, stream: _Stream) -> str:
    old = "".join(ascii_digits(value))
    home = national(value, old)
    if home[0] == "0":
        prefix = 2 if home.startswith("02") else 4 if home.startswith("050") else 3
        made = home[:prefix] + "0" + stream.digits(len(home) - prefix - 1)
        return _write(value, old[: len(old) - len(home) + 1] + made[1:] if home != old else made)
    if len(old) in (10, 11) and (old[0] == "1" or len(old) == 10):
        area = f"{stream.below(8) + 2}{stream.below(8) + 2}{stream.below(10)}"
        return _write(value, f"{old[:-10]}{area}55501{stream.digits(2)}")
    return _write(value, old[:2] + "0" + stream.digits(len(old) - 3))


def _passport(_: str, value: str, stream: _Stream) -> str:
    return "".join(char if not char.isdecimal() else str(stream.below(10)) for char in value)


def _address(_: str, value: str, stream: _Stream) -> str:
    """Its numbers are others, of as many digits; names of streets stay."""
    return re.sub(r"\d+", lambda found: _like(found.group(), stream), value, flags=re.ASCII)


def _like(number: str, stream: _Stream) -> str:
    return str(stream.below(9) + 1) + stream.digits(len(number) - 1)


def _email(_: str, value: str, stream: _Stream) -> str:
    at = _AT.search(value)
    assert at is not None, "the rules find no address without a sign"
    local, domain = value[: at.start()], value[at.end() :]
    dot = _DOT.search(domain)
    name = re.sub("[A-Za-z0-9]", lambda found: _letter_like(found.group(), stream), local)
    return f"{name}{at.group()}example{dot.group() if dot else '.'}{DOMAINS[stream.below(3)]}"


def _letter_like(char: str, stream: _Stream) -> str:
    if char.isdecimal():
        return str(stream.below(10))
    letter = chr(ord("a") + stream.below(26))
    return letter.upper() if char.isupper() else letter


def _ip(_: str, value: str, stream: _Stream) -> str:
    if ":" in value:
        return "2001:db8::" + ":".join(f"{stream.below(65535) + 1:x}" for _ in range(3))
    return f"198.51.100.{stream.below(254) + 1}"


_MAKERS = {"phone": _phone, "passport": _passport, "address": _address, "email": _email, "ip": _ip}
