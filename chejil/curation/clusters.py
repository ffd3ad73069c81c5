"""Clusters of duplicates by union-find, over integers only.

Candidates are documents that share a band (Leskovec, Rajaraman and Ullman, chapter 3); a candidate pair is joined
only if the signatures agree in enough lanes. Inside a band's bucket each document is compared with the bucket's
first and with the `WINDOW` before it, so that a bucket of 100,000 copies of one footer costs 3 million comparisons
and not 5 billion. Buckets are walked in the order of the content's hash: the result knows neither the order of the
files nor the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numba import njit

WINDOW = 32
"""Neighbours in a bucket that a document is compared with."""


def equal_groups(hashes: np.ndarray) -> np.ndarray:
    """Root of each document: the first one with the same hash.

    Args:
        hashes: (num_docs, 2) uint64; (0, 0) means nothing to compare, such a document stays alone.
    """
    roots = np.arange(len(hashes))
    order = np.lexsort((roots, hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts |= ~ordered.any(axis=1)
    roots[order] = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return roots


def similar_groups(
    bands: Iterable[np.ndarray], lanes: np.ndarray, walk: np.ndarray, min_equal_lanes: int
) -> np.ndarray:
    """Root of each document: the smallest index that a chain of similar pairs leads to.

    Args:
        bands: hashes of one band after the other, each (num_docs) uint64; only one is held at a time.
        lanes: signatures, (num_docs, lanes) uint16.
        walk: indices of the documents that have shingles, in the order of their content; the others stay alone.
        min_equal_lanes: lanes that a pair must share.
    """
    parent = np.arange(len(lanes))
    for key in bands:
        _join_buckets(key, walk[np.argsort(key[walk], kind="stable")], lanes, min_equal_lanes, parent)
    return _roots(parent)


@njit(cache=True, nogil=True)
def _join_buckets(key, walk, lanes, min_equal_lanes, parent):
    start = 0
    for here in range(1, len(walk)):
        if key[walk[here]] != key[walk[here - 1]]:
            start = here
            continue
        for there in range(max(start, here - WINDOW), here):
            _join_if_similar(walk[there], walk[here], lanes, min_equal_lanes, parent)
        _join_if_similar(walk[start], walk[here], lanes, min_equal_lanes, parent)


@njit(cache=True, nogil=True)
def _join_if_similar(one, other, lanes, min_equal_lanes, parent):
    one_root, other_root = _find(parent, one), _find(parent, other)
    if one_root != other_root and equal_lanes(lanes[one], lanes[other]) >= min_equal_lanes:
        parent[max(one_root, other_root)] = min(one_root, other_root)


@njit(cache=True, nogil=True)
def _find(parent, node):
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _roots(parent):
    for node in range(len(parent)):
        parent[node] = _find(parent, node)
    return parent


@njit(cache=True, nogil=True)
def equal_lanes(one, other):
    """Lanes in which two signatures agree."""
    equal = 0
    for k in range(len(one)):
        equal += one[k] == other[k]
    return equal


@njit(cache=True, nogil=True)
def stand_ins(members, lanes, min_equal_lanes):
    """Who stands for whom in one cluster, walked in the order of preference.

    A document is dropped only for a survivor that it is itself similar to: in a chain A ~ B ~ C where A and C have
    little in common, B is dropped for A and C stays (a peer deletes C for an A that it never resembled).

    Args:
        members: indices into `lanes`, the preferred first.

    Returns:
        For each member the position in `members` of its survivor (its own if it survives), and equal lanes.
    """
    chosen = np.full(len(members), -1)
    agreed = np.zeros(len(members), np.int64)
    survivors = np.zeros(len(members), np.int64)
    num_survivors = 0
    for i in range(len(members)):
        for s in range(num_survivors):
            agreement = equal_lanes(lanes[members[i]], lanes[members[survivors[s]]])
            if agreement >= min_equal_lanes and agreement > agreed[i]:
                chosen[i], agreed[i] = survivors[s], agreement
        if chosen[i] < 0:
            chosen[i], agreed[i] = i, lanes.shape[1]
            survivors[num_survivors] = i
            num_survivors += 1
    return chosen, agreed


def bands_for(threshold: float, lanes: int, recall: float = 0.98) -> tuple[int, int]:
    """Bands and rows a band, `bands * rows == lanes`, for a similarity threshold.

    The longest rows (so the fewest false candidates) with which a pair that is just as similar as the threshold
    still shares a band with probability `recall`: 1 - (1 - threshold^rows)^bands.

    >>> bands_for(0.8, 120), bands_for(0.7, 120)
    ((20, 6), (24, 5))
    """

    def candidate_share(rows: int) -> float:
        return 1 - (1 - threshold**rows) ** (lanes // rows)

    rows = max(r for r in range(1, lanes + 1) if lanes % r == 0 and (r == 1 or candidate_share(r) >= recall))
    return lanes // rows, rows
