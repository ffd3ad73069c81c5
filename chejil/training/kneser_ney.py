"""A 5-gram model over tokens: the floor that a pretraining must get below on the same rows.

Interpolated, modified Kneser-Ney (Chen and Goodman 1999, "An Empirical Study of Smoothing Techniques for Language
Modeling", 4.1.6): three discounts an order, counts of distinct left neighbours below the highest order, and the
unigrams interpolated with 1/V, so that every id of the tokenizer can come. KenLM estimates the same model (Heafield et
al. 2013), but of lines of words; ours reads the rows of a training (`Batches`), with their documents and cuts.
A model, not a filter: any training whose held-out bits stay above it has a fault or too little of everything.

Nothing is hashed. Contexts are a trie from the last token backwards, and an n-gram is (context, token): both are sorted
64-bit numbers, found by binary search. A context that a document's beginning (or the cut of a row) makes short is
filled up with NOTHING, a token of its own, as KenLM does with <s>: all contexts have the same length, and what was seen
at beginnings is counted there.

    N events (a token in its context)      K = order - 1, tokens of a context
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from chejil.training.data.rows import IGNORED, Rows

ORDER = 5

UNUSUAL = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts give none (few types, or none seen once): KenLM's --discount_fallback."""


@dataclass(frozen=True)
class Events:
    """Tokens in their contexts.

    Args:
        contexts_NK: int32, the tokens before, the nearest first; `nothing` (an id behind the last) in front of a
            document.
        tokens_N: int32, what comes.
    """

    contexts_NK: np.ndarray
    tokens_N: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens_N)


def events(rows: Rows, nothing: int, chosen_BT: np.ndarray | None = None, order: int = ORDER) -> Events:
    """Everything that is to be predicted in some rows; documents do not see one another.

    Args:
        nothing: stands in for tokens before a document: the number of ids.
        chosen_BT: bool, the places that count; None: all of them.
    """
    wanted_BT = rows.labels_BT != IGNORED
    row, place = np.nonzero(wanted_BT if chosen_BT is None else wanted_BT & chosen_BT)
    found = _contexts(rows.ids_BT, rows.positions_BT, row, place, nothing, order - 1)
    return Events(found, rows.labels_BT[row, place])


@njit(cache=True, nogil=True)
def _contexts(ids_BT, positions_BT, row, place, nothing, length):
    found = np.full((len(row), length), nothing, np.int32)
    for event in range(len(row)):
        here, at = row[event], place[event]
        for back in range(min(length, positions_BT[here, at] + 1)):
            found[event, back] = ids_BT[here, at - back]
    return found


def joined(parts: Sequence[Events]) -> Events:
    """One behind the other."""
    contexts, tokens = ([getattr(part, name) for part in parts] for name in ("contexts_NK", "tokens_N"))
    return Events(np.concatenate(contexts), np.concatenate(tokens))


@dataclass(frozen=True)
class Level:
    """An order of the model: contexts of k tokens.

    Args:
        contexts: int64, sorted: number of the shorter context · (V + 1) + its farthest token; a place is a number.
        ngrams: int64, sorted: number of the context · (V + 1) + token.
        discounted: float64, of each n-gram: what its own count gives it.
        backoff: float64, of each context: the share that the shorter context divides.
        discounts: the three, of counts 1, 2 and more.
    """

    contexts: np.ndarray
    ngrams: np.ndarray
    discounted: np.ndarray
    backoff: np.ndarray
    discounts: tuple[float, float, float]


class KneserNey:
    """A model of the next token, from events.

    About 150 bytes and 2 µs an event while it is made and its rows are read (10 M tokens of web text: 21 s of one core
    and 1.3 GB with 2,048 ids, 20 s and 1.6 GB with 8,192; `python benchmarks/ngrams.py`).

    Args:
        seen: what it is made of, each text once: a text that is counted twice has no n-gram of count 1, and the
            discounts are of nothing.
        num_ids: V, ids that can come; below 2**31.
    """

    def __init__(self, seen: Events, num_ids: int) -> None:
        self.num_ids, self.order = num_ids, seen.contexts_NK.shape[1] + 1
        self.num_events, base = len(seen), num_ids + 1
        contexts, of_event = _tries(seen.contexts_NK, base)
        ngrams, counts = np.unique(of_event * base + seen.tokens_N, return_counts=True)
        levels = []
        for k in range(self.order - 1, -1, -1):
            levels.append(_level(contexts[k], ngrams, counts, base))
            if k:
                # What is below counts in how many longer n-grams it stands.
                shorter = contexts[k][ngrams // base] // base * base + ngrams % base
                ngrams, counts = np.unique(shorter, return_counts=True)
        self.levels = levels[::-1]

    @property
    def num_ngrams(self) -> list[int]:
        """Of each order, from the unigrams on."""
        return [len(level.ngrams) for level in self.levels]

    def probabilities(self, asked: Events) -> np.ndarray:
        """(N) float64: of each token in its context."""
        base, tokens = self.num_ids + 1, asked.tokens_N.astype(np.int64)
        found = np.full(len(asked), 1 / self.num_ids)
        context = np.zeros(len(asked), np.int64)
        for k, level in enumerate(self.levels):
            if k:
                key = np.where(context >= 0, context * base + asked.contexts_NK[:, k - 1], -1)
                context = _places(level.contexts, key)
            ngram = _places(level.ngrams, np.where(context >= 0, context * base + tokens, -1))
            own = np.where(ngram >= 0, level.discounted[ngram], 0.0)
            found = np.where(context >= 0, own + level.backoff[context] * found, found)
        return found

    def nats(self, asked: Events) -> np.ndarray:
        """(N) float64: what each token costs; bits are nats / ln 2."""
        return -np.log(self.probabilities(asked))


def _tries(contexts_NK: np.ndarray, base: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Contexts of 0 … K tokens, and the number of each event's longest one."""
    levels, numbers = [np.zeros(1, np.int64)], np.zeros(len(contexts_NK), np.int64)
    for token_N in contexts_NK.T:
        level, numbers = np.unique(numbers * base + token_N, return_inverse=True)
        levels.append(level)
    return levels, numbers


def _level(contexts: np.ndarray, ngrams: np.ndarray, counts: np.ndarray, base: int) -> Level:
    context, num = ngrams // base, len(contexts)
    total = np.bincount(context, counts, num)
    discounts = discounts_of(np.bincount(counts[counts < 5], minlength=5)[1:5])
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]
    return Level(
        contexts,
        ngrams,
        (counts - taken) / total[context],
        np.bincount(context, taken, num) / total,
        discounts,
    )


def discounts_of(types: np.ndarray) -> tuple[float, float, float]:
    """What is taken of counts of 1, 2, and 3 and more.

    Args:
        types: (4) n-grams that were seen once, twice, three and four times.
    """
    once, twice, thrice, four = (int(one) for one in types)
    if not once * twice * thrice:
        return UNUSUAL
    share = once / (once + 2 * twice)
    found = 1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice
    right = all(0 < one < count for count, one in enumerate(found, 1))
    return found if right else UNUSUAL


def _places(ordered: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(N) int64: where each key is, -1 where it is not."""
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.where(ordered[at] == keys, at, -1)
