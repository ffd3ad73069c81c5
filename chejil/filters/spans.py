"""Spans: places in the documents of a batch, as kernels and rules find them and transforms rewrite them.

Offsets are bytes within the document, at character boundaries: a cut at a span leaves valid UTF-8. (A peer's byte
cuts land inside Hangul, which has three bytes a character: datatrove#121.)
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np

from chejil.filters.buffers import TextBuffers

Found = tuple[int, int, int, int, float]
"""doc, start, end, rule, confidence."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Places in a batch, equally long arrays, sorted by document and start; those of one document do not overlap.

    `doc`, `start`, `end` (num_spans) int64, `end` behind the last byte; `rule` (num_spans) int64 is an index into
    `rules`; `confidence` (num_spans) float32 in 0..1.
    """

    doc: np.ndarray
    start: np.ndarray
    end: np.ndarray
    rule: np.ndarray
    confidence: np.ndarray
    rules: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.doc)

    @classmethod
    def of(cls, found: list[Found], rules: tuple[str, ...]) -> Spans:
        """From (doc, start, end, rule, confidence), in any order; of two that overlap the surer one stays.

        Of equally sure ones it is the longer one, then the one that begins first.
        """
        chosen: list[Found] = []
        for _, group in groupby(sorted(found), key=itemgetter(0)):
            chosen += _without_overlaps(group)
        columns = list(zip(*chosen, strict=True)) or [()] * 5
        doc, start, end, rule = (np.array(column, np.int64) for column in columns[:4])
        return cls(doc, start, end, rule, np.array(columns[4], np.float32), rules)

    def where(self, wanted: np.ndarray) -> Spans:
        """Those of a mask, (num_spans) bool."""
        doc, start, end = self.doc[wanted], self.start[wanted], self.end[wanted]
        return Spans(doc, start, end, self.rule[wanted], self.confidence[wanted], self.rules)

    def texts(self, texts: TextBuffers) -> Iterator[str]:
        """What stands at each span."""
        for doc, start, end in zip(self.doc.tolist(), self.start.tolist(), self.end.tolist(), strict=True):
            base = texts.offsets[doc]
            yield texts.data[base + start : base + end].tobytes().decode()


def _without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Of one document's spans, by start, those that stay: decided within each run of spans that touch one another."""
    taken: list[Found] = []
    run: list[Found] = []
    end = 0
    for span in found:
        if run and span[1] >= end:
            taken += _surest(run)
            run = []
        end = max(end, span[2]) if run else span[2]
        run.append(span)
    return taken + _surest(run)


def _surest(run: list[Found]) -> list[Found]:
    """Of spans that overlap, by start; a run is long only where thousands of rules claim one place."""
    if len(run) < 2:
        return run
    taken: list[Found] = []
    for span in sorted(run, key=lambda span: (-span[4], span[1] - span[2], span[1])):
        place = bisect(taken, span[1], key=itemgetter(1))
        free_before = place == 0 or taken[place - 1][2] <= span[1]
        if free_before and (place == len(taken) or span[2] <= taken[place][1]):
            insort(taken, span, key=itemgetter(1))
    return taken
