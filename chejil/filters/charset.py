"""Traces of a wrong charset beyond the characters that are broken outright, and Hangul that is not composed.

Korean lives in two charsets and is misread in both ways. CP949 read as Latin-1 is a run of accented letters
(¾È³ç); UTF-8 read as CP949 is a soup of syllables that hardly occur in Korean and of Hanja from four rows of KS X
1001, since Hangul in UTF-8 begins with the bytes EA to ED. `mojibake_score` adds these to what `broken_share`
counts. Of a text in good order it is 0 or nearly so: a French word has no three accented letters in a row, and
Hanja of statutes come from 52 rows.

Each trace is looked for only where the counts of the characters, or a byte, say that there may be one: 3 GB/s of
Korean in good order, more of English. Sources: KS X 1001, the WHATWG Encoding Standard, and counts of our own
(`lexicons/common_syllables.yaml`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import KOREAN, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.suffixes import FIRST_SYLLABLE, NUM_SYLLABLES
from chejil.filters.unicode_classes import BROKEN, CLASS_BITS

COUNTERS = ("rare_syllables", "decomposed_syllables", "latin1_run_chars", "soup_hanja")
RARE, DECOMPOSED, LATIN1_RUN, SOUP = range(4)

LATIN1, WINDOWS_1252, SOUP_HANJA = 1, 2, 4
MIN_LATIN1_RUN, MIN_LATIN1_CHARS = 3, 2
MIN_RARE_SHARE = 0.1  # a text about 칡넝쿨 (arrowroot vines) has 0.06, one that is damaged 0.9
MIN_SOUP_SHARE = 0.5  # of all Hanja; statutes and old prose have 0.08
_SOUP_ROWS = range(0xEA, 0xEE)
_FIRST_INITIAL, _LAST_INITIAL = 0x1100, 0x1112
_FIRST_VOWEL, _LAST_VOWEL = 0x1161, 0x1175
_FIRST_SYLLABLE, _NO_SYLLABLE = np.uint32(FIRST_SYLLABLE), np.uint32(NUM_SYLLABLES)
_LAST_OF_PLANE = np.uint32(0xFFFF)  # without traits
_ACCENT_LEAD = np.uint8(0xC3)


@cache
def trait_table() -> np.ndarray:
    """LATIN1, WINDOWS_1252 (what it has for the bytes 80 to 9F) and SOUP_HANJA, (65536) uint8, read-only."""
    table = np.zeros(1 << 16, np.uint8)
    table[0x80:0x100] = LATIN1
    for char in lexicon("korean_marks")["windows_1252"]:
        table[ord(char)] = WINDOWS_1252
    cells = bytes(byte for row in _SOUP_ROWS for cell in range(0xA1, 0xFF) for byte in (row, cell))
    for char in cells.decode("euc_kr"):
        table[ord(char)] = SOUP_HANJA
    table.flags.writeable = False
    return table


@cache
def rare_table() -> np.ndarray:
    """1 for a syllable that is not in `lexicons/common_syllables.yaml`, then a 0, (11173) uint8, read-only."""
    table = np.ones(NUM_SYLLABLES + 1, np.uint8)
    table[_NO_SYLLABLE] = 0
    for char in lexicon("common_syllables")["syllables"].replace(" ", ""):
        table[ord(char) - FIRST_SYLLABLE] = 0
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_traces(data, offsets, codes, flags, char_starts, hangul, conjoining, hanja, traits, rare, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before.

    Args:
        hangul, conjoining, hanja: characters of these classes (num_docs); without them there is nothing to look for.
    """
    for doc in range(len(offsets) - 1):
        row, start, end = counts[doc], char_starts[doc], char_starts[doc + 1]
        if hangul[doc]:
            row[RARE] = count_rare(codes[start:end], rare)
        if conjoining[doc]:
            row[DECOMPOSED] = count_decomposed(codes[start:end])
        if hanja[doc]:
            row[SOUP] = count_soup(codes[start:end], traits)
        if holds_accent(data[offsets[doc] : offsets[doc + 1]]):
            row[LATIN1_RUN] = count_runs(codes[start:end], flags[start:end], traits)


@njit(cache=True, nogil=True)
def count_rare(codes, rare):
    """Rare syllables. No branches: `rare` ends with a 0 for all that is no syllable."""
    times = np.int64(0)
    for code in codes:
        times += rare[min(np.uint32(code - _FIRST_SYLLABLE), _NO_SYLLABLE)]
    return times


@njit(cache=True, nogil=True)
def count_decomposed(codes):
    """Vowels after an initial, both modern."""
    times = np.int64(0)
    for at in range(1, len(codes)):
        if _FIRST_VOWEL <= codes[at] <= _LAST_VOWEL:
            times += _FIRST_INITIAL <= codes[at - 1] <= _LAST_INITIAL
    return times


@njit(cache=True, nogil=True)
def count_soup(codes, traits):
    """Hanja of the rows EA to ED."""
    times = np.int64(0)
    for code in codes:
        times += traits[min(code, _LAST_OF_PLANE)] & SOUP_HANJA != 0
    return times


@njit(cache=True, nogil=True)
def holds_accent(text):
    """Whether the bytes hold a character from U+00C0 to U+00FF: no other has this lead byte."""
    found = False
    for at in range(len(text)):
        found |= text[at] == _ACCENT_LEAD
    return found


@njit(cache=True, nogil=True)
def count_runs(codes, flags, traits):
    """Characters of runs that stand for lost ones."""
    chars = run = latin1 = accents = broken = np.int64(0)
    for at in range(len(codes)):
        code = codes[at]
        trait = np.int64(traits[min(code, _LAST_OF_PLANE)])
        if trait & (LATIN1 | WINDOWS_1252):
            run += 1
            latin1 += trait & LATIN1
            accents += 0xC0 <= code < 0x100
            broken += flags[at] & CLASS_BITS == BROKEN
        elif run:
            chars += damaged(run, latin1, accents, broken)
            run = latin1 = accents = broken = np.int64(0)
    return chars + damaged(run, latin1, accents, broken)


@njit(cache=True, nogil=True)
def damaged(run, latin1, accents, broken):
    """Characters of a run that stand for lost ones, those apart that are counted as broken already."""
    return run - broken if run >= MIN_LATIN1_RUN and latin1 >= MIN_LATIN1_CHARS and accents else 0


_TABLES = ("codes", "flags", "char_starts", "hangul", "conjoining", "hanja")


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    tables = [shared[name] for name in _TABLES]
    count_traces(*[texts.data, texts.offsets, *tables, trait_table(), rare_table(), counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _nfd_share(counts: Counts) -> np.ndarray:
    whole = counts["hangul"] + counts["decomposed_syllables"]
    return np.divide(counts["decomposed_syllables"], whole, out=np.full(len(whole), np.nan), where=whole != 0)


def _mojibake_score(counts: Counts) -> np.ndarray:
    rare, hangul = counts["rare_syllables"], counts["hangul"]
    soup, hanja = counts["soup_hanja"], counts["hanja"]
    traces = counts["broken_chars"] + counts["latin1_run_chars"]
    traces = traces + np.where(rare > MIN_RARE_SHARE * hangul, rare, 0)
    traces = traces + np.where((soup > MIN_SOUP_SHARE * hanja) & (rare > 0), soup, 0)
    seen = counts["visible_chars"]
    return np.minimum(np.divide(traces, seen, out=np.full(len(seen), np.nan), where=seen != 0), 1)


add_family(
    Family(
        name="charset",
        counters=COUNTERS,
        measure=measure,
        needs=("characters", "decoded"),
        about="Traces of a wrong charset: rare syllables, runs of accented letters, soup of Hanja; NFD.",
    )
)

_NFD = "\u1112\u1161\u11ab\u1100\u1173\u11af"  # 한글, decomposed

add_signal(
    Signal(
        name="nfd_share",
        family="charset",
        unit="char",
        kind="share",
        about="Modern syllables that are decomposed into jamo (NFD), among all Hangul syllables.",
        source="Own; macOS names files so. 0 after normalising, which every recipe does first: more than that in "
        "`documents/` is a bug. Old Hangul has letters that no syllable is composed of, and is not counted.",
        value=_nfd_share,
        kept=(
            ("ko", KOREAN),
            ("ko", "나랏말ᄊᆞ미 듕귁에 달아"),
        ),  # the speech of this land differs from China's
        dropped=(("ko", f"{_NFD} {_NFD} 글"),),
        bounds={"ko": Bound(high=0.5), "mixed": Bound(high=0.5)},
    )
)
add_signal(
    Signal(
        name="rare_syllable_share",
        family="charset",
        unit="char",
        kind="share",
        about="Hangul syllables beyond the 1,200 most frequent (`lexicons/common_syllables.yaml`), among all.",
        source="Own. The 99.9th percentiles are 0.02 (web), 0.003 (statutes), 0.008 (bills); a program in the "
        "language Aheui, which is written in Hangul, has 0.2; UTF-8 read as CP949 and syllables by chance 0.88 to 1.",
        value=lambda counts: counts.ratio("rare_syllables", "hangul"),
        kept=(("ko", KOREAN), ("ko", "쭈꾸미볶음에 숭늉 한 그릇 뚝딱!")),  # stir-fried octopus and rice tea
        # syllables by chance; "hello" in UTF-8 read as CP949
        dropped=(("ko", "뱳쫁 뉬쳁 렢씗 꼽뎛 쫓쾪쪘"), ("ko", "�븞�뀞�븯�꽭�슂 �삤�뒛")),
        bounds={"ko": Bound(high=0.25), "mixed": Bound(high=0.25)},
    )
)
add_signal(
    Signal(
        name="mojibake_score",
        family="charset",
        unit="char",
        kind="score",
        about="Visible characters that show a wrong charset: broken ones, runs of three accented letters and more, "
        "rare syllables where they are a tenth of all, Hanja of the rows EA to ED beside them.",
        source="Own. 99.9th percentiles of text in good order are 0.008 and less, whole and half documents of eight "
        "misreadings have 0.19 to 1 (`broken_share` sees 0 of CP949 read as Latin-1).",
        value=_mojibake_score,
        kept=both(
            "本法에서 法人이라 함은 登記를 한 團體를 말한다.",  # a juristic person is a registered body
            "The café in Málaga has crème brûlée – “naïve”, said Zoë…",
        ),
        # CP949 read as Latin-1: "hello, this is a notice"; UTF-8 read twice: "it’s" and "café"
        dropped=both("¾È³çÇÏ¼¼¿ä °øÁö»çÇ×ÀÔ´Ï´Ù", "It\u00e2\u20ac\u2122s a caf\u00c3\u0192\u00c2\u00a9"),
        bounds={lang: Bound(high=0.05) for lang in ("ko", "en", "mixed")},
    )
)
