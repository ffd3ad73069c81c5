"""The windows of the kernel against a plain walk over characters with regular expressions."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_bytes import HOUSEHOLD, IPV4, IPV6, NUMBER
from chejil.filters.pii_candidates import candidates
from chejil.filters.pii_groups import (
    MAX_ACCOUNT_DIGITS,
    MAX_GROUPS,
    MAX_PLUS_DIGITS,
    MAX_RUN,
    MIN_ACCOUNT_DIGITS,
    MIN_PLUS_DIGITS,
    SHAPES,
    ZERO,
    shape_key,
)

DASHES = "-‐‑‒–—―−－ㅡー"
SPACES = " {0,3}"
JOIN = re.compile(
    f"{SPACES}(?:([{DASHES}.()）/·ㆍ]){SPACES})?(?=[0-9０-９])|{SPACES}[()）]{SPACES}[{DASHES}]{SPACES}(?=[0-9０-９])"
)
RUN = re.compile("[0-9０-９]+")
WIDE = str.maketrans("０１２３４５６７８９", "0123456789")
PLAIN_SHAPES = {shape: need for need, shapes in SHAPES.items() for shape in shapes if need in (0, ZERO)}


def kernel(text: str, kind: int) -> set[tuple[int, int]]:
    """Windows of a kind, in characters."""
    raw = text.encode()
    found = candidates(TextBuffers.of([text])).tolist()
    return {
        (len(raw[:start].decode()), len(raw[:end].decode())) for _, start, end, what in found if what == kind
    }


def chains(text: str) -> list[list[tuple[int, int, str]]]:
    """For each digit run, itself and the runs joined to it: start, end, and what joins it to the one before."""
    runs = [match.span() for match in RUN.finditer(text)]
    joins = {}
    for start, end in runs:
        match = JOIN.match(text, end)
        joins[end] = (match.end(), match.group()) if match and match.end() > end else None
        assert start < end
    by_start = dict(runs)
    made = []
    for first, first_end in runs:
        before = [
            mark for at, (to, mark) in ((at, join) for at, join in joins.items() if join) if to == first
        ]
        chain, start, end, mark = [], first, first_end, before[0] if before else ""
        while True:
            chain.append((start, end, mark))
            join = joins[end]
            if join is None:
                break
            start, mark = join
            end = by_start[start]
        made.append(chain)
    return made


def is_tight(mark: str) -> bool:
    return len(mark) == 1 and mark in DASHES + "."


def is_loose(mark: str) -> bool:
    return bool(mark) and not is_tight(mark) and mark not in "/·ㆍ"


def numbers(text: str) -> set[tuple[int, int]]:
    """Windows that a shape without need of a label asks for."""
    found = set()
    for chain in chains(text):
        start, first_end, joined = chain[0]
        if is_tight(joined) or first_end - start > MAX_RUN:
            continue
        first = start - text[:start].endswith("(")
        first -= text[:first].endswith("+")
        is_dialled = re.fullmatch("0..?", text[start:first_end].translate(WIDE)) is not None
        in_row = is_loose(joined) and text[first] != "+" and not is_dialled
        spaced = False
        groups = []
        for place, (at, end, _) in enumerate(chain[:MAX_GROUPS]):
            if end - at > MAX_RUN:
                break
            groups.append(text[at:end].translate(WIDE))
            following = chain[place + 1][2] if place + 1 < len(chain) else ""
            goes_on = is_tight(following) or (in_row and spaced and is_loose(following))
            if not goes_on and is_wanted(groups, text[first] == "+"):
                found.add((first, end))
            spaced = spaced or is_loose(following)
    return found


def is_wanted(groups: list[str], plus: bool) -> bool:
    digits = "".join(groups)
    if plus:
        return MIN_PLUS_DIGITS <= len(digits) <= MAX_PLUS_DIGITS
    need = PLAIN_SHAPES.get("-".join(str(len(group)) for group in groups))
    return need == 0 or (need == ZERO and (digits[0] == "0" or digits[:2] == "82"))


LABEL_FREE = st.lists(
    st.text("012789", min_size=1, max_size=8)
    | st.sampled_from(
        ["010", "02", "1234", "5678", "345678", "1234567", "82", "01012345678", "９８７６", "1" * 25]
    ),
    min_size=1,
    max_size=7,
).flatmap(
    lambda runs: st.lists(
        st.sampled_from(["-", "-", ".", " - ", ") ", ")", "–", "/", ",", ":", "\n", "(", "+"]),
        min_size=len(runs),
        max_size=len(runs),
    ).map(lambda marks: "".join(run + mark for run, mark in zip(runs, marks, strict=True)))
)


@given(LABEL_FREE)
def test_groups_of_digits_are_found_where_a_plain_walk_finds_them(text):
    """Every shape that needs no label, and those after a plus; without letters there is nothing else."""
    found, expected = kernel(text, NUMBER), numbers(text)
    assert expected <= found
    if text.isascii():  # any other character may be a label to the kernel
        assert all(
            RUN.fullmatch(text[slice(*span)].strip("(")) for span in found - expected
        )  # 13 digits, dated


@given(st.text("0123456789.", max_size=40))
def test_four_groups_with_dots(text):
    """Windows of IPv4 are those of a regular expression."""
    plain = re.finditer(r"(?<![0-9.])([0-9]{1,12})\.([0-9]+)\.([0-9]+)\.([0-9]+)(?!\.?[0-9])", text)
    expected = {match.span() for match in plain if sum(map(len, match.groups())) <= 12}
    found = {span for span in kernel(text, IPV4) if text[span[0] - 1 : span[0]] != "."}
    assert found == expected


@given(st.text("0123456789abf:g ", max_size=50))
def test_runs_with_colons(text):
    """A window of IPv6 is hexadecimal digits and at least three colons."""
    for start, end in kernel(text, IPV6):
        assert re.fullmatch("[0-9a-f:]+", text[start:end])
        assert text[start:end].count(":") >= 3


@given(st.text("019제동호 ", max_size=30))
def test_units_of_houses(text):
    """Two to four digits before 호 (unit); behind 제 it is an article."""
    expected = {match.span() for match in re.finditer(r"(?<![0-9제])[0-9]{2,4}호", text)}
    assert kernel(text, HOUSEHOLD) == expected


def test_keys_of_shapes_are_distinct():
    """Six groups of nineteen digits fit in one word."""
    shapes = [shape for group in SHAPES.values() for shape in group]
    assert len({shape_key(shape) for shape in shapes}) == len(shapes)
    assert MIN_ACCOUNT_DIGITS < MAX_ACCOUNT_DIGITS


def test_a_small_buffer_is_grown():
    """More windows than one in 128 bytes."""
    assert len(candidates(TextBuffers.of(["a@b.kr " * 1000]))) == 1000


def test_offsets_are_within_the_document():
    """Not within the batch."""
    rows = candidates(TextBuffers.of(["가", "", "나 010-2345-6789"])).tolist()
    assert rows == [[2, 4, 17, NUMBER]]
