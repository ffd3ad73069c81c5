"""Cuts: the spans that go when evaluation texts are cut out of a document.

Hits that overlap or touch are one span. A span that is all that stands on its lines takes the lines with it, markers,
quotes and full stops included, so that no empty list item is left. A document of which most would go is dropped.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from chejil.curation.edits import Edited
from chejil.filters.buffers import TextBuffers
from chejil.filters.spans import Spans

_NO_WORD = re.compile(r"[\W_]+")
_MARKS = re.compile(r"[\W_]*")
_MARKER = re.compile(r"[\W_]*(\w{1,3}[.):][\W_]*)?")  # a number or letter of a list


_LEFT_BYTES = 9
"""Three syllables a span: a list marker, or an answer that means nothing without its question."""


def too_much(hits: pl.DataFrame, share: float) -> pl.Series:
    """Rows of the documents of which more than `share` of the bytes would go, or hardly a word would be left."""
    documents = hits.group_by("row", "document_bytes", "document_word_bytes", maintain_order=True)
    rows = [row for (row, size, words), found in documents if _is_too_much(found, share, size, words)]
    return pl.Series(rows, dtype=pl.Int32)


def _is_too_much(hits: pl.DataFrame, share: float, size: int, words: int) -> bool:
    spans = merged(hits)
    gone = sum(end - start for start, end, _ in spans)
    left = words - min(gone, hits["word_bytes"].sum())  # hits that overlap count twice
    return gone > share * size or left <= _LEFT_BYTES * len(spans)


def word_bytes(text: str) -> int:
    """Bytes of letters and digits.

    >>> word_bytes("3. 가나!")
    7
    """
    return len(_NO_WORD.sub("", text).encode())


def merged(hits: pl.DataFrame) -> list[tuple[int, int, str]]:
    """start, end and task of each span of one document; where several tasks meet, the first one's.

    >>> merged(pl.DataFrame({"start": [0, 2, 9], "end": [3, 5, 11], "task": ["a", "b", "a"]}))
    [(0, 5, 'a'), (9, 11, 'a')]
    """
    spans: list[tuple[int, int, str]] = []
    for start, end, task in hits.sort("start", "end", "task").select("start", "end", "task").iter_rows():
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end), spans[-1][2])
        else:
            spans.append((start, end, task))
    return spans


class Cutter:
    """Gives the spans of one batch of a shard's documents after the other."""

    def __init__(self, hits: pl.DataFrame) -> None:
        self._hits = {row: merged(found) for (row,), found in hits.group_by("row")}
        self._rules = tuple(sorted(set(hits["task"].to_list())))
        self._first_row = 0

    def find(self, texts: TextBuffers) -> Edited:
        """Spans of the batch, and nothing in the place of each."""
        found: list[tuple[int, int, int, int]] = []
        for number in range(len(texts)):
            spans = self._hits.get(self._first_row + number, [])
            text = texts.data[texts.offsets[number] : texts.offsets[number + 1]].tobytes() if spans else b""
            widened = [(*with_lines(text, start, end), task) for start, end, task in spans]
            for start, end, task in _disjoint(widened):
                found.append((number, start, end, self._rules.index(task)))
        self._first_row += len(texts)
        doc, first, last, rule = np.array(found, np.int64).reshape(-1, 4).T
        sure = np.ones(len(found), np.float32)
        return Spans(doc, first, last, rule, sure, self._rules), [""] * len(found)


def _disjoint(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    kept: list[tuple[int, int, str]] = []
    for start, end, task in spans:
        first = max(start, kept[-1][1]) if kept else start
        if first < end:
            kept.append((first, end, task))
    return kept


def with_lines(text: bytes, start: int, end: int) -> tuple[int, int]:
    r"""The span with its lines, line break included, if nothing else is on them.

    >>> with_lines(b"a\n- cut me.\nb", 4, 10)
    (2, 12)
    >>> with_lines(b"a\n3. cut me.\nb", 5, 11)
    (2, 13)
    >>> with_lines(b"a\nnot cut me.\nb", 6, 12)
    (6, 12)
    """
    first = text.rfind(b"\n", 0, start) + 1
    last = text.find(b"\n", end)
    last = len(text) if last < 0 else last + 1
    is_bare = _MARKER.fullmatch(text[first:start].decode()) and _MARKS.fullmatch(text[end:last].decode())
    return (first, last) if is_bare else (start, end)
