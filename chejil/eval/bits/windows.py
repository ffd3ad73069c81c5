"""Windows over documents: which tokens are scored where, so that each is scored once.

    sequence   s0 … s(p-1) t1 … tn: what documents begin with, then the document's tokens
    window     inputs s[begin : end - 1], at most `context` of them; targets s[first : end]

The first window scores all that it sees. Each further one begins `stride` tokens later and scores what no window
before it did, so a token has at least `context - stride` tokens before it, or all of the document. Half the context
as stride costs up to twice the tokens of disjoint windows, on documents longer than the context alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a sequence; targets are s[first : end], inputs s[begin : end - 1]."""

    sequence: int
    begin: int
    first: int
    end: int

    @property
    def inputs(self) -> int:
        """How many tokens go in."""
        return self.end - 1 - self.begin


def windows(lengths: Sequence[int], before: int, context: int, stride: int) -> Iterator[Window]:
    """Windows of sequences.

    Args:
        lengths: tokens of each, with those before the text.
        before: how many those are: they are read, never scored.
        context: inputs of a window, at most.
        stride: from one window to the next, at most `context`.

    >>> list(windows([1, 8], 1, 4, 2))[:2]
    [Window(sequence=1, begin=0, first=1, end=5), Window(sequence=1, begin=2, first=5, end=7)]
    """
    for number, length in enumerate(lengths):
        begin, first = 0, before
        while first < length:
            end = min(begin + context + 1, length)
            if first < end:
                yield Window(number, begin, first, end)
                first = end
            begin += stride


def batches(found: Sequence[Window], tokens: int) -> Iterator[list[Window]]:
    """Windows of like lengths together, the longest first, each padded to the longest of at most `tokens` inputs.

    The longest come first, so that what does not fit into memory fails at once.
    """
    batch: list[Window] = []
    for one in sorted(found, key=lambda window: (-window.inputs, window.sequence, window.begin)):
        if batch and (len(batch) + 1) * batch[0].inputs > tokens:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
