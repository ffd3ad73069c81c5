"""C4's fate of each line agrees with the reference, the fates add up, and each rule takes what it is meant for."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chejil.filters import c4  # noqa: F401  (enters the family)
from chejil.filters.buffers import TextBuffers
from chejil.filters.c4_lines import COUNTERS
from chejil.filters.engine import measure, score
from chejil.filters.prose import KOREAN

from . import reference_c4
from .strategies import batches

# What the rules look for, whole and torn.
PIECES = (
    "lorem ipsum", "Lorem", "ipsum", "JavaScript", "java", "script", "Terms of Use", "privacy  policy", "use cookies",
    "uses cookies", "reuse", "cookie policy", "{", "}", "[1]", "[12", "[]", "[", "]", "[edit]", "[edit", "[Edit]",
    "[citation needed]", "[citation", "[１]", ".", "..", "...", "…", "?", "!", '"', "'", "”", "Dr.", "p.m.", "A", "z",
    "라", "값은", "하였다.", "\u212aelvin", "i\u0307", "x" * 1001, "\r", "\u2028", "\u3000", "\x00",
)  # fmt: skip
c4_text = st.lists(st.sampled_from(PIECES) | st.sampled_from([" ", " ", "\n"]), max_size=40).map("".join)

LINE = "The ferry leaves at noon."


def counts(text: str) -> dict[str, int]:
    measured = measure(TextBuffers.of([text]), ["c4"])
    return {name: int(measured[name][0]) for name in COUNTERS}


def value(name: str, text: str) -> float:
    return score([text], [name]).column(0)[0].as_py()


@given(batches | st.lists(c4_text, max_size=4))
@example(["Is it?\nA b c.", "[1] [2] [3]", "a b [1].\n[[1].]"])
def test_kernel_agrees_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    measured = measure(TextBuffers.of(texts), ["c4"])
    expected = [reference_c4.c4(text) for text in texts]
    for name in COUNTERS:
        assert measured[name].tolist() == [counted[name] for counted in expected], name


@given(c4_text)
def test_each_line_has_one_fate(text):
    """Lines kept and lines taken, by the first rule that takes them, are all lines."""
    found = counts(text)
    assert found["c4_lines"] == sum(found[name] for name in COUNTERS[5:12]) + found["c4_kept_lines"]


@pytest.mark.parametrize(
    ("line", "fate"),
    [
        ("He said so: " + "x" * 1001 + ".", "long_word"),
        ("x" * 1000 + " is long enough.", "kept"),
        ("Home, news and contact", "unmarked"),
        ("The ferry leaves at noon...", "unmarked"),
        ("The ferry leaves at noon…", "unmarked"),
        ("“The ferry leaves at noon.”", "unmarked"),  # C4 knows straight quotes only
        ('"The ferry leaves at noon."', "kept"),
        ("The ferry left.[12]", "kept"),
        ("The ferry left.[citation needed]", "kept"),
        ("The ferry left.[note 1]", "unmarked"),
        ("Read more.", "few_word"),
        ("Lorem IPSUM dolor sit.", "lorem"),
        ("Please enable JavaScript first.", "javascript"),
        ("Here if (a) { leaves at noon.", "bracket"),
        ("See our Privacy Policy first.", "policy"),
        ("It is lorem ipsum { javascript.", "lorem"),  # in the order of the rules
    ],
)
def test_a_line_meets_its_rule(line, fate):
    """The first rule that takes a line is its fate."""
    assert counts(line)[f"c4_{fate}_lines"] == 1


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (LINE, 1),
        ("It rained. We stayed. Nobody came!", 3),
        ("It leaves at 3 p.m. on Monday.", 1),
        ('"Who is it?" she asked. "Me," he said.', 2),
        ("It rained.[1] We stayed.", 2),
        ("Version 1.2.3 is out now.", 1),
        ("Wait... What? No!", 3),
    ],
)
def test_sentences_of_a_line(line, sentences):
    """A mark, closing quotes and white space, unless a small letter goes on."""
    assert value("c4_sentences", line) == sentences


def test_fineweb_asks_for_no_mark():
    """A line without one counts for FineWeb's form of the rules and not for C4's."""
    text = f"{LINE}\nThe old harbour hall\nIf it rains {{ stay\nLorem ipsum dolor"
    assert (value("c4_sentences", text), value("fineweb_sentences", text)) == (1, 2)
    assert (value("c4_bracket_lines", text), value("fineweb_bracket_lines", text)) == (0, 1)
    assert (value("c4_lorem_lines", text), value("fineweb_lorem_lines", text)) == (0, 1)


def test_the_kept_share_is_of_characters():
    """Blank lines are neither kept nor taken."""
    text = f"{LINE}\n\n  \nContents\n"
    assert value("c4_kept_char_share", text) == len(LINE) / len(LINE + "Contents")


def test_korean_is_measured_too():
    """Korean that ends its sentences with full stops is kept (the prose of all examples ends one with a quote)."""
    assert value("c4_kept_char_share", "\n".join(KOREAN.replace("”", "").split("\n\n"))) > 0.3


@pytest.mark.parametrize("piece", ["[", "[1", "lorem ipsu", "javascrip", ". A", "{ "])
def test_sixteen_megabytes_of_near_misses(piece):
    """What almost matches, all in one line, takes no more time than other text."""
    measure(TextBuffers.of([piece]), ["c4"])
    start = time.perf_counter()
    measure(TextBuffers.of([piece * (16_000_000 // len(piece))]), ["c4"])
    assert time.perf_counter() - start < 5
