"""Packing: the same rows as a plain reference, nothing lost, the number of rows whatever the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.training.data.packing import num_cut, num_rows, pack

lengths = st.lists(st.integers(0, 200), max_size=60)
rows = st.integers(1, 70)


def best_fit(sizes, row_tokens):
    """Best-fit decreasing: of the open rows that a rest fits into the fullest, of equals the one used last."""
    full = [
        [(number, part * row_tokens, row_tokens)]
        for number, size in enumerate(sizes)
        for part in range(size // row_tokens)
    ]
    rests = [(number, size % row_tokens) for number, size in enumerate(sizes) if size % row_tokens]
    packed, left, used = [], [], []
    for time, (number, rest) in enumerate(sorted(rests, key=lambda one: -one[1])):
        fitting = [row for row in range(len(packed)) if left[row] >= rest]
        if fitting:
            row = min(fitting, key=lambda row: (left[row], -used[row]))
        else:
            row = len(packed)
            packed.append([])
            left.append(row_tokens)
            used.append(0)
        packed[row].append((number, sizes[number] - rest, rest))
        left[row] -= rest
        used[row] = time
    return full + packed


def concat(sizes, row_tokens):
    """All tokens in a line, cut."""
    line = [(number, place) for number, size in enumerate(sizes) for place in range(size)]
    found = []
    for begin in range(0, len(line), row_tokens):
        row = []
        for number, place in line[begin : begin + row_tokens]:
            if row and row[-1][0] == number:
                row[-1] = (number, row[-1][1], row[-1][2] + 1)
            else:
                row.append((number, place, 1))
        found.append(row)
    return found


def as_lists(pieces):
    whole = list(
        zip(pieces.document.tolist(), pieces.begin.tolist(), pieces.num_tokens.tolist(), strict=True)
    )
    return [whole[pieces.first[row] : pieces.first[row + 1]] for row in range(pieces.num_rows)]


@given(lengths, rows)
@settings(max_examples=300, deadline=None)
def test_best_fit_is_the_plain_one(sizes, row_tokens):
    """The kernel's rows are those of the reference, piece for piece."""
    assert as_lists(pack(np.array(sizes, np.int64), row_tokens, "best-fit")) == best_fit(sizes, row_tokens)


@given(lengths, rows)
@settings(max_examples=300, deadline=None)
def test_concat_is_the_plain_one(sizes, row_tokens):
    """The kernel's rows are those of the reference, piece for piece."""
    assert as_lists(pack(np.array(sizes, np.int64), row_tokens, "concat")) == concat(sizes, row_tokens)


@pytest.mark.parametrize("policy", ["best-fit", "concat"])
@given(sizes=lengths, row_tokens=rows, order=st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_each_token_is_in_one_row_and_rows_are_as_many_in_any_order(policy, sizes, row_tokens, order):
    """Nothing is lost or doubled, no row is too long, and the count, which the index rests on, does not move."""
    pieces = pack(np.array(sizes, np.int64), row_tokens, policy)
    tokens = [
        (number, begin + place)
        for row in as_lists(pieces)
        for number, begin, num in row
        for place in range(num)
    ]
    cut = {number for row in as_lists(pieces) for number, _, num in row if num < sizes[number]}
    order.shuffle(shuffled := list(sizes))

    assert sorted(tokens) == [(number, place) for number, size in enumerate(sizes) for place in range(size)]
    assert all(0 < sum(num for _, _, num in row) <= row_tokens for row in as_lists(pieces))
    assert num_rows(np.array(shuffled, np.int64), row_tokens, policy) == pieces.num_rows
    assert num_cut(np.array(sizes, np.int64), row_tokens, policy) == len(cut)


@pytest.mark.parametrize("row_tokens", [63, 64, 65, 4095, 4096, 4097, 300_000])
def test_rows_of_any_length_find_their_place(row_tokens):
    """Borders of the bitset's words: one document of each length that complements another fills its row."""
    sizes = np.array([size for one in range(1, 40) for size in (row_tokens - one, one)], np.int64)

    assert pack(sizes, row_tokens, "best-fit").num_rows == 39


def test_a_document_of_millions_of_tokens_is_cut_into_full_rows_and_a_rest():
    """The rest stands with others."""
    pieces = pack(np.array([16_000_001, 5]), 4096, "best-fit")

    assert pieces.num_rows == 16_000_001 // 4096 + 1
    assert pieces.document[-2:].tolist() == [0, 1]
