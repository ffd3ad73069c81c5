"""Planted defects: what happens to text on its way through the web, done on purpose and remembered.

Each operation is a function of a seed and a clean document that gives the damaged text and what a cleaner
should make of it, so that a test never has to guess the truth. Kinds that are caught and kinds that slip
through are planted alike (an edit of 10 % of the words leaves a word 5-gram Jaccard of 0.45): a score that
cannot be bad says nothing.

Numbers in the personal data pass their checksums, and are of nobody: 010-0000 and 02-100 are no exchanges in
use, tax offices begin at 101, no card begins with 9999 99, and 192.0.2.0/24 and example.com are reserved for
documentation (RFC 5737, RFC 2606). A resident number has no such range: its digits are random.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from chejil.curation.demo.sample_prose import Lang, Prose, Writer, lines, tables, write_prose


@dataclass(frozen=True, slots=True)
class Planted:
    """A damaged text, what repair should make of it (None: nothing), its language if it has changed."""

    text: str
    restored: str | None = None
    lang: str | None = None
    spans: tuple[dict[str, object], ...] = ()


Operation = Callable[[random.Random, Prose, str | None], Planted]


def _exact_copy(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    return Planted(prose.text, prose.text)


def _whitespace_variant(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    gaps = {" ": [" ", " ", "  ", "\u00a0"], "\n": ["\n", "\n\n", " \n"]}
    return Planted("".join(rng.choice(gaps[char]) if char in gaps else char for char in prose.text))


def _case_punctuation_variant(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    shouted = prose.text.upper() if rng.random() < 0.5 else prose.text.lower()
    return Planted(shouted.replace(",", "").replace(".", rng.choice(["!", ""])).replace('"', "'"))


def _near_dup_word_edit(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    assert kind is not None
    words = re.split(r"(\s+)", prose.text)
    vocabulary = words[::2]
    share = int(kind.removesuffix("_percent")) / 100
    for at in rng.sample(range(0, len(words), 2), max(1, round(share * len(vocabulary)))):
        words[at] = rng.choice([rng.choice(vocabulary), f"{words[at]} {rng.choice(vocabulary)}", ""])
    return Planted("".join(words))


def _boilerplate_wrapped(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    header, footer = _boilerplate(rng, prose.lang, 2), _boilerplate(rng, prose.lang, 2, "footer")
    return Planted("\n".join([*header, prose.text, *footer]))


def _boilerplate_only(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    pieces = [*_boilerplate(rng, prose.lang, 4), *_boilerplate(rng, prose.lang, 5, "footer")]
    return Planted("\n".join(pieces))


def _boilerplate(rng: random.Random, lang: Lang, number: int, part: str = "header") -> list[str]:
    writer = Writer(rng, {})
    return [
        writer.fill(line) for line in rng.sample(lines(tables("junk")["boilerplate"][lang][part]), number)
    ]


def _nfd_decomposed(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    return Planted(unicodedata.normalize("NFD", prose.text), prose.text)


_WINDOWS_1252 = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
"""As browsers read it (WHATWG): the five bytes that cp1252 leaves open stay control characters."""


def _as_latin1(text: str) -> str:
    return text.encode().decode("latin-1")


_MISREADINGS: dict[str, Callable[[str], str]] = {
    "utf8_as_latin1": _as_latin1,
    "utf8_as_cp1252": lambda text: _as_latin1(text).translate(_WINDOWS_1252),
    "double_encoded": lambda text: _as_latin1(_as_latin1(text)),
    "cp949_as_latin1": lambda text: text.encode("cp949").decode("latin-1"),
}
_LOST = {"replacement_read_as_cp949": "占쏙옙", "replacement_characters": "\ufffd", "question_marks": "?"}


def _mojibake(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    assert kind is not None
    if kind in _LOST:
        # Half of the syllables gone: what is left cannot be read, and no bytes are there to restore it from.
        lost = re.sub("[가-힣]", lambda char: _LOST[kind] if rng.random() < 0.5 else char[0], prose.text)
        return Planted(lost)
    # English is all ASCII until a word processor curls its quotes.
    text = _curled(prose.text) if prose.lang == "en" else prose.text
    return Planted(_MISREADINGS[kind](text), text)


def _curled(text: str) -> str:
    return re.sub(r'"([^"\n]*)"', "“\\1”", text).replace("'", "’").replace(", and ", " – and ")


def _zero_width(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    hidden = "\u200b\u2060\ufeff"
    return Planted(
        "".join(c + rng.choice(hidden) if rng.random() < 0.03 else c for c in prose.text), prose.text
    )


def _html_entities_left(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    encoded = prose.text.replace('"', "&quot;").replace("'", "&#39;").replace("\n\n", "<br><br>")
    return Planted(re.sub(", ", ",&nbsp;", encoded), prose.text)


def _machine_spam(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    spam = tables("junk")["spam"][prose.lang]
    if kind == "keyword_list":
        return Planted(" ".join(rng.choices(spam["keyword_list"], k=rng.randint(80, 240))))
    writer = Writer(rng, {"product": spam["keyword_list"]})
    return Planted("\n".join(writer.fill(rng.choice(lines(spam[kind]))) for _ in range(rng.randint(12, 40))))


def _keyboard_mash(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    keys = {
        "jamo": "ㅁㄴㅇㄹㅂㅈㄷㄱㅎㅗㅓㅏㅣ",
        "latin": "asdfghjklqwertyuiop;",
        "syllables": [chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(400)],
        "laughter": "ㅋㅋㅋㅋㅎ",
    }[kind or "jamo"]
    longest = 60 if kind == "laughter" else 12
    return Planted(
        " ".join("".join(rng.choices(keys, k=rng.randint(3, longest))) for _ in range(rng.randint(60, 160)))
    )


def _repeated_lines(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    begin = prose.text.split("\n\n")[:2]
    line = re.split(r"(?<=[.?!]) ", begin[-1])[0]
    return Planted("\n".join([*begin, *[line] * rng.randint(20, 50)]))


def _other_language(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    assert kind is not None
    writer, stock = Writer(rng, {}), lines(tables("junk")["languages"][kind])
    gap = "" if kind in ("ja", "zh") else " "
    paragraphs = [gap.join(writer.fill(line) for line in rng.sample(stock, 4)) for _ in range(2)]
    return Planted("\n\n".join(paragraphs), lang="other")


def _english_in_ko_shard(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    text = write_prose(rng, "en", rng.choice(["news", "blog", "forum"]), 2).text
    return Planted(text, text, "en")


def _half_ko_half_en(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    # By letters: a Hangul syllable says about as much as two and a half Latin letters.
    korean = write_prose(rng, "ko", "news").text.split("\n\n")
    english = write_prose(rng, "en", "news").text.split("\n\n")
    if kind == "ko_then_en":
        return Planted("\n\n".join([*korean, *english]), lang="mixed")
    pairs = zip(korean, english, strict=False)
    return Planted("\n\n".join(f"{ko}\n{en}" for ko, en in pairs), lang="mixed")


def _empty(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    return Planted(rng.choice(["", " ", "\n\n", "\u200b"]))


def _too_short(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    return Planted(rng.choice(tables("junk")["too_short"][prose.lang]))


def _planted_pii(rng: random.Random, prose: Prose, kind: str | None) -> Planted:
    """Sentences with personal data and look-alikes between the paragraphs; spans are character offsets."""
    text = prose.text.split("\n\n")[0]
    spans: list[dict[str, object]] = []
    for paragraph in prose.text.split("\n\n")[1:]:
        text += f"\n\n{paragraph}"
        if len(spans) < 6 and paragraph.endswith((".", "?", "!")):
            text += " "
            for piece in re.split(r"(\{\w+\})", rng.choice(lines(tables("junk")["pii"][prose.lang]))):
                slot = piece.strip("{}")
                if piece != slot:
                    piece = PERSONAL[slot](rng)
                    spans.append(_span(slot, len(text), piece))
                text += piece
    return Planted(text, spans=tuple(spans))


def _span(slot: str, start: int, value: str) -> dict[str, object]:
    decoy = slot in DECOYS
    return {"type": slot, "start": start, "end": start + len(value), "value": value, "decoy": decoy}


def _digits(rng: random.Random, number: int) -> str:
    return "".join(str(rng.randrange(10)) for _ in range(number))


def _weighted(digits: str, weights: str) -> int:
    return sum(int(digit) * int(weight) for digit, weight in zip(digits, weights, strict=True))


def resident_number(rng: random.Random) -> str:
    """A resident registration number: a valid date of birth, random digits, a checksum that holds."""
    born = date(1950, 1, 1) + timedelta(days=rng.randrange(18_000))
    body = f"{born:%y%m%d}{rng.randint(1, 2)}{_digits(rng, 5)}"
    check = (11 - _weighted(body, "234567892345") % 11) % 10
    return f"{body[:6]}-{body[6:]}{check}"


def business_number(rng: random.Random) -> str:
    """A business registration number whose checksum holds; offices begin at 101, so 000 belongs to none."""
    body = f"000{_digits(rng, 6)}"
    check = (10 - (_weighted(body, "137137135") + int(body[8]) * 5 // 10) % 10) % 10
    return f"{body[:3]}-{body[3:5]}-{body[5:]}{check}"


def card_number(rng: random.Random) -> str:
    """A card number that passes Luhn's check."""
    body = f"999999{_digits(rng, 9)}"
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in body[::2]) + sum(map(int, body[1::2]))
    number = f"{body}{-doubled % 10}"
    return "-".join(number[at : at + 4] for at in range(0, 16, 4))


def isbn(rng: random.Random) -> str:
    """An ISBN-13 whose checksum holds: to be left alone."""
    body = f"97911{_digits(rng, 7)}"
    check = -_weighted(body, "131313131313") % 10
    return f"{body[:3]}-{body[3:5]}-{body[5:9]}-{body[9:]}-{check}"


PERSONAL: dict[str, Callable[[random.Random], str]] = {
    "mobile": lambda rng: f"010-0000-{_digits(rng, 4)}",
    "phone": lambda rng: f"02-100-{_digits(rng, 4)}",
    "email": lambda rng: (
        f"{rng.choice(['desk', 'hello', 'office', 'garden'])}{rng.randrange(99)}@example.com"
    ),
    "rrn": resident_number,
    "brn": business_number,
    "card": card_number,
    "ip": lambda rng: f"192.0.2.{rng.randrange(1, 255)}",
    "order": lambda rng: f"2024{_digits(rng, 7)}",
    "price": lambda rng: f"{rng.randrange(1_000, 90_000):,}",
    "date": lambda rng: f"{rng.randrange(1998, 2025)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
    "isbn": isbn,
}
DECOYS = frozenset({"order", "price", "date", "isbn", "ip"})
"""Numbers that only look personal; an address that is reserved for documentation is nobody's."""

OPERATIONS: dict[str, Operation] = {
    operation.__name__.removeprefix("_"): operation
    for operation in (
        _exact_copy,
        _whitespace_variant,
        _case_punctuation_variant,
        _near_dup_word_edit,
        _boilerplate_wrapped,
        _boilerplate_only,
        _nfd_decomposed,
        _mojibake,
        _zero_width,
        _html_entities_left,
        _machine_spam,
        _keyboard_mash,
        _repeated_lines,
        _other_language,
        _english_in_ko_shard,
        _half_ko_half_en,
        _planted_pii,
        _empty,
        _too_short,
    )
}
"""Operations by the names that `sample_texts/planting.yaml` uses."""
