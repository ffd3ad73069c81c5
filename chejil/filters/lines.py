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


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    count_lines(shared["codes"], shared["flags"], shared["char_starts"], mark_table(), counts)
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


add_family(
    Family(
        name="lines",
        counters=COUNTERS,
        measure=measure,
        needs=("words", "decoded"),
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
        source="FineWeb 3.6 (line_punct: 0.12 English; FineWeb-2: 0.062 Korean, by punctuation alone). No bound: "
        "hard-wrapped prose and poems end few lines with a sentence; sentence_line_share judges.",
        value=lambda counts: counts.ratio("terminal_lines", "lines"),
        # A report in nominal endings, and speech in quotation marks.
        kept=both("현장을 확인함\n이상이 없었음\n(담당자에게 통보함)", "“Who is there?”\nNobody answered."),
        dropped=(),
    )
)
add_signal(
    Signal(
        name="sentence_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines in which a sentence ends: at their end, as in terminal_line_share, or within, where a mark "
        "such as . ? ! stands between a letter and white space.",
        source="Own, after FineWeb 3.6 (line_punct), so that lines broken within sentences count. Menus and lists of "
        "names have none.",
        value=lambda counts: counts.ratio("sentence_lines", "lines"),
        # Prose that was wrapped: the second line begins in the middle of a sentence.
        kept=both(
            "다리가 다시 열렸다. 이제 강 건너\n사람들은 돌아서 가지 않아도",
            "The bridge is open. Now the people\nacross the river need no longer",
        ),
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
        "Here "
        "the 99th percentile of English web text, 0.92, and more for Korean, whose quizzes and dialogues reach it.",
        value=lambda counts: counts.ratio("short_lines", "lines"),
        kept=PROSE,
        # cart, orders, help
        dropped=both("장바구니\n주문 조회\n고객 센터", "Add to cart\nWish list\nCheckout"),
        bounds={"ko": Bound(high=0.97), "en": Bound(high=0.92)},
    )
)
add_signal(
    Signal(
        name="newline_word_ratio",
        family="lines",
        unit="eojeol",
        kind="mean",
        about="Line breaks a word, blank lines included.",
        source="FineWeb 3.6 (new_line_ratio: 0.3; FineWeb-2: 0.196 of Korean morphemes). Here above "
        "the 99th percentile of web text, 0.54 and 0.53: at that bound quizzes and dialogues of short lines go too.",
        value=lambda counts: counts.ratio("newlines", "words"),
        kept=PROSE,
        dropped=both("사과\n\n배\n\n포도\n\n감\n\n귤", "apples\n\npears\n\ngrapes\n\nplums"),  # fruit
        bounds={"ko": Bound(high=0.8), "en": Bound(high=0.8)},
    )
)
add_signal(
    Signal(
        name="bullet_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines that begin with a bullet (`lexicons/line_marks.yaml`).",
        source="Gopher A1.1: 0.9. Here 0.97: recipes and minutes are lists, and what is more than 0.97 has no heading.",
        value=lambda counts: counts.ratio("bullet_lines", "lines"),
        kept=both(
            "준비물은 다음과 같다.\n- 감자 두 개\n- 양파 한 개", "You need:\n- two potatoes\n- an onion"
        ),
        dropped=both("ㆍ감자 두 개\nㆍ양파 한 개", "- two potatoes\n- an onion\n* a leek"),  # potatoes, onion
        bounds={"ko": Bound(high=0.97), "en": Bound(high=0.97)},
    )
)
add_signal(
    Signal(
        name="data_line_char_share",
        family="lines",
        unit="char",
        kind="share",
        about="Characters of lines of JSON (brackets alone, a name and its value, an item of a list), among those "
        "of all lines.",
        source="Own. Schemas of data sets and dumped scenes pass every rule of the field; beside 682 such pages 11 of "
        "24,000 other documents have more than 0.3, by lines 30, most of them tutorials.",
        value=lambda counts: counts.ratio("data_line_chars", "line_chars"),
        kept=both(
            "설정 파일은 다음과 같다.\n{\n값을 바꾼 뒤 서버를 다시 켠다.\n설정은 바로 적용된다.",  # a file of settings
            '"Well," she said.\n"It rained."\nThey waited until noon.',
        ),
        # Fields of a table; a fragment of a schema.
        dropped=both(
            '표의 필드\n{\n"이름": "문자열",\n"나이": "정수"\n}',
            'Features\n{\n"text": {\n"dtype": "string",\n"id": null\n}\n}',
        ),
        bounds={"ko": Bound(high=0.4), "en": Bound(high=0.4)},
    )
)
add_signal(
    Signal(
        name="ellipsis_line_share",
        family="lines",
        unit="line",
        kind="share",
        about="Lines that end with an ellipsis (… or ...), quotes and brackets after it apart.",
        source="Gopher A1.1: 0.3. No bound: of what 0.5 dropped on web text, a reader would keep dialogues, poems and "
        "diaries; lists of teasers end no sentence and meet sentence_line_share.",
        value=lambda counts: counts.ratio("ellipsis_lines", "lines"),
        kept=PROSE,
        dropped=(),
    )
)

# Two lines that a page of comments repeats: "Thank you, I learnt a lot."
_REPEATED = both(
    "좋은 글 감사합니다. 많이 배우고 갑니다.\n\n" * 4,
    "Thank you for sharing, I learnt a lot from this.\n\n" * 4,
)
_DUPLICATES: tuple[tuple[str, Unit, str, str, str, float, float], ...] = (
    # name, unit, part, whole, what of the whole, highest Korean, highest English
    ("dup_line_share", "line", "dup_lines", "lines", "Lines that stood in the document before", 0.6, 0.6),
    (
        "dup_line_char_share",
        "char",
        "dup_line_chars",
        "text_chars",
        "Characters of lines that stood in the document before",
        0.3,
        0.3,
    ),
    (
        "dup_paragraph_share",
        "paragraph",
        "dup_paragraphs",
        "paragraphs",
        "Paragraphs that stood in the document before",
        0.6,
        0.6,
    ),
    (
        "dup_paragraph_char_share",
        "char",
        "dup_paragraph_chars",
        "text_chars",
        "Characters of paragraphs that stood there before",
        0.3,
        0.3,
    ),
)
for _name, _unit, _part, _whole, _about, _korean, _english in _DUPLICATES:
    add_signal(
        Signal(
            name=_name,
            family="lines",
            unit=_unit,
            kind="share",
            about=f"{_about}, among all {_unit}s.",
            source="Gopher A1.1 (0.3 of lines and paragraphs, 0.2 of characters) and FineWeb-2 (0.374 of "
            "Korean lines), moved above the 99th percentile of the project's web text: choruses, minutes and quizzes "
            "repeat lines by nature.",
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
        "closing quotes, which terminal_line_share knows; sentence_line_share judges by default, this one is for the "
        "presets.",
        value=lambda counts: counts.ratio("punct_lines", "lines"),
        kept=PROSE,
        dropped=(),
    )
)
