"""Boilerplate: how many lines of a document are menu, footer, byline, copyright notice or widget, and which to cut.

Peers drop a line that holds a word of a list (C4: "javascript", "lorem ipsum"; FineWeb-2: policy phrases), or cut a
Korean text at the first 주소: or ⓒ wherever it stands (EleutherAI/dps: a © in the first line empties the document).
Here a line is judged by what its boilerplate phrases leave over (`boilerplate_lines.py`); a share drops a document
that is nothing else, and a cut is made at the two ends only. A megabyte takes 3.5 ms of Korean and 6.2 of English, with
4,850 phrases in 0.55 MB.

Raffel et al. 2020 (C4), section 2.2; Penedo et al. 2025 (FineWeb-2), appendix on filters; dps `korean/modify.py`.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from chejil.filters.boilerplate_lines import UNSURE, judge_lines
from chejil.filters.boilerplate_tables import KINDS, tables
from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.shared_tables import measure_characters, measure_words
from chejil.filters.spans import Spans

COUNTERS = (
    "judged_lines", "judged_chars", "boilerplate_lines", "boilerplate_chars",
    *(f"{kind}_lines" for kind in KINDS),
)  # fmt: skip
JUDGED_LINES, JUDGED_CHARS, BOILERPLATE_LINES, BOILERPLATE_CHARS, FIRST_KIND = range(5)

HEAD_LINES, TAIL_LINES = 30, 60
MAX_BRIDGED = 1
_COPYRIGHT = 1 + KINDS.index("copyright")
_C_IN_CIRCLE, _SMALL_C_IN_CIRCLE = ord("©"), ord("ⓒ")
BRIDGED_CONFIDENCE = 0.5


@njit(cache=True, nogil=True)
def count_boilerplate(codes, char_starts, begins, ends, line_words, line_starts, tables, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    starts, verdicts, sizes = scratch(1024)
    for doc in range(len(char_starts) - 1):
        num = line_starts[doc + 1] - line_starts[doc]
        if num > len(starts):
            starts, verdicts, sizes = scratch(num)
        lines = line_words[line_starts[doc] : line_starts[doc + 1] + 1]
        at, end = char_starts[doc], char_starts[doc + 1]
        judge_lines(codes, at, end, begins, ends, lines, tables, starts, verdicts, sizes)
        chars = found = found_chars = np.int64(0)
        for line in range(num):
            chars += sizes[line]
            if verdicts[line] > 0:
                counts[doc, FIRST_KIND + verdicts[line] - 1] += 1
            if verdicts[line] > 0 or is_bridge(verdicts, line, num):
                found += 1
                found_chars += sizes[line]
        counts[doc, JUDGED_LINES], counts[doc, JUDGED_CHARS] = num, chars
        counts[doc, BOILERPLATE_LINES], counts[doc, BOILERPLATE_CHARS] = found, found_chars


@njit(cache=True, nogil=True)
def scratch(most):
    """Arrays for `judge_lines` with room for that many lines."""
    return np.zeros(most, np.int64), np.zeros(most, np.int8), np.zeros(most, np.int64)


@njit(cache=True, nogil=True)
def is_bridge(verdicts, line, num):
    """Whether an unsure line stands between two that are boilerplate."""
    unsure = verdicts[line] == UNSURE and 0 < line < num - 1
    return unsure and verdicts[line - 1] > 0 and verdicts[line + 1] > 0


@njit(cache=True, nogil=True)
def run_lines(verdicts, num, first, step, most):
    """Lines of the run of boilerplate that begins at line `first` (0, or the last one with a `step` of -1)."""
    length = bridged = 0
    while length < min(most, num):
        line = first + step * length
        if verdicts[line] <= 0:
            bridged += 1
            if bridged > MAX_BRIDGED or length + 1 >= most or not is_bridge(verdicts, line, num):
                break
        length += 1
    return length


@njit(cache=True, nogil=True)
def is_title(opening, verdicts, num):
    """Whether the first line stands alone, and so is a title, whatever its words ("Customer Service Week")."""
    claims = verdicts[0] == _COPYRIGHT or opening in (_C_IN_CIRCLE, _SMALL_C_IN_CIRCLE)
    return not claims and run_lines(verdicts, num, 0, 1, 2) < 2


@njit(cache=True, nogil=True)
def find_runs(codes, at, end, begins, ends, lines, tables, head_lines, tail_lines):
    """Lines of a document, and how many of them to cut at its head and at its tail: none where all would go.

    Returns:
        starts and verdicts (num_lines) of the lines that are not blank, and the two numbers.
    """
    num = len(lines) - 1
    starts, verdicts, sizes = scratch(num)
    judge_lines(codes, at, end, begins, ends, lines, tables, starts, verdicts, sizes)
    head = run_lines(verdicts, num, 0, 1, head_lines)
    tail = run_lines(verdicts, num, num - 1, -1, tail_lines)
    if head == 1 and is_title(codes[starts[0]], verdicts, num):
        head = 0
    if head + tail >= num:
        head = tail = 0
    return starts, verdicts, head, tail


def spans(texts: TextBuffers, head_lines: int = HEAD_LINES, tail_lines: int = TAIL_LINES) -> Spans:
    """The runs of boilerplate lines at the head and at the tail of each document, a span a line.

    A single line at the head is left unless it claims a copyright: it is a title. What lies between is left alone, too,
    and a document of nothing else is left whole (its `boilerplate_char_share` drops it). One short line that is no
    sentence may stand within a run and goes with it, confidence 0.5. Blank lines go with the line before them; those
    between the text and the tail with the tail.

    Args:
        head_lines: the most lines, blank ones apart, that a cut may take at the head; the rest of a longer run stays.
        tail_lines: the same at the tail.

    Returns:
        Spans whose rule is the kind of the line (KINDS); a bridged line has that of the line before it.
    """
    found = []
    chars = measure_characters(texts, Counts({}))
    words, codes = measure_words(texts, Counts(chars)), chars["codes"]
    edges_of_words = words["word_begins"], words["word_ends"]
    for doc in range(len(texts)):
        begin, end = int(chars["char_starts"][doc]), int(chars["char_starts"][doc + 1])
        of_doc = words["line_words"][words["line_starts"][doc] : words["line_starts"][doc + 1] + 1]
        starts, verdicts, head, tail = find_runs(
            codes, begin, end, *edges_of_words, of_doc, tables(), head_lines, tail_lines
        )
        if not head + tail:
            continue
        lines = len(starts)
        edges = [*starts.tolist(), end]
        if tail:
            edges[lines - tail] = _end_of_text(codes, edges[lines - tail])
        edges[0] = begin if head else edges[0]
        places = np.concatenate([[0], np.cumsum(_num_bytes(codes[begin:end]))])
        for line in [*range(head), *range(lines - tail, lines)]:
            sure = verdicts[line] > 0
            kind = int(verdicts[line] if sure else verdicts[line - 1]) - 1
            start, stop = int(places[edges[line] - begin]), int(places[edges[line + 1] - begin])
            found.append((doc, start, stop, kind, 1.0 if sure else BRIDGED_CONFIDENCE))
    return Spans.of(found, KINDS)


def _end_of_text(codes: np.ndarray, at: int) -> int:
    """Behind the last character before `at` that is no line break or ASCII blank."""
    while codes[at - 1] <= 0x20:
        at -= 1
    return at


def _num_bytes(codes: np.ndarray) -> np.ndarray:
    """Bytes of each character in UTF-8."""
    return 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)


_TABLES = "codes", "char_starts", "word_begins", "word_ends", "line_words", "line_starts"


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    count_boilerplate(*[*(shared[name] for name in _TABLES), tables(), counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _count(counts: Counts, counter: str) -> np.ndarray:
    return counts[counter]


add_family(
    Family(
        name="boilerplate",
        counters=COUNTERS,
        measure=measure,
        needs=("decoded", "word_table"),
        about="Lines that are menu, footer, byline, copyright notice or widget, by kind.",
    )
)

# "Our village" and a menu of a shop; a library, its hours in a sentence, and its address.
_KEPT = both(
    "우리 마을 도서관은 토요일에도 문을 연다. 주소: 강가길 3, 전화는 없다.\n장바구니에 책을 담아 오는 이웃이 많다.",
    "The library has no website, no search and no login.\nIts address: the old mill. You may contact us by letter.",
)
# Log in | sign up | cart; notice board > free board; 31 views; privacy policy, terms
_DROPPED = both(
    "로그인 | 회원가입 | 장바구니\n커뮤니티 > 자유게시판 > 글보기\n조회 31 | 댓글 0\n개인정보처리방침 | 이용약관",
    "Home | About us | Contact us | FAQ\nShare this page\nPrivacy Policy | Terms of Use\n© 2019 All rights reserved.",
)

add_signal(
    Signal(
        name="boilerplate_char_share",
        family="boilerplate",
        unit="char",
        kind="share",
        about="Characters of boilerplate lines, short lines between two of them included, among the visible ones.",
        source="Own. Of 82,000 documents of the project's shards the highest are index pages of a blog (0.43) and a "
        "call to register for an event (0.33); planted menus have 1.0, and 0.75 and more with a fifth of the phrases "
        "taken out of the lexicon.",
        value=lambda counts: counts.ratio("boilerplate_chars", "judged_chars"),
        kept=_KEPT,
        dropped=_DROPPED,
        bounds={"ko": Bound(high=0.45), "en": Bound(high=0.45)},
    )
)
add_signal(
    Signal(
        name="boilerplate_line_share",
        family="boilerplate",
        unit="line",
        kind="share",
        about="Boilerplate lines, short lines between two of them included, among the lines that are not blank.",
        source="Own. No bound: a page with its menus has one line a menu word and long lines of prose.",
        value=lambda counts: counts.ratio("boilerplate_lines", "judged_lines"),
        kept=_KEPT,
        dropped=(),
    )
)
_ABOUT = {
    "news": "Lines of a news page around the article: byline with e-mail, times, no reproduction, reactions, most read",
    "copyright": "Lines that state a copyright or a licence",
    "footer": "Lines of a page's footer: company data, policies, terms, cookie banners",
    "widget": "Lines of buttons and counters: views, comments, share, previous and next, rate this page",
    "menu": "Lines of navigation: menus, paths of pages, language pickers, log in, cart",
}
for _kind in KINDS:
    add_signal(
        Signal(
            name=f"{_kind}_boilerplate_lines" if _kind == "news" else f"{_kind}_lines",
            family="boilerplate",
            unit="line",
            kind="count",
            about=f"{_ABOUT[_kind]}.",
            source="Own; `lexicons/boilerplate.yaml`. No bound: `boilerplate_char_share` judges.",
            value=partial(_count, counter=f"{_kind}_lines"),
            kept=_KEPT,
            dropped=(),
        )
    )
