"""Lines and paragraphs: how they end, how they begin, and how many were there before.

Lines are split at "\\n" (normalised text has no other line end); blank ones never count, where datatrove
calls lines of spaces alone duplicates of one another (datatrove#273). Else duplicates are those of datatrove
0.10: equal to the last space, characters over the whole text. How a line begins and ends is seen through its
white space. A paragraph is a block of lines between blank ones.

Rae et al. 2021 (Gopher), A1.1; Raffel et al. 2020 (C4), 2.2; Penedo et al. 2024 (FineWeb), 3.6. A Korean
sentence may end without a mark, so the terminal set knows its endings (`lexicons/line_marks.yaml`); under
FineWeb's own set a page of statutes fails although every line is a sentence.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.line_counts import COUNTERS, count_lines, mark_table
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, Unit, add_family, add_signal
from chejil.filters.unicode_classes import class_table


def measure(texts: TextBuffers, _: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    count_lines(texts.data, texts.offsets, class_table(), mark_table(), counts)
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


add_family(
    Family(
        name="lines",
        counters=COUNTERS,
        measure=measure,
        needs=("words",),
        about="Lines and paragraphs that are not blank: how they begin and end, and which repeat.",
    )
)

add_signal(
    Signal(
        name="num_lines",
        family="lines",
        unit="line",
        kind="count",
        about="Lines that are not blank.",
        source="Own; the denominator of the line shares.",
        value=lambda counts: counts["lines"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="num_paragraphs",
        family="lines",
        unit="paragraph",
        kind="count",
        about="Blocks of lines between blank lines.",
        source="Own; the denominator of the paragraph shares.",
        value=lambda counts: counts["paragraphs"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="mean_line_chars",
        family="lines",
        unit="line",
        kind="mean",
        about="Mean characters of a line, its white space included.",
        source="Own; the 1st percentile of web text is 14 in both languages.",
        value=lambda counts: counts.ratio("line_chars", "lines"),
        kept=PROSE,
        dropped=both("홈\n소개\n공지\n문의\n오시는 길", "Home\nAbout\nNews\nContact us"),  # a menu
        bounds={"ko": Bound(low=10), "en": Bound(low=10)},
    )
)
add_signal(
    Signal(
        name="terminal_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines that end a sentence: with . ? ! …, or a Korean ending (다 요 까 죠 음 함), quotes and "
        "brackets after it apart.",
        source="FineWeb 3.6 (line_punct: 0.12 English; FineWeb-2: 0.062 Korean, by punctuation alone). "
        "Lower here: titles and code blocks leave the 1st percentile of good documents at 0.02 to 0.03, "
        "menus at 0.",
        value=lambda counts: counts.ratio("terminal_lines", "lines"),
        # A report in nominal endings, and speech in quotation marks.
        kept=both("현장을 확인함\n이상이 없었음\n(담당자에게 통보함)", "“Who is there?”\nNobody answered."),
        # footers
        dropped=both("공지사항\n자주 묻는 질문\n회사 소개", "Privacy Policy\nTerms of Use\nSitemap"),
        bounds={"ko": Bound(low=0.02), "en": Bound(low=0.02)},
    )
)
add_signal(
    Signal(
        name="short_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines of at most 30 characters.",
        source="FineWeb 3.6: 0.67 (FineWeb-2 turns it off for Korean, where 30 characters are a sentence). "
        "Here the 99th percentile of web text, 0.92.",
        value=lambda counts: counts.ratio("short_lines", "lines"),
        kept=PROSE,
        # cart, orders, help
        dropped=both("장바구니\n주문 조회\n고객 센터", "Add to cart\nWish list\nCheckout"),
        bounds={"ko": Bound(high=0.92), "en": Bound(high=0.92)},
    )
)
add_signal(
    Signal(
        name="newline_word_ratio",
        family="lines",
        unit="eojeol",
        kind="mean",
        about="Line breaks a word, blank lines included.",
        source="FineWeb 3.6 (new_line_ratio: 0.3; FineWeb-2: 0.196 of Korean morphemes). Here the 99th "
        "percentile of web text, 0.54 and 0.53.",
        value=lambda counts: counts.ratio("newlines", "words"),
        kept=PROSE,
        dropped=both("사과\n\n배\n\n포도\n\n감\n\n귤", "apples\n\npears\n\ngrapes\n\nplums"),  # fruit
        bounds={"ko": Bound(high=0.55), "en": Bound(high=0.55)},
    )
)
add_signal(
    Signal(
        name="bullet_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines that begin with a bullet (`lexicons/line_marks.yaml`).",
        source="Gopher A1.1: 0.9.",
        value=lambda counts: counts.ratio("bullet_lines", "lines"),
        kept=both(
            "준비물은 다음과 같다.\n- 감자 두 개\n- 양파 한 개", "You need:\n- two potatoes\n- an onion"
        ),
        dropped=both("ㆍ감자 두 개\nㆍ양파 한 개", "- two potatoes\n- an onion\n* a leek"),  # potatoes, onion
        bounds={"ko": Bound(high=0.9), "en": Bound(high=0.9)},
    )
)
add_signal(
    Signal(
        name="ellipsis_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines that end with an ellipsis (… or ...), quotes and brackets after it apart.",
        source="Gopher A1.1: 0.3. Here 0.5: a document of two lines of which one trails off is no teaser "
        "list.",
        value=lambda counts: counts.ratio("ellipsis_lines", "lines"),
        kept=PROSE,
        # teasers, "read more"
        dropped=both(
            "어젯밤 마을에 내린 눈이...\n시장에서 만난 두 사람은…\n더 보기",
            "Last night the snow in the village...\nThe two who met at the market…\nRead more",
        ),
        bounds={"ko": Bound(high=0.5), "en": Bound(high=0.5)},
    )
)

# Two lines that a page of comments repeats: "Thank you, I learnt a lot."
_REPEATED = both(
    "좋은 글 감사합니다. 많이 배우고 갑니다.\n\n" * 4,
    "Thank you for sharing, I learnt a lot from this.\n\n" * 4,
)
_DUPLICATES: tuple[tuple[str, Unit, str, str, str, float, float], ...] = (
    # name, unit, part, whole, what of the whole, highest Korean, highest English
    ("dup_line_share", "line", "dup_lines", "lines", "Lines that came before", 0.5, 0.5),
    ("dup_line_char_share", "char", "dup_line_chars", "text_chars", "Characters of such lines", 0.25, 0.25),
    ("dup_paragraph_share", "paragraph", "dup_paragraphs", "paragraphs", "Ones that came before", 0.5, 0.4),
    ("dup_paragraph_char_share", "char", "dup_paragraph_chars", "text_chars", "Characters of such ones", 0.2, 0.2),
)  # fmt: skip
for _name, _unit, _part, _whole, _about, _korean, _english in _DUPLICATES:
    add_signal(
        Signal(
            name=_name,
            family="lines",
            unit=_unit,
            kind="share",
            about=f"{_about}, among all {_unit}s.",
            source="Gopher A1.1 (0.3 of lines and paragraphs, 0.2 of characters) and FineWeb-2 (0.374 of "
            "Korean lines), moved to the 99th percentile of the project's web text.",
            value=partial(Counts.ratio, part=_part, whole=_whole),
            kept=PROSE,
            dropped=_REPEATED,
            bounds={"ko": Bound(high=_korean), "en": Bound(high=_english)},
        )
    )
add_signal(
    Signal(
        name="char_dup_ratio",
        family="lines",
        unit="char",
        kind="share",
        about="Characters of lines that occurred before, among all characters but line breaks.",
        source="FineWeb 3.6: 0.01 (FineWeb-2: 0.1 Korean). Differs from dup_line_char_share by the line "
        "breaks alone, which judges by default; this one is for the presets.",
        value=lambda counts: (
            counts["dup_line_chars"] / np.maximum(counts["text_chars"] - counts["newlines"], 1)
        ),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="punct_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines whose last visible character is a mark that ends a sentence "
        "(`lexicons/sentence_terminals.yaml`).",
        source="FineWeb 3.6 (line_punct: 0.12; FineWeb-2: 0.062 Korean). Without Korean endings, ellipses and "
        "closing quotes, which terminal_line_share knows and which judges by default; this one is for the "
        "presets.",
        value=lambda counts: counts.ratio("punct_lines", "lines"),
        kept=PROSE,
        dropped=(),
    )
)
