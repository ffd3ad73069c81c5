"""Clusters against brute force, and the laws that peers break (wrong transitive merges, order dependence)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.curation.clusters import bands_for, equal_groups, similar_groups, stand_ins
from chejil.curation.shingles import band_keys

ALPHABET = st.integers(0, 3)


def brute_force(lanes, keys, at_least):
    """Connected components over all pairs that share a band and enough lanes, by repeated relabelling."""
    label = np.arange(len(lanes))
    for _ in range(len(lanes)):
        for i in range(len(lanes)):
            for j in range(i):
                if (keys[i] == keys[j]).any() and (lanes[i] == lanes[j]).sum() >= at_least:
                    label[i] = label[j] = min(label[i], label[j])
    return label


@settings(max_examples=60)
@given(st.lists(st.lists(ALPHABET, min_size=8, max_size=8), min_size=1, max_size=14), st.integers(3, 8))
def test_clusters_are_those_of_brute_force(rows, at_least):
    """Few documents, few values: every similar pair that shares a band is joined, and no other."""
    lanes = np.array(rows, np.uint16)
    keys = band_keys(lanes.astype(np.uint64), 4)

    roots = similar_groups(keys.T.copy(), lanes, np.arange(len(lanes)), at_least)

    assert roots.tolist() == brute_force(lanes, keys, at_least).tolist()


@settings(max_examples=40)
@given(st.lists(st.lists(ALPHABET, min_size=8, max_size=8), min_size=2, max_size=12), st.randoms())
def test_clusters_do_not_know_the_order_of_the_files(rows, rng):
    """The same documents in another order are clustered alike."""
    lanes = np.array(rows, np.uint16)
    content = np.unique(lanes, axis=0, return_inverse=True)[1].reshape(-1)
    shuffle = list(range(len(rows)))
    rng.shuffle(shuffle)

    def partition(order):
        part = lanes[order]
        roots = similar_groups(
            band_keys(part.astype(np.uint64), 4).T.copy(), part, np.argsort(content[order]), 6
        )
        return {frozenset(order[i] for i in np.flatnonzero(roots == root)) for root in set(roots.tolist())}

    assert partition(list(range(len(rows)))) == partition(shuffle)


def test_equal_hashes_are_one_group_and_empty_texts_are_alone():
    """Documents without content have nothing in common."""
    hashes = np.array([[1, 2], [0, 0], [1, 2], [1, 3], [0, 0]], np.uint64)

    assert equal_groups(hashes).tolist() == [0, 1, 0, 3, 4]


@pytest.mark.parametrize("hashes", [np.zeros((0, 2), np.uint64), np.array([[7, 7]], np.uint64)])
def test_no_documents_and_no_duplicates_are_no_special_case(hashes):
    """Peers crash where there is nothing to remove."""
    assert equal_groups(hashes).tolist() == list(range(len(hashes)))


def test_a_chain_drops_only_what_resembles_a_survivor():
    """A ~ B ~ C, but A and C have nothing in common: B goes, C stays."""
    a = np.zeros(10, np.uint16)
    b = np.array([0] * 7 + [1] * 3, np.uint16)
    c = np.array([2] * 4 + [0] * 3 + [1] * 3, np.uint16)
    lanes = np.stack([a, b, c])

    chosen, agreed = stand_ins(np.array([0, 1, 2]), lanes, 6)

    assert chosen.tolist() == [0, 0, 2]
    assert agreed.tolist() == [10, 7, 10]


def test_a_document_is_dropped_for_the_survivor_that_it_resembles_most():
    """Not for the first one that is similar enough."""
    lanes = np.array([[0] * 10, [1] * 10, [0] * 4 + [1] * 6], np.uint16)

    chosen, _ = stand_ins(np.array([0, 1, 2]), lanes, 4)

    assert chosen.tolist() == [0, 1, 1]


def test_a_bucket_of_copies_costs_little_and_is_one_cluster():
    """100,000 copies of a footer: each is compared with its neighbours and the first, not with all."""
    lanes = np.zeros((100_000, 8), np.uint16)

    roots = similar_groups(band_keys(lanes.astype(np.uint64), 2).T.copy(), lanes, np.arange(len(lanes)), 8)

    assert not roots.any()


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9])
def test_bands_find_a_pair_at_the_threshold(threshold):
    """A pair that is just as similar as the threshold shares a band with 98 % probability."""
    bands, rows = bands_for(threshold, 120)

    assert bands * rows == 120
    assert 1 - (1 - threshold**rows) ** bands >= 0.98
