"""Characters: how much of a text is Hangul, Latin, digits; and how much of it was lost to a wrong charset.

Shares are of the characters that are not white space, so that indentation does not dilute them
(`whitespace_share` alone is of all characters).

Scripts are their true blocks. The peers' range [ㄱ-힣] holds all Chinese ideographs: a Chinese page passes
their Hangul ratio of 0.25 (EleutherAI/dps, dataverse). NFD Hangul counts as jamo; normalise first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.character_counts import count_classes, count_lost
from chejil.filters.prose import ENGLISH, KOREAN, PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.unicode_classes import (
    CLASS_NAMES,
    NUM_CLASSES,
)

COUNTERS = (*CLASS_NAMES, "lost", "chars", "visible_chars", "broken_chars")


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """Characters of each class; `visible_chars` are those that are not white space; `broken_chars` the
    unreadable.

    Half-width katakana are broken where they outnumber the full-width: CP949 bytes read as Shift-JIS give
    hundreds of them and no kana, while Japanese that uses them has kana all around.
    """
    classes, lost = np.zeros((len(texts), NUM_CLASSES), np.int64), np.zeros(len(texts), np.int64)
    codes, flags, starts = shared["codes"], shared["flags"], shared["char_starts"]
    count_classes(flags, starts, classes)
    count_lost(codes, flags, starts, lost)
    counts = dict(zip(CLASS_NAMES, np.ascontiguousarray(classes.T), strict=True))
    chars = classes.sum(axis=1)
    soup = np.where(counts["half_kana"] > counts["kana"], counts["half_kana"], 0)
    broken = {"broken_chars": counts["broken"] + lost + soup}
    return counts | {"lost": lost, "chars": chars, "visible_chars": chars - counts["whitespace"]} | broken


def _share(*parts: str) -> Callable[[Counts], np.ndarray]:
    return lambda counts: np.sum([counts.ratio(part, "visible_chars") for part in parts], axis=0)


add_family(
    Family(
        name="characters",
        counters=COUNTERS,
        measure=measure,
        needs=("decoded",),
        version=2,  # 2: Hangul fillers and the blank Braille pattern are controls
        about="Characters by script and kind, and those that a wrong charset left behind.",
    )
)

add_signal(
    Signal(
        name="num_chars",
        family="characters",
        unit="char",
        kind="count",
        about="Characters (code points), white space included.",
        source="EleutherAI/dps, the Korean job: 50 to 100,000. No upper bound here: statutes and books are "
        "longer.",
        value=lambda counts: counts["chars"],
        kept=PROSE,
        dropped=both("로그인 후 이용해 주세요.", "Please sign in to continue."),  # Log in to use this.
        bounds={"ko": Bound(low=50), "en": Bound(low=50)},
    )
)
add_signal(
    Signal(
        name="hangul_share",
        family="characters",
        unit="char",
        kind="share",
        about="Hangul syllables among the characters that are not white space.",
        source="After dps (0.25, over a range that holds all Hanja). True blocks, and low enough for "
        "documentation with much code: the 1st percentile of 6,203 Korean web documents is 0.14.",
        value=_share("hangul"),
        # Korean among Hanja, as older statutes are written; and among code.
        kept=(
            ("ko", "本法에서 法人이라 함은 登記를 한 團體를 말한다."),
            ("ko", "`git rebase main`으로 커밋을 다시 쌓습니다."),
        ),
        dropped=(
            ("ko", "本公司成立于一九九八年，主要从事家具出口。"),  # Chinese: a company that exports furniture
            ("ko", "ㅋㅋㅋㅋㅋㅋㅋㅋ ㅎㅎㅎㅎ ㅠㅠㅠㅠ"),  # laughing and weeping only
        ),
        bounds={"ko": Bound(low=0.1)},
    )
)
add_signal(
    Signal(
        name="jamo_share",
        family="characters",
        unit="char",
        kind="share",
        about="Single jamo (ㅋㅋㅋ, ㅠㅠ, initials), half-width and conjoining ones among the visible "
        "characters.",
        source="Own. Comments under films reach 0.22 and read well; keyboard mash and undone NFD go beyond "
        "0.5.",
        value=_share("jamo", "conjoining"),
        kept=(
            ("ko", KOREAN),
            ("ko", "배우들 연기 진짜 최고ㅋㅋ 마지막 장면에서 울었음ㅠㅠ"),
        ),  # the acting was the best
        dropped=(
            ("ko", "ㅁㄴㅇㄹ ㅂㅈㄷㄱ 뭐 ㅋㅌㅊㅍ ㅁㄴㅇㄹ"),
            ("ko", "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ 네 ㅋㅋㅋㅋ"),
        ),  # mash; laughs
        bounds={"ko": Bound(high=0.25), "en": Bound(high=0.25)},
    )
)
add_signal(
    Signal(
        name="compatibility_jamo_share",
        family="characters",
        unit="char",
        kind="share",
        about="Jamo that stand alone, as they are typed (ㅋㅋㅋ, ㅠㅠ, initials, ㆍ), half-width ones included, among "
        "the visible characters.",
        source="Own; `jamo_share` without the conjoining ones, which a normalised text has only in old Hangul.",
        value=_share("jamo"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="conjoining_jamo_share",
        family="characters",
        unit="char",
        kind="share",
        about="Conjoining jamo among the visible characters: undone NFD (`nfd_share` counts it), or old Hangul.",
        source="Own. No bound: EleutherAI/dps deletes U+1100 to U+11FF, and with them the ᄊᆞ of 나랏말ᄊᆞ미.",
        value=_share("conjoining"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="hanja_share",
        family="characters",
        unit="char",
        kind="share",
        about="Chinese characters, extensions and compatibility forms included, among the visible "
        "characters.",
        source="Own. No bound for Korean: statutes and older prose have many; `lang` tells Chinese from Korean. "
        "English web documents have at most 0.02; with more than 0.1 they are half Chinese.",
        value=_share("hanja"),
        kept=PROSE,
        dropped=(
            ("en", "Call for papers 征文通知: please send your abstract 请将摘要发送至会务组"),
        ),  # send abstracts
        bounds={"en": Bound(high=0.1)},
    )
)
add_signal(
    Signal(
        name="kana_share",
        family="characters",
        unit="char",
        kind="share",
        about="Hiragana and katakana, full and half width, among the visible characters.",
        source="Own. No bound: `lang` decides.",
        value=_share("kana", "half_kana"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="latin_share",
        family="characters",
        unit="char",
        kind="share",
        about="Latin letters, accented and full-width ones included, among the visible characters.",
        source="Own; as the Latin form of dps's Hangul share. 1st percentile of 3,939 English web "
        "documents: 0.55.",
        value=_share("latin"),
        kept=(("en", ENGLISH), ("en", "In 1998 and 2003 it rained on 171 days.")),
        dropped=(
            ("en", "12:40 | 13:05 | 17 | 3,204 | n/a"),
            ("en", "7 + 5 = 12; 9 * 8 = 72; (3 - 1) / 2 = 1"),
        ),
        bounds={"en": Bound(low=0.5)},
    )
)
add_signal(
    Signal(
        name="digit_share",
        family="characters",
        unit="char",
        kind="share",
        about="Digits and other numerals among the visible characters.",
        source="RedPajama-V2 and dolma measure it; bounds from the 99th percentile of the project's web "
        "text (0.29 Korean, 0.34 English).",
        value=_share("digits"),
        kept=PROSE,
        # Prices by date and code; a table of results.
        dropped=both("2024-03-11 15,200원 2024-03-12 15,450원", "Q1 1048 2210 3377 Q2 4021 5190 6002"),
        bounds={"ko": Bound(high=0.35), "en": Bound(high=0.4)},
    )
)
add_signal(
    Signal(
        name="punct_share",
        family="characters",
        unit="char",
        kind="share",
        about="Punctuation and symbols, emoji among them, among the visible characters.",
        source="RedPajama-V2 and dolma measure it; bounds above the 99th percentile of web text (0.30).",
        value=_share("punct"),
        kept=PROSE,
        dropped=both("★☆★ 대박 ★☆★ >>> 클릭 <<< !!!!!", "=====>>> *** NEW *** <<<====="),  # Wow! Click
        bounds={"ko": Bound(high=0.35), "en": Bound(high=0.35)},
    )
)
add_signal(
    Signal(
        name="whitespace_share",
        family="characters",
        unit="char",
        kind="share",
        about="White space, as `str.split()` sees it, among all characters.",
        source="dolma and RedPajama-V2 measure it; the 99th percentile of web text is 0.34 and 0.45. "
        "Bounds beyond it, where columns and indented code still pass.",
        value=lambda counts: counts.ratio("whitespace", "chars"),
        kept=PROSE,
        dropped=both("메뉴\n\n\n\n\n\n홈\n\n\n\n\n", "a   b   c   d    e    f    g"),  # Menu, Home
        bounds={"ko": Bound(high=0.65), "en": Bound(high=0.65)},
    )
)
add_signal(
    Signal(
        name="other_letter_share",
        family="characters",
        unit="char",
        kind="share",
        about="Letters of other scripts (Cyrillic, Greek, Arabic, Thai, …) among the visible characters.",
        source="Own; the 99th percentile of web text is 0.0005 in both languages.",
        value=_share("other_letters"),
        kept=PROSE,
        # A Korean and an English title over Russian text ("fresh bread every morning").
        dropped=both("오늘의 빵: свежий хлеб каждое утро", "Bakery: свежий хлеб каждое утро"),
        bounds={"ko": Bound(high=0.05), "en": Bound(high=0.05)},
    )
)
add_signal(
    Signal(
        name="broken_share",
        family="characters",
        unit="char",
        kind="share",
        about="Characters that a wrong charset left and nothing repairs, among the visible ones: U+FFFD, "
        "private use, C1 controls, 占쏙옙, question marks in place of syllables, half-width katakana "
        "without kana.",
        source="Own. The 99th percentile of web text is 0.001; whole or half documents of mojibake have "
        "0.15 to 0.9.",
        value=lambda counts: counts.ratio("broken_chars", "visible_chars"),
        kept=both("이게 정말????? 믿기지 않네요!!", "What???? Nobody told me about this."),  # Is this real?
        dropped=(
            ("ko", "占쏙옙占쏙옙 占쏙옙 공지사항 占쏙옙占쏙옙"),  # U+FFFD bytes read as CP949 around "notice"
            ("ko", "??? ?? ????? ??? ???? 2024? ??"),  # Korean through Latin-1
            ("ko", "ｱﾗｷ｡ ｳﾊｺ ｿｼｱ ﾅｽｻ"),  # CP949 read as Shift-JIS
            ("en", "It doesn\ufffdt work \ufffd at all \ufffd since Monday."),
        ),
        bounds={"ko": Bound(high=0.02), "en": Bound(high=0.02)},
    )
)
