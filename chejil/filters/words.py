"""Words: how many, how long, and whether they are the words of running prose.

A word is what `str.split()` gives: in Korean an eojeol, a content word with its particles and endings.
Gopher's thresholds were set on English words and FineWeb-2's on Kiwi morphemes (50 of them are about 22
eojeol), so the Korean bounds here are measured anew, on eojeol. What this buys: no analyser on the hot path;
Kiwi runs at 0.06 to 0.26 MB/s.

Rae et al. 2021 (Gopher), appendix A1.1, "Quality filtering".
"""

from __future__ import annotations

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.word_counts import COUNTERS, count_words, function_words

_TABLES = ("codes", "flags", "word_hashes", "word_kinds", "word_begins", "word_ends", "word_starts")


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text; `function_word_set` has a bit for each entry of the lexicon that was found.

    `word_entries` (num_words) uint8 has the number of the entry that each word of the table is or ends in, or 0.
    """
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    found = np.zeros(len(shared["word_kinds"]), np.uint8)
    tables = [shared[name] for name in _TABLES]
    count_words(*[texts.data, texts.offsets, *tables, *function_words(), found, counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True)) | {"word_entries": found}


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
        counters=(*COUNTERS, "word_entries"),
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
