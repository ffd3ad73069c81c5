"""Edges, clusters and survivors against brute force, and the laws that peers break (wrong merges, order dependence)."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.curation.dedup import choices, edges
from chejil.curation.dedup.choices import count_shared, stand_ins
from chejil.curation.dedup.clusters import joined, named
from chejil.curation.dedup.edges import connected
from chejil.curation.dedup.sketches import (
    band_keys,
    bands_for,
    equal_lanes,
    min_equal_lanes,
    similarity,
    sketches,
)

SIGNATURES = st.lists(st.lists(st.integers(0, 3), min_size=16, max_size=16), min_size=1, max_size=14)


def grouped(lanes, at_least, bands=8, order=None):
    """Root of each document by the functions that a run calls: buckets of equal band keys, edges, union-find."""
    keys = band_keys(lanes, bands, 16 // bands)
    content = np.arange(len(lanes)) if order is None else order
    entries = sorted((int(key), int(content[doc]), doc) for doc in range(len(lanes)) for key in keys[doc])
    found = connected(
        np.array([key for key, _, _ in entries], np.uint64),
        np.array([doc for _, _, doc in entries], np.int64),
        sketches(lanes),
        at_least,
    )
    docs, roots = joined(len(lanes), [(found[:, 0].astype(np.uint32), found[:, 1].astype(np.uint32))])
    every = np.arange(len(lanes))
    every[docs] = roots
    return every


def brute_force(lanes, at_least, bands=8):
    """Connected components over all pairs that share a band and enough lanes, by repeated relabelling."""
    keys = band_keys(lanes, bands, 16 // bands)
    label = np.arange(len(lanes))
    for _ in range(len(lanes)):
        for i, j in itertools.combinations(range(len(lanes)), 2):
            if (keys[i] == keys[j]).any() and (lanes[i] == lanes[j]).sum() >= at_least:
                label[i] = label[j] = min(label[i], label[j])
    return label


@settings(max_examples=60)
@given(SIGNATURES, st.integers(3, 16))
def test_clusters_are_those_of_brute_force(rows, at_least):
    """Few documents, few values: every similar pair that shares a band is joined, and no other."""
    lanes = np.array(rows, np.uint64)

    assert grouped(lanes, at_least).tolist() == brute_force(lanes, at_least).tolist()


@settings(max_examples=40)
@given(SIGNATURES, st.randoms())
def test_clusters_do_not_know_the_order_of_the_files(rows, rng):
    """The same documents in another order are clustered alike, and called alike."""
    lanes = np.array(rows, np.uint64)
    content = np.unique(lanes, axis=0, return_inverse=True)[1].reshape(-1)
    shuffle = list(range(len(rows)))
    rng.shuffle(shuffle)

    def partition(order):
        roots = grouped(lanes[order], 12, order=content[order])
        names, sizes = named(roots, (content[order] + 1).astype(np.uint64))
        return {
            (name, size, order[i]) for i, (name, size) in enumerate(zip(names.tolist(), sizes, strict=True))
        }

    assert partition(list(range(len(rows)))) == partition(shuffle)


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=32, max_size=32), st.integers(0, 31))
def test_a_sketch_agrees_where_four_bits_agree(values, changed):
    """Lanes are counted as one would count them by hand."""
    one = np.array(values, np.uint64).reshape(1, -1)
    other = one.copy()
    other[0, : changed + 1] ^= np.uint64(5)

    assert equal_lanes(sketches(one)[0], sketches(one)[0]) == 32
    assert equal_lanes(sketches(one)[0], sketches(other)[0]) == 31 - changed


def test_chance_is_taken_off_a_similarity():
    """Documents that have nothing in common agree in one lane of 16; a threshold asks for that on top."""
    assert similarity(np.array([8, 68, 128]), 128).tolist() == [0, 0.5, 1]
    assert min_equal_lanes(0.5, 128) == 68


@pytest.mark.parametrize("num_docs", [0, 1, 5])
def test_no_documents_and_no_duplicates_are_no_special_case(num_docs):
    """Peers crash where there is nothing to remove."""
    lanes = np.arange(16 * num_docs, dtype=np.uint64).reshape(num_docs, 16)

    assert grouped(lanes, 8).tolist() == list(range(num_docs))


def survivors(lanes, at_least, alive=None, earlier=None):
    sketch = sketches(np.array(lanes, np.uint64))
    alive = np.ones(len(sketch), bool) if alive is None else np.array(alive)
    earlier = np.zeros(len(sketch), bool) if earlier is None else np.array(earlier)
    chosen, agreed = stand_ins(np.array([0, len(sketch)]), earlier, alive, sketch, at_least)
    return chosen.tolist(), agreed.tolist()


def test_a_chain_drops_only_what_resembles_a_survivor():
    """A ~ B ~ C, but A and C have nothing in common: B goes, C stays."""
    a = [0] * 16
    b = [0] * 10 + [1] * 6
    c = [2] * 6 + [0] * 4 + [1] * 6

    assert survivors([a, b, c], 10) == ([0, 0, 2], [0, 10, 0])


def test_a_document_is_dropped_for_the_survivor_that_it_resembles_most():
    """Not for the first one that is similar enough."""
    assert survivors([[0] * 16, [1] * 16, [0] * 6 + [1] * 10], 6)[0] == [0, 1, 1]


def test_what_was_dropped_before_stands_in_for_nobody():
    """Documents that a filter dropped come last and are left as they are."""
    assert survivors([[0] * 16] * 3, 16, [True, False, False])[0] == [0, 1, 2]
    assert survivors([[0] * 16] * 2, 16, [False, False])[0] == [0, 1]


@pytest.mark.parametrize("many", [1, 512])
def test_what_an_earlier_run_kept_survives_whatever_it_resembles(monkeypatch, many):
    """Two earlier runs may have kept two copies: what resembles either of them goes."""
    a, b, c = [0] * 16, [0] * 12 + [1] * 4, [2] * 4 + [0] * 8 + [1] * 4
    monkeypatch.setattr(choices, "MANY_SURVIVORS", many)
    choices.stand_ins.recompile()

    chosen, _ = survivors([a, b, c], 12, earlier=[True, True, False])

    monkeypatch.undo()
    choices.stand_ins.recompile()
    assert chosen == [0, 1, 1]


def test_of_many_survivors_those_with_a_common_stretch_are_compared(monkeypatch):
    """In a cluster of 3,000 documents of which few resemble one another, copies are found all the same."""
    rng = np.random.default_rng(7)
    lanes = rng.integers(0, 1 << 60, (3000, 128), np.uint64)
    copies = lanes[:200].copy()
    copies[:, ::9] += np.uint64(1)  # 113 of 128 lanes agree
    every = np.concatenate([lanes, copies])

    chosen, _ = survivors(every, 100)

    assert chosen[:3000] == list(range(3000))
    assert sum(stand_in == copy for copy, stand_in in enumerate(chosen[3000:])) >= 198
    assert choices.MANY_SURVIVORS < 3000


def test_a_document_of_a_bucket_is_compared_with_the_first_and_those_before_it():
    """Nothing resembles anything but the first and the last two: they are found however large the bucket is, and a copy
    of the second that stands behind the window is not, which is what keeps a bucket of 100,000 pages cheap."""
    num = 4 * edges.WINDOW
    lanes = np.arange(16 * num, dtype=np.uint64).reshape(num, 16) * np.uint64(
        0x9E3779B97F4A7C15
    ) >> np.uint64(7)
    lanes[-2], lanes[-1] = lanes[0], lanes[1]

    found = connected(np.zeros(num, np.uint64), np.arange(num), sketches(lanes), 16)

    assert found.tolist() == [[0, num - 2]]


def test_sources_that_share_a_cluster_are_counted():
    """Two of a and one of b in one cluster, two of b in another: a is in b, b in a, and both in themselves."""
    table = count_shared(np.array([0, 3, 5]), np.array([0, 0, 1, 1, 1]), 3)

    assert table.tolist() == [[2, 2, 0], [1, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 1])
def test_bands_find_a_pair_at_the_threshold(threshold):
    """A pair that is just as similar as the threshold shares a band with 98 % probability; longer rows find fewer."""
    bands, rows = bands_for(threshold, 128)

    assert bands * rows <= 128
    assert 1 - (1 - threshold**rows) ** bands >= 0.98
    assert rows == 128 or 1 - (1 - threshold ** (rows + 1)) ** (128 // (rows + 1)) < 0.98
