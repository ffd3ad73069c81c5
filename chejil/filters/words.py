"""Words: how many, how long, and whether they are the words of running prose.

A word is what `str.split()` gives: in Korean an eojeol, a content word with its particles and endings.
Gopher's thresholds were set on English words and FineWeb-2's on Kiwi morphemes (50 of them are about 22
eojeol), so the Korean bounds here are measured anew, on eojeol. What this buys: no analyser on the hot path;
Kiwi runs at 0.06 to 0.26 MB/s.

Rae et al. 2021 (Gopher), appendix A1.1, "Quality filtering".
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.shared_tables import LETTERS
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    BROKEN,
    CLASS_BITS,
    CONJOINING,
    CONTROL,
    DIGIT,
    HANGUL,
    LATIN,
    MARK,
    PUNCT,
)

COUNTERS = (
    "words", "word_chars", "longest_word", "alpha_words", "hangul_words", "latin_words",
    "hashes", "ellipses", "symbol_words", "symbol_word_chars",
    "english_function_words", "korean_function_words", "function_word_set",
)  # fmt: skip
WORDS, WORD_CHARS, LONGEST, ALPHA, HANGUL_WORDS, LATIN_WORDS = range(6)
HASHES, ELLIPSES, SYMBOL_WORDS, SYMBOL_WORD_CHARS, ENGLISH, KOREAN, FOUND = range(6, 13)

MAX_ENTRY_CHARS = 4
_HANGUL_KINDS = 1 << HANGUL | 1 << CONJOINING
_LATIN_KIND = 1 << LATIN
_SYMBOLS = 1 << PUNCT
_NO_LETTERS = 1 << PUNCT | 1 << MARK | 1 << CONTROL | 1 << BROKEN
_HASH, _DOT, _ELLIPSIS = ord("#"), ord("."), ord("…")


class FunctionWords(NamedTuple):
    """The lexicon as a kernel reads it: entries of one last character stand together, the longest first.

    `keys` (num_entries) int64: characters packed in 16 bits each; `lengths` (num_entries) int64; `by_last`
    (65536) uint8: 1 + the first entry that ends in this character, or 0. English entries end in ASCII.
    """

    keys: np.ndarray
    lengths: np.ndarray
    by_last: np.ndarray


@cache
def function_words() -> FunctionWords:
    """Read `lexicons/function_words.yaml`, once a process."""
    entries = [word for lang in ("en", "ko") for word in lexicon("function_words")[lang]]
    assert len(entries) < 64
    assert all(len(word) <= MAX_ENTRY_CHARS for word in entries)
    entries.sort(key=lambda word: (word[-1], -len(word)))
    by_last = np.zeros(1 << 16, np.uint8)
    for number, word in reversed(list(enumerate(entries, 1))):
        by_last[ord(word[-1])] = number
    keys = [sum(ord(char) << 16 * place for place, char in enumerate(reversed(word))) for word in entries]
    return FunctionWords(np.array(keys), np.array([len(word) for word in entries]), by_last)


_IS_LETTER = np.array(
    [flags & ALPHABETIC != 0 or flags & CLASS_BITS == DIGIT for flags in range(32)], np.bool_
)


@njit(cache=True, nogil=True)
def count_words(codes, flags, kinds, begins, ends, starts, keys, lengths, by_last, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before, from the table of words."""
    for doc in range(len(starts) - 1):
        row = counts[doc]
        row[WORDS] = starts[doc + 1] - starts[doc]
        chars = longest = np.int64(0)
        for word in range(starts[doc], starts[doc + 1]):
            begin, end = np.int64(begins[word]), np.int64(ends[word])
            chars += end - begin
            longest = max(longest, end - begin)
            count_kinds(row, np.int64(kinds[word]), end - begin)
            if kinds[word] & _SYMBOLS:
                count_symbols(codes, begin, end, row)
            last = last_letter(codes, flags, begin, end)
            # Most English words are too long to be one.
            too_long = last < 0x80 and end - begin > MAX_ENTRY_CHARS and kinds[word] & _NO_LETTERS == 0
            if not too_long and by_last[last]:
                end_function_word(codes, flags, begin, end, keys, lengths, by_last[last], row)
        row[WORD_CHARS], row[LONGEST] = chars, longest


@njit(cache=True, nogil=True)
def count_kinds(row, kinds, chars):
    """Count a word by the classes of its characters."""
    row[ALPHA] += kinds & LETTERS != 0
    if kinds & (LETTERS | 1 << DIGIT) == 0:
        row[SYMBOL_WORDS] += 1
        row[SYMBOL_WORD_CHARS] += chars
    if kinds & _HANGUL_KINDS:
        row[HANGUL_WORDS] += 1
    elif kinds & _LATIN_KIND:
        row[LATIN_WORDS] += 1


@njit(cache=True, nogil=True)
def count_symbols(codes, begin, end, row):
    """Count the hash signs and ellipses of a word."""
    dots = 0
    for at in range(begin, end):
        code = codes[at]
        dots = dots + 1 if code == _DOT else 0
        row[ELLIPSES] += (dots > 0 and dots % 3 == 0) or code == _ELLIPSIS
        row[HASHES] += code == _HASH


@njit(cache=True, nogil=True)
def last_letter(codes, flags, begin, end):
    """The last letter or digit of a word, 0 if it has none."""
    for at in range(end - 1, begin - 1, -1):
        if _IS_LETTER[flags[at] & 31]:
            return min(np.int64(codes[at]), 0xFFFF)
    return np.int64(0)


@njit(cache=True, nogil=True)
def end_function_word(codes, flags, begin, end, keys, lengths, entry, row):
    """Count a function word, looking from entry number `entry` on: an English one is the whole word, a Korean one
    ends a longer one."""
    tail, letters = last_letters(codes, flags, begin, end)
    entry, last = np.int64(entry) - 1, tail & 0xFFFF
    while entry < len(keys) and keys[entry] & 0xFFFF == last:
        size = lengths[entry]
        mask = -1 if size == MAX_ENTRY_CHARS else (1 << 16 * size) - 1
        if tail & mask == keys[entry] and (letters == size if last < 0x80 else letters > size):
            row[ENGLISH if last < 0x80 else KOREAN] += 1
            row[FOUND] |= 1 << entry
            return
        entry += 1


@njit(cache=True, nogil=True)
def last_letters(codes, flags, begin, end):
    """The last MAX_ENTRY_CHARS letters and digits of a word, packed, and how many it has, one more at most."""
    tail = letters = np.int64(0)
    for at in range(end - 1, begin - 1, -1):
        if _IS_LETTER[flags[at] & 31]:
            if letters == MAX_ENTRY_CHARS:
                return tail, letters + 1
            tail |= min(np.int64(codes[at]), 0xFFFF) << 16 * letters
            letters += 1
    return tail, letters


def measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text; `function_word_set` has a bit for each entry of the lexicon that was found."""
    found = np.zeros((len(texts), len(COUNTERS)), np.int64)
    names = ("codes", "flags", "word_kinds", "word_begins", "word_ends", "word_starts")
    count_words(*[*(counts[name] for name in names), *function_words(), found])
    return dict(zip(COUNTERS, np.ascontiguousarray(found.T), strict=True))


def _distinct(counts: Counts) -> np.ndarray:
    return np.bitwise_count(counts["function_word_set"].view(np.uint64)).astype(np.int64)


def _function_word_share(counts: Counts) -> np.ndarray:
    return counts.ratio("english_function_words", "words") + counts.ratio("korean_function_words", "words")


def _lettered(counts: Counts) -> np.ndarray:
    return counts["words"] - counts["symbol_words"]


def _mean_lettered_chars(counts: Counts) -> np.ndarray:
    chars, words = counts["word_chars"] - counts["symbol_word_chars"], _lettered(counts)
    return np.divide(chars, words, out=np.full(len(words), np.nan), where=words != 0)


def _symbol_ratio(counts: Counts) -> np.ndarray:
    return np.maximum(counts.ratio("hashes", "words"), counts.ratio("ellipses", "words"))


add_family(
    Family(
        name="words",
        counters=COUNTERS,
        measure=measure,
        needs=("word_table",),
        version=2,  # 2: a Hangul filler is no letter
        about="White-space words (eojeol): number, length, letters, symbols, function words.",
    )
)

add_signal(
    Signal(
        name="num_words",
        family="words",
        unit="eojeol",
        kind="count",
        about="White-space separated words; in Korean, eojeol.",
        source="Gopher A1.1: 50 to 100,000 words. FineWeb-2 keeps 50 for Kiwi morphemes, which is about 22 "
        "eojeol. English 30, since 50 drops glossaries: of 14 entries read, all were worth keeping. No upper "
        "bound here: Gopher's would drop every book.",
        value=lambda counts: counts["words"],
        kept=PROSE,
        # Deleted.
        dropped=both("이 글은 작성자의 요청으로 삭제되었습니다.", "This page has moved to a new address."),
        bounds={"ko": Bound(low=20), "en": Bound(low=30)},
    )
)
add_signal(
    Signal(
        name="mean_word_chars",
        family="words",
        unit="eojeol",
        kind="mean",
        about="Mean characters of a word, its punctuation included.",
        source="Gopher A1.1: 3 to 10 in English. Korean: the 1st and 99th percentiles of 6,203 web "
        "documents are 2.97 and 9.2; the lower bound leaves room for children's books (FineWeb-2's 1 to 6 "
        "is of morphemes), the upper one for release notes full of addresses, in both languages.",
        value=lambda counts: counts.ratio("word_chars", "words"),
        kept=PROSE,
        # shop keywords run together
        dropped=both("주방용품할인매장전국무료배송 욕실용품최저가보장이벤트", "a b c d e f g h i j k l m"),
        bounds={"ko": Bound(2.2, 12), "en": Bound(3, 12)},
    )
)
add_signal(
    Signal(
        name="alpha_word_share",
        family="words",
        unit="eojeol",
        kind="share",
        about="Words with at least one letter of any script, among all words.",
        source="Gopher A1.1: 0.8. Lower here: the 1st percentile of documentation and tables in running use "
        "is 0.69 (English) and 0.63 (Korean), and mathematics has 0.4 to 0.6.",
        value=lambda counts: counts.ratio("alpha_words", "words"),
        kept=PROSE,
        dropped=both("합계 12 / 30 = 40 %, 8 / 30 = 27 %", "10 20 30 | 40 50 60 | total 210 90"),  # Sum
        bounds={"ko": Bound(low=0.4), "en": Bound(low=0.55)},
    )
)
add_signal(
    Signal(
        name="symbol_word_ratio",
        family="words",
        unit="eojeol",
        kind="mean",
        about="Hash signs or ellipses a word, whichever are more.",
        source="Gopher A1.1: 0.1. Korean comments trail off with an ellipsis (99th percentile 0.14), and a short "
        "statute in Markdown has a heading of five hash signs an article: 0.33.",
        value=_symbol_ratio,
        kept=PROSE,
        # hash tags: good food, Seoul, weekend, café, daily life
        dropped=both("#맛집 #서울 #주말 #카페 #일상", "Well... maybe... I guess... not sure..."),
        bounds={"ko": Bound(high=0.4), "en": Bound(high=0.2)},
    )
)
add_signal(
    Signal(
        name="function_word_share",
        family="words",
        unit="eojeol",
        kind="share",
        about="English function words, and eojeol that end in a Korean particle or ending, among all words.",
        source="Own, from Gopher's stop words. Prose has 0.15 (English) and 0.5 (Korean); menus and keyword "
        "lists 0.02 and 0.2. `lexicons/function_words.yaml`.",
        value=_function_word_share,
        kept=PROSE,
        # shoes, bags, wallets, hats, belts, socks, gloves, umbrellas
        dropped=both(
            "신발 가방 지갑 모자 벨트 양말 장갑 우산", "Home About Contact Login Register Cart Blog Search"
        ),
        bounds={"ko": Bound(low=0.1), "en": Bound(low=0.025)},
    )
)
add_signal(
    Signal(
        name="num_stop_words",
        family="words",
        unit="eojeol",
        kind="count",
        about="Different function words: of Gopher's eight, and of the Korean particles and endings.",
        source="Gopher A1.1: 2 of 8. FineWeb-2: 2 of 21 morphemes, reached by nearly any Korean; the 1st "
        "percentile of web documents is 7 of our 48 endings, so 4.",
        value=_distinct,
        kept=PROSE,
        # seven cities
        dropped=both("서울 부산 대구 인천 광주 대전 울산", "Shipping Returns Privacy Terms Careers Press"),
        bounds={"ko": Bound(low=4), "en": Bound(low=2)},
    )
)
add_signal(
    Signal(
        name="longest_word_chars",
        family="words",
        unit="eojeol",
        kind="count",
        about="Characters of the longest word.",
        source="C4 (Raffel et al. 2020; in datatrove 1,000) drops a line with a longer word: encoded data, "
        "not text. A whole document may hold one certificate: 3,000.",
        value=lambda counts: counts["longest_word"],
        kept=PROSE,
        dropped=both("사진 " + "data:AAAA" * 400, "key " + "0f3a9c" * 600),  # photo, as base64
        bounds={"ko": Bound(high=3000), "en": Bound(high=3000)},
    )
)
add_signal(
    Signal(
        name="num_non_symbol_words",
        family="words",
        unit="eojeol",
        kind="count",
        about="Words with a letter or a digit.",
        source="Gopher A1.1 as datatrove counts it: 50 to 100,000. Differs from num_words, which judges by "
        "default, by bullets, dashes and emoji that stand alone; this one is for the presets.",
        value=_lettered,
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="mean_non_symbol_word_chars",
        family="words",
        unit="eojeol",
        kind="mean",
        about="Mean characters of a word with a letter or a digit, its punctuation included.",
        source="Gopher A1.1 as datatrove counts it: 3 to 10. For the presets; mean_word_chars judges by "
        "default.",
        value=_mean_lettered_chars,
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="hash_word_ratio",
        family="words",
        unit="eojeol",
        kind="mean",
        about="Hash signs a word.",
        source="Gopher A1.1: 0.1. For the presets; symbol_word_ratio judges by default.",
        value=lambda counts: counts.ratio("hashes", "words"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="ellipsis_word_ratio",
        family="words",
        unit="eojeol",
        kind="mean",
        about="Ellipses (… or ...) a word.",
        source="Gopher A1.1: 0.1. For the presets; symbol_word_ratio judges by default.",
        value=lambda counts: counts.ratio("ellipses", "words"),
        kept=PROSE,
        dropped=(),
    )
)
