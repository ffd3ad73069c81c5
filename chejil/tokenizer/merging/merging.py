"""Byte-level BPE from word counts: which pairs of symbols are merged, in which order.

As Hugging Face's trainer: the pair that occurs most is merged next, of equals the one with the smaller ids; pairs of
equal symbols that overlap ("aaaa" holds three) are all counted; no pair crosses words. The result equals that of
`tokenizers` merge for merge. Counts are int64: above 2**31 theirs wrap (huggingface/tokenizers#2058) and lose
just the most frequent merges.

Training goes in **phases**. A phase counts all pairs anew, tracks those that occur at least a sixteenth as often as the
most frequent one, and merges until none of them is left. That is exact: a pair gets all of its occurrences in the
merge that makes the younger of its two symbols, and later only loses some; so what starts below the threshold stays
there. Most pairs are rare, and are thus never indexed nor in the heap. On 115 MB of Korean and English (968,000 words,
12.7 million bytes of them, 50,000 merges) that takes 5 s on one core, and 200 MB where all pairs take 450 MB.

Memory, bytes a word (a type) of L bytes: 4 L symbols, 16 offset and count, and at most 12 L for the index of the pairs
that are tracked (2 L was seen).

Sennrich, Haddow and Birch 2016 (BPE); the order of updates is that of rustbpe and `tokenizers`, the phases are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import byte_alphabet
from chejil.tokenizer.merging import merge_phase

PHASE_RATIO = 16
"""A phase tracks pairs down to this part of the highest count. From 4 to all pairs the time is the same within a tenth;
all pairs took 450 MB above the words, 16 takes 200."""

_PROGRESS_SECONDS = 0.2
_BASE = 0x9E3779B97F4A7C55  # any large odd number: hashes of tokens are polynomials in it
FORBIDDEN = -1


@dataclass(frozen=True)
class Merges:
    """Merges in their order.

    Args:
        pairs: int32[n, 2], ids of the left and the right symbol.
        ids: int32[n], the symbol that they give.
        counts: int64[n], how often the pair occurred when it was merged.
    """

    pairs: np.ndarray
    ids: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def merges(
    words: WordCounts,
    num_merges: int,
    special_tokens: Sequence[str] = (),
    min_count: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Merges:
    """Train: the 256 bytes get the ids behind the special tokens, in the order of `byte_alphabet.ORDER`.

    Args:
        num_merges: at most; there are fewer if no pair is left that occurs often enough.
        special_tokens: they take the first ids, and no merge gives what is written like one of them.
        min_count: a pair must occur as often, as `min_frequency` of `tokenizers`.
        progress: called now and then with the number of merges done.

    Raises:
        ChejilError: counts so high that their sum does not fit 64 bits.
    """
    ids = np.empty(256, np.int32)
    ids[list(byte_alphabet.ORDER)] = np.arange(256, dtype=np.int32) + len(special_tokens)
    tokens = {int(ids[byte]): bytes([byte]) for byte in range(256)}
    taken = {token: FORBIDDEN for special in special_tokens if (token := byte_alphabet.read(special))}
    symbols = ids[words.data]
    return merge_symbols(
        symbols, words.offsets, words.counts, tokens, num_merges, min_count, taken, progress=progress
    )


def merge_symbols(
    symbols: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    tokens: Mapping[int, bytes],
    num_merges: int,
    min_count: int = 1,
    taken: Mapping[bytes, int] | None = None,
    next_id: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Merges:
    """Merges of words whose symbols are any ids, for instance those of a tokenizer that is extended.

    Args:
        symbols: int32, the words' symbols one behind the other. **It is overwritten**; the others are not.
        offsets: int64[words + 1]; counts: int64[words].
        tokens: what is written for each symbol.
        taken: tokens that exist, whose id a merge reuses that gives them again; FORBIDDEN: no merge may give it.
        next_id: of the first new symbol [default: behind the highest of `tokens`].
    """
    _check(offsets, counts, len(symbols))
    first_id = max(tokens, default=-1) + 1 if next_id is None else next_id
    # A merge leaves at least one symbol fewer: what is asked for beyond that takes no memory.
    num_merges = min(num_merges, int(np.maximum(np.diff(offsets) - 1, 0).sum()))
    width = first_id + num_merges
    hashes, powers = np.zeros(width, np.uint64), np.ones(width, np.uint64)
    numbers = np.fromiter(tokens, np.int64, len(tokens))
    hashes[numbers], powers[numbers] = token_hashes(tokens.values())
    known, known_ids = _sorted_hashes(taken or {})
    rows = np.zeros((num_merges, 4), np.int64)
    state = np.zeros(2, np.int64)
    offsets, counts = offsets.astype(np.int64), np.where(counts > 0, counts, 0).astype(np.int64)
    done, following = 0, first_id
    with ThreadPoolExecutor(
        1
    ) as thread:  # a kernel holds no lock: this thread shows progress and hears Ctrl-C
        while done < num_merges:
            number = merge_phase.compact(symbols, offsets, counts)
            symbols, offsets, counts = symbols[: offsets[number]], offsets[: number + 1], counts[:number]
            highest = merge_phase.highest_count(symbols, offsets, counts)
            if highest < max(min_count, 1):
                break
            threshold = max(min_count, 1, highest // PHASE_RATIO)
            call = thread.submit(
                merge_phase.phase, symbols, offsets, counts, width, threshold, done, num_merges,
                hashes, powers, known, known_ids, following, rows, state,
            )  # fmt: skip
            done, following, ended = _watched(call, state, progress)
            if ended == merge_phase.DONE and threshold <= max(min_count, 1):
                break
    rows = rows[:done]
    _check_reused(rows, tokens, taken or {})
    return Merges(rows[:, :2].astype(np.int32), rows[:, 2].astype(np.int32), rows[:, 3].copy())


def _watched(call: Any, state: np.ndarray, progress: Callable[[int], None] | None) -> Any:
    """The call's result; when this thread is interrupted, the kernel is told to stop."""
    try:
        while True:
            try:
                return call.result(_PROGRESS_SECONDS)
            except TimeoutError:
                if progress is not None:
                    progress(int(state[0]))
    finally:
        state[1] = not call.done()


def _check(offsets: np.ndarray, counts: np.ndarray, num_symbols: int) -> None:
    """Every sum that a kernel makes is at most that of all pairs."""
    pairs = float(np.dot(counts.astype(np.float64), np.maximum(np.diff(offsets) - 1, 0)))
    if pairs >= 2.0**62:
        mend = "divide all counts by the same number"
        raise ChejilError(f"{pairs:.3g} pairs of bytes do not fit 64 bits", where="word counts", mend=mend)
    if len(counts) >= 1 << 31:
        mend = "cut rare words when counting (--min-count of the words)"
        raise ChejilError(f"{len(counts):,} different words are more than 2**31", mend=mend)
    assert offsets[-1] == num_symbols


@njit(cache=True, nogil=True)
def _token_hashes(data, offsets, base):
    hashes, powers = np.zeros(len(offsets) - 1, np.uint64), np.ones(len(offsets) - 1, np.uint64)
    for token in range(len(hashes)):
        for at in range(offsets[token], offsets[token + 1]):
            hashes[token] = hashes[token] * base + np.uint64(data[at]) + np.uint64(1)
            powers[token] *= base
    return hashes, powers


def token_hashes(tokens: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes h, and powers p, so that `h(a + b) = h(a) * p(b) + h(b)` modulo 2**64: what a merge gives is known
    without its bytes."""
    tokens = list(tokens)
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum([len(token) for token in tokens], out=offsets[1:])
    return _token_hashes(np.frombuffer(b"".join(tokens), np.uint8), offsets, np.uint64(_BASE))


def _sorted_hashes(taken: Mapping[bytes, int]) -> tuple[np.ndarray, np.ndarray]:
    hashes, _ = token_hashes(taken)
    order = np.argsort(hashes)
    return hashes[order], np.fromiter(taken.values(), np.int64, len(taken))[order]


def _check_reused(rows: np.ndarray, tokens: Mapping[int, bytes], taken: Mapping[bytes, int]) -> None:
    """A reused id was found by a hash; here are the bytes."""
    names = dict(tokens) | {number: token for token, number in taken.items() if number >= 0}
    for left, right, new, _ in rows.tolist():
        whole = names[left] + names[right]
        assert names.setdefault(new, whole) == whole, "two tokens have one hash"
