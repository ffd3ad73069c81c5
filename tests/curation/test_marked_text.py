"""Texts of documents as HTML: every character is there, and none is markup."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.changes.pieces import Mark, Span, after, pieces
from chejil.curation.dedup.word_diff import word_diff
from chejil.curation.exploring import marked_text

from . import explored_run


def bare(drawn):
    """A text again: our tags taken off, entities read."""
    return html.unescape(re.sub(r"</?(?:del|ins|mark|span|p|div)(?: [a-z]+=\"[^\"<>]*\")*>", "", drawn))


@given(st.lists(st.text(min_size=1), max_size=6), st.integers(0, 8), st.integers(1, 9))
def test_pages_of_a_drawn_document_are_its_text(parts, start, most):
    """Each page holds its characters, escaped: no tag but ours, and nothing that turns or steers."""
    text = "".join(parts)
    own = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    drawn = marked_text.drawn(pieces(own, []), start, most)

    shown = html.unescape(drawn)
    assert len(shown) == len(own[start : start + most])
    assert all(a == b or a == "\ufffd" for a, b in zip(shown, own[start : start + most], strict=True))
    assert "<" not in drawn


def test_what_went_and_came_is_marked_and_escaped():
    """Struck out, underlined, marked; the hostile document stays text."""
    text = f"a {explored_run.HOSTILE} b"
    size = len(text.encode())
    spans = [
        Span(0, 1, Mark("mask_pii", 'na"me'), b"<X>"),
        Span(size - 1, size, Mark("decontaminate", "t"), None),
    ]
    found = pieces(text, [spans])

    drawn = marked_text.drawn(found)

    assert drawn.startswith(
        '<del title="mask_pii: na&quot;me">a</del><ins title="mask_pii: na&quot;me">&lt;X&gt;</ins>'
    )
    assert drawn.endswith('<mark title="decontaminate: t">b</mark>')
    assert set(re.findall(r"<(\w+)", drawn)) == {"del", "ins", "mark"}
    assert "\u202e" not in drawn
    assert bare(drawn).removeprefix("a").replace("\ufffd", "\u202e") == after(found)


@given(
    st.lists(st.sampled_from(["가", "나", "<b>", "&", "x"]), max_size=9),
    st.lists(st.sampled_from(["가", "x", "y"]), max_size=9),
)
def test_a_comparison_loses_no_word(one, other):
    """Both sides are their texts again, and what is not marked is common."""
    left, right = " ".join(one), " ".join(other)
    drawn = marked_text.both(left, right, word_diff(left, right))

    assert [bare(side) for side in drawn] == [left, right]
    common = [re.sub(r"<(del|ins)>.*?</\1>", " ", side).split() for side in drawn]
    assert common[0] == common[1]
