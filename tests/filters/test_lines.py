"""Line counters agree with the reference; Korean sentence ends are known; blank lines are nothing."""

from __future__ import annotations

import pytest
from hypothesis import given

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.line_counts import COUNTERS

from . import reference
from .strategies import batches


def value(name: str, text: str) -> float:
    return score([text], [name]).column(0)[0].as_py()


@given(batches)
def test_kernel_agrees_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["lines"])
    expected = [reference.lines(text) for text in texts]
    for name in COUNTERS:
        assert counts[name].tolist() == [counted[name] for counted in expected], name


@pytest.mark.parametrize(
    "line",
    [
        "비가 왔다.",  # It rained.
        "비가 왔다",  # the same without a full stop
        "“비가 왔다.”",
        "비가 왔어요ㅎㅎ",  # It rained, haha
        "비가 왔나요?)",  # Did it rain?
        "이상 없음",  # Nothing unusual (nominal ending)
        "붙임 1부. (끝)",  # One enclosure. (End)
        "It rained...",
        "**It rained!**",
        "雨が降った。",
    ],
)
def test_sentence_ends_are_terminal(line):
    """A line that ends a sentence is terminal, quotes, brackets, emphasis and laughter apart."""
    assert value("terminal_line_share", line) == 1


@pytest.mark.parametrize("line", ["목록", "Contents", "ㅋㅋㅋ", "가격: 3,000원", "the 5th,", "(", "\u3000"])
def test_titles_and_fragments_are_not_terminal(line):
    """Titles, prices and bare marks end no sentence (목록: list; 가격: price); a blank line is no line."""
    assert value("terminal_line_share", line) in (0, None)


def test_blank_lines_are_never_duplicates():
    """Neither blank lines nor lines of odd white space count as repeated lines or paragraphs."""
    text = "가\n\n\u3000\n \t\n\n나\r\n\r\n\r\n다\n\n"
    assert value("num_lines", text) == value("num_paragraphs", text) == 3
    assert value("dup_line_share", text) == value("dup_paragraph_share", text) == 0


def test_a_line_of_nul_is_a_line():
    """NUL is not white space, so a line of it is not blank."""
    assert value("num_lines", "\x00") == 1


def test_repeated_lines_and_paragraphs():
    """The second and later occurrences count, indentation and all; characters over the whole text."""
    text = "ab\ncd\n\nab\ncd\n\n  ab"
    assert value("dup_line_share", text) == 2 / 5
    assert value("dup_line_char_share", text) == 4 / len(text)
    assert value("char_dup_ratio", text) == 4 / len(text.replace("\n", ""))
    assert value("dup_paragraph_share", text) == 1 / 3
    assert value("dup_paragraph_char_share", text) == len("ab\ncd") / len(text)


def test_a_line_of_an_earlier_document_is_no_duplicate():
    """The table of seen lines starts empty for every document."""
    assert score(["같다", "같다"], ["dup_line_share"])["dup_line_share"].to_pylist() == [0, 0]  # the same


def test_many_different_lines_are_all_told_apart():
    """A hundred thousand different lines hold no duplicate; the same again are all duplicates."""
    text = "\n".join(f"{number}번째 줄" for number in range(100_000))  # line number N
    assert value("dup_line_share", text) == 0
    assert value("dup_line_share", f"{text}\n{text}") == 0.5


def test_a_masked_name_is_no_bullet():
    """A petition whose lines begin with ****은행 (a bank whose name the board has masked) is no list."""
    text = "****은행 본사를 조사해 주세요.\n**우리** 모두의 일입니다.\n* 이것은 항목이다."  # the last line is an item

    assert reference.lines(text)["bullet_lines"] == 1
    assert score([text], ["bullet_line_share"]).to_pylist() == [{"bullet_line_share": pytest.approx(1 / 3)}]
