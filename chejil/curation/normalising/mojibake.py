"""Mojibake: bytes that were once decoded with the wrong codec, and how to undo it where nothing was lost.

Each kind is a `Misreading`: encode with the wrong codec, decode with the right one. A repair is proved
twice: the bytes go both ways without loss, and the result is plainly Korean (of its letters 70 % are among
the 700 most common syllables, which cover 98.6 to 99.9 % of running text, and 30 % of syllables that chance
makes). Damage is looked for in the longest runs of characters that the wrong codec can produce, then line
by line, then word by word, so a document that is half damaged is mended in that half alone.

`ftfy` comes last and for Latin text only (`donâ€™t`). It repairs no CP949, and unguarded it takes pieces of
it for Cyrillic: `Ñ³` becomes `ѳ`. Where bytes were lost (U+FFFD, question marks) a text stays as it is;
signals mark it.

Sources: the WHATWG Encoding Standard (windows-1252, EUC-KR), KS X 1001, and ftfy's `fix_encoding` (Speer
2019).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import ftfy

from chejil.curation.normalising.codepoints import WINDOWS_1252, soup_ideographs

LOST_SHARE = 0.1
"""More U+FFFD than this for each character brought: bytes were lost, and a half-mended text helps nobody."""

_SPECIALS = "".join(WINDOWS_1252)
_TO_LATIN_1 = str.maketrans(WINDOWS_1252)
_FROM_C1 = str.maketrans({byte: char for char, byte in WINDOWS_1252.items()})
_C1 = re.compile(f"[{''.join(WINDOWS_1252.values())}]")
_LATIN_RUN = re.compile(f"[\\0-\\xff{_SPECIALS}]+")
_TAIL = f"[\\x80-\\xbf{_SPECIALS}]"
_LATIN_TRACE = re.compile(f"[\\xc2-\\xf4]{_TAIL}")
# A run must not touch other such characters: pieces of CP949 look like UTF-8, words of it hardly ever do.
# Possessive (`++`), or `re` remembers its way back through a run of 16 MB.
_SEQUENCE = f"[\\xc2-\\xdf]{_TAIL}|[\\xe0-\\xef]{_TAIL}{{2}}|[\\xf0-\\xf4]{_TAIL}{{3}}"
_UTF8_RUN = re.compile(f"(?<![\\x80-\\xff])(?:{_SEQUENCE})++(?![\\x80-\\xff])")
# A quotation mark and a letter are a syllable in CP949 (the ’t of don’t is 뭪): where nothing damaged
# stands before them, they are what they seem.
_CP949_RUN = re.compile(f"(?:(?!(?<![^\\0-\\x7f])[‘’“”–—…•][A-Za-z])[\\0-\\xff{_SPECIALS}])++")
_SOUP_TRACE = re.compile(f"[{soup_ideographs()}][가-힣]")
_NO_LETTER = re.compile("[\0-\x7fㄱ-ㆎ]+")
_NOT_LATIN = re.compile("[\u0250-\u1dff\u2c00-\uffef\U00020000-\U0010ffff]")
_ONLY_THE_CODEC = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    restore_byte_a0=False,
    replace_lossy_sequences=False,
    decode_inconsistent_utf8=False,
    fix_c1_controls=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)


@dataclass(frozen=True, slots=True)
class Misreading:
    """Bytes of the codec `right` that were decoded as `wrong`.

    Args:
        runs: the longest runs of characters that `wrong` can produce.
        trace: what the damage leaves behind; a piece without it is not tried.
        in_a_row: so many syllables side by side are evidence; `¿¡Como` is one syllable of CP949, and Spanish.
        at_least: so much evidence a document must bring to light. Strict UTF-8 is no chance, CP949 may be.
        common_share: of the letters brought to light, so many must be common syllables.
    """

    wrong: str
    right: str
    runs: re.Pattern[str]
    trace: re.Pattern[str]
    in_a_row: int
    at_least: int
    common_share: float = 0.7

    def undo(self, piece: str) -> str | None:
        """The piece as it once was, or None where its bytes do not go both ways."""
        narrow = piece.translate(_TO_LATIN_1) if self.wrong == "latin-1" else piece
        try:
            damaged = narrow.encode(self.wrong)
            restored = damaged.decode(self.right)
            if restored.encode(self.right) != damaged:
                return None
        except UnicodeError:
            return None
        # Damaged twice: under UTF-8 that was read as Latin-1 lies the same again.
        again = self.undo(restored) if self.right == "utf-8" and self.trace.search(restored) else None
        return again or restored

    def is_plain(self, brought: str) -> bool:
        """Whether what was brought to light is Korean beyond doubt."""
        evidence = "".join(re.findall(f"[가-힣]{{{self.in_a_row},}}", brought))
        num_common = sum(map(common_syllables().__contains__, brought))
        num_letters = sum(map(str.isalpha, _NO_LETTER.sub("", brought)))
        return len(evidence) >= self.at_least and num_common >= self.common_share * num_letters


MISREADINGS = (
    Misreading("latin-1", "utf-8", _UTF8_RUN, _LATIN_TRACE, in_a_row=1, at_least=1, common_share=0.5),
    Misreading("latin-1", "cp949", _CP949_RUN, re.compile("[\xa1-\xfe]{2}"), in_a_row=2, at_least=3),
    Misreading(
        "cp932",
        "cp949",
        re.compile("[\0-\x7f｡-ﾟ一-鿿\ue000-\ue757\uf8f0-\uf8f3]+"),
        re.compile("[｡-ﾟ]"),
        in_a_row=2,
        at_least=4,
    ),
    Misreading("cp949", "utf-8", re.compile("[^\ufffd]+"), _SOUP_TRACE, in_a_row=1, at_least=2),
)
"""In the order of trial: the strictest first (`Ã¶` is `ö` in UTF-8, and also a syllable in CP949)."""


def repair(text: str) -> tuple[str, int]:
    """Undo mojibake of each kind that can be undone beyond doubt.

    Returns:
        The text, itself where nothing can be undone, and how many characters beyond ASCII were replaced.

    >>> repair("¾È³çÇÏ¼¼¿ä, ¿©·¯ºÐ")  # annyeonghaseyo, yeoreobun: hello, everybody
    ('안녕하세요, 여러분', 16)
    """
    num_chars = 0
    for kind in MISREADINGS:
        found = _mend(text, kind.runs, kind.trace, kind.undo)
        if kind.is_plain(found.brought) and found.lost_little():
            text, num_chars = found.text, num_chars + _num_beyond_ascii(found.damaged)
    found = _mend(text, _LATIN_RUN, _LATIN_TRACE, _undo_latin)
    if found.lost_little():
        text, num_chars = found.text, num_chars + _num_beyond_ascii(found.damaged)
    # Whatever a page declares, browsers read its bytes 80 to 9F as windows-1252 (WHATWG): the `\x92` of
    # `don\x92t` is an apostrophe.
    return text.translate(_FROM_C1), num_chars + len(_C1.findall(text))


@functools.cache
def common_syllables() -> frozenset[str]:
    """The 700 most common Hangul syllables of web pages, encyclopaedia, statutes and bills (6:2:1:1)."""
    table = files("chejil.curation.normalising").joinpath("common_syllables.txt").read_text("utf-8")
    return frozenset(table) - {"\n"}


@dataclass(frozen=True, slots=True)
class _Found:
    """A whole text after an attempt; the pieces that were `damaged`, and what they `brought` to light."""

    text: str
    damaged: str = ""
    brought: str = ""

    def lost_little(self) -> bool:
        return self.text.count("\ufffd") <= LOST_SHARE * _num_beyond_ascii(self.brought)


def _mend(
    text: str, runs: re.Pattern[str], trace: re.Pattern[str], undo: Callable[[str], str | None]
) -> _Found:
    damaged: list[str] = []
    brought: list[str] = []

    def mend(piece: str) -> str:
        if not trace.search(piece):
            return piece
        restored = undo(piece)
        if restored is not None:
            damaged.append(piece)
            brought.append(restored)
            return restored
        # Neither byte can be half of a character in any of the codecs: cutting here cuts no character.
        separator = next((s for s in "\n " if s in piece), None)
        return piece if separator is None else separator.join(map(mend, piece.split(separator)))

    mended = runs.sub(lambda run: mend(run[0]), text) if trace.search(text) else text
    return _Found(mended, "".join(damaged), "\n".join(brought))


def _undo_latin(piece: str) -> str | None:
    restored = ftfy.fix_encoding(piece, _ONLY_THE_CODEC)
    return None if restored == piece or _NOT_LATIN.search(restored) else restored


def _num_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))
