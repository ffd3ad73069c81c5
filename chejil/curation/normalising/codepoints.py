"""What normalisation must know of a code point: one byte in a table that the kernels look it up in.

The low three bits are an *action* (drop, make a space, make a line end, ...), the high five are *traits* that
send a document to a slower step (composition, mojibake repair). The table of 196 KB stays in the second-level
cache, and Korean text touches 12 KB of it: one pass at 250 to 1,000 MB/s finds the few documents that need
work, where `unicodedata` and a chain of regular expressions over every text run at 28 MB/s.

Follows UAX #15 (NFC quick check), the WHATWG Encoding Standard (the bytes of windows-1252) and KS X 1001.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata

import numpy as np

ACTION = 7
"""Mask of the action; the rest are traits."""
KEEP, CONTROL, BOM, ZERO_WIDTH, LINE_END, SPACE, JOINER, JOINING = range(8)
"""JOINER (ZWNJ, ZWJ) stays behind a JOINING character, which is kept, and is dropped elsewhere."""

UNCOMPOSED, BYTE, LEAD, KANA, SOUP = 8, 16, 32, 64, 128
"""UNCOMPOSED: NFC may change it. BYTE: a byte from 0x80 that was read as Latin-1 or windows-1252. LEAD: a
BYTE that begins a Hangul syllable in CP949, or a character in UTF-8. KANA: half-width katakana. SOUP: an
ideograph that UTF-8 Hangul begins with when it is read as CP949."""

NUM_CODEPOINTS = 0x30000
"""The table ends with plane 2; above it stand tags, variation selectors and private use, all kept."""

WINDOWS_1252 = {
    bytes([byte]).decode("cp1252"): chr(byte)
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""The 27 characters that windows-1252 has where Latin-1 has C1 controls: `{"€": "\\x80", ...}`."""

_ACTIONS: dict[int, tuple[tuple[int, int], ...]] = {
    CONTROL: ((0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F)),
    BOM: ((0xFEFF, 0xFEFF),),
    # Soft hyphen, Arabic letter mark, Mongolian vowel separator, zero-width space, bidi marks, embeddings and
    # isolates, word joiner and invisible operators, interlinear annotation: nothing that a reader sees.
    ZERO_WIDTH: (
        (0xAD, 0xAD),
        (0x61C, 0x61C),
        (0x180E, 0x180E),
        (0x200B, 0x200B),
        (0x200E, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFFF9, 0xFFFB),
    ),
    LINE_END: ((0x0B, 0x0D), (0x85, 0x85), (0x2028, 0x2029)),
    SPACE: (
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        # No white space to Unicode, but empty to a reader, and typed for that: the blank Braille pattern, the
        # Hangul filler and its half-width form. The fillers U+115F and U+1160 hold old Hangul together and stay.
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFFA0, 0xFFA0),
    ),
    JOINER: ((0x200C, 0x200D),),
    # Scripts that spell with ZWNJ and ZWJ (Arabic to Myanmar, Khmer, Mongolian, presentation forms), then
    # pictographs, the emoji selector, skin tones and regional indicators.
    JOINING: (
        (0x600, 0x61B),
        (0x61D, 0x109F),
        (0x1780, 0x180D),
        (0x180F, 0x18AF),
        (0x1CD0, 0x1CFF),
        (0xA840, 0xA8FF),
        (0xFB50, 0xFDFF),
        (0xFE70, 0xFEFC),
        (0x2600, 0x27BF),
        (0x2B00, 0x2BFF),
        (0xFE0F, 0xFE0F),
        (0x11000, 0x11FFF),
        (0x1F000, 0x1FAFF),
    ),
}


@functools.cache
def codepoint_table() -> np.ndarray:
    """Action and traits of each code point, (NUM_CODEPOINTS) uint8, read-only; about 0.1 s, once a process.

    >>> int(codepoint_table()[0x3000]) & ACTION == SPACE
    True
    """
    table = np.zeros(NUM_CODEPOINTS, np.uint8)
    for action, ranges in _ACTIONS.items():
        for low, high in ranges:
            table[low : high + 1] = action
    table[_uncomposed()] |= UNCOMPOSED
    table[[*range(0x80, 0x100), *map(ord, WINDOWS_1252)]] |= BYTE
    table[0xB0:0xF5] |= LEAD
    table[0xFF61:0xFFA0] |= KANA
    table[[ord(soup) for soup in soup_ideographs()]] |= SOUP
    table.flags.writeable = False
    return table


def soup_ideographs() -> str:
    """The 124 ideographs that UTF-8 Hangul leaves when it is read as CP949: lead EA to ED, trail A1 to BF.

    >>> "源" in soup_ideographs()
    True
    """
    pairs = bytes(byte for lead in range(0xEA, 0xEE) for trail in range(0xA1, 0xC0) for byte in (lead, trail))
    return codecs.decode(pairs, "cp949")


@functools.cache
def long_marks() -> re.Pattern[str]:
    """More than 30 combining marks in a row: no script has need of so many (UAX #15, section 13)."""
    marks = "".join(map(re.escape, filter(_is_mark, map(chr, range(0x300, NUM_CODEPOINTS)))))
    return re.compile(f"[{marks}]{{31,}}")


def _is_mark(char: str) -> bool:
    # U+0F73 is a starter, but what it stands for are marks.
    return all(map(unicodedata.combining, unicodedata.normalize("NFD", char)))


def _uncomposed() -> list[int]:
    # NFC_Quick_Check = No or Maybe (UAX #15, section 9), and every mark: marks may stand in the wrong order.
    # The vowels and final consonants of U+1100 compose by arithmetic and have no entry in the database.
    found = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    for code in range(0x80, NUM_CODEPOINTS):
        char = chr(code)
        decomposed = unicodedata.decomposition(char)
        if unicodedata.combining(char):
            found.add(code)
        elif decomposed and not decomposed.startswith("<"):
            found |= _parts(code, char, decomposed)
    return sorted(found)


def _parts(code: int, char: str, decomposed: str) -> set[int]:
    if unicodedata.normalize("NFC", char) != char:
        return {code}
    return {int(decomposed.split()[1], 16)}
