"""Tables of text as containers: CSV and TSV with a header.

Python's csv module splits the fields, because it is right about quotes; what it lacks is a way on after a
broken row. Here the lines of the row that is being read are remembered, so that a stray quote gives up one
line and not the rest of the file. That costs a Python call a line: 20 MB/s on fields that are full of short
lines. Lines are cut before quotes are looked at, which bounds memory: an endless line is a flaw of its own,
and a closing quote is looked for within 64 MiB."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from chejil.curation.reading.containers import Row, Rows, text_row
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import MAX_RECORD_BYTES, RawFile, chunks, lines
from chejil.errors import SourceError

Cells = Iterator[tuple[list[str], bytes] | Flaw]


def csv_rows(raw: RawFile) -> Rows:
    """Comma-separated values with a header (RFC 4180): a quoted field may hold newlines and be of any length.

    A row that breaks the rules is quarantined alone: reading goes on at the line after the one where it
    began, so that a quote that nobody closed costs its own row and not the rest of the file."""
    return _table(_csv_cells(lines(chunks(raw))), raw.url)


def tsv_rows(raw: RawFile) -> Rows:
    """Tab-separated values with a header, without quoting: a `"` is a character as any other.

    Korean data sets are published this way (KoBEST, KorNLI, NSMC), with lone quotes in half of the comments.
    """
    return _table(_tsv_cells(lines(chunks(raw))), raw.url)


def _table(cells: Cells, url: str) -> Rows:
    names: list[str] | None = None
    for item in cells:
        if isinstance(item, Flaw):
            if names is None and item.reason != "torn_stream":
                raise SourceError(f"its header cannot be read: {item.detail}", where=url, mend=_RECODE)
            yield item
        elif names is None:
            names = unique_names(item[0], url)
        elif len(item[0]) == len(names):
            yield Row(dict(zip(names, item[0], strict=True)), item[1])
        else:
            yield Flaw.of("bad_row", f"{len(item[0])} fields, the header has {len(names)}", item[1])


_RECODE = "UTF-8 is expected; for CP949: iconv -f CP949 -t UTF-8"


def unique_names(names: Iterable[str], url: str) -> list[str]:
    """The names of a table's columns.

    Raises:
        SourceError: one of them stands twice, so that a field could not be told by its name.
    """
    names = list(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"column '{twice[0]}' stands twice", where=url, mend="rename one of them")
    return names


def _tsv_cells(items: Iterable[bytes | Flaw]) -> Cells:
    for item in items:
        row = text_row(item if isinstance(item, Flaw) else item.removesuffix(b"\r"))
        if isinstance(row, Flaw):
            yield row
        elif row.raw:
            yield row.fields["text"].split("\t"), row.raw


def _csv_cells(items: Iterator[bytes | Flaw]) -> Cells:
    csv.field_size_limit(MAX_RECORD_BYTES)  # Python's own limit, 128 KiB, is shorter than many a web page
    feed = _CsvLines(items)
    while True:
        try:
            cells = next(csv.reader(feed, strict=True))
        except StopIteration:
            if feed.flaw is None:
                return
            yield feed.skip_flaw()
        except csv.Error as error:
            yield feed.recover(error)
        else:
            row = text_row(feed.finish())
            if cells:
                yield row if isinstance(row, Flaw) else (cells, row.raw)


class _CsvLines:
    """Feeds lines to `csv.reader` and remembers those of the row that it is reading, to feed them again."""

    def __init__(self, items: Iterator[bytes | Flaw]) -> None:
        self.flaw: Flaw | None = None
        self._items = items
        self._taken: list[bytes] = []
        self._again: deque[bytes] = deque()
        self._num_bytes = 0

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = self._next_line()
        self._taken.append(line)
        self._num_bytes += len(line) + 64  # the object around the bytes
        if self._num_bytes > MAX_RECORD_BYTES and len(self._taken) > 1:
            raise csv.Error(f"a quote is not closed within {MAX_RECORD_BYTES >> 20} MiB")
        return line.decode("utf-8", "replace") + "\n"

    def _next_line(self) -> bytes:
        if self._again:
            return self._again.popleft()
        if self.flaw is None:
            item = next(self._items)
            if not isinstance(item, Flaw):
                return item
            self.flaw = item
        raise StopIteration  # the flaw waits: the open row may have to be read again

    def finish(self) -> bytes:
        """The lines of the row that has been read."""
        raw = b"\n".join(self._taken)
        self._taken, self._num_bytes = [], 0
        return raw

    def skip_flaw(self) -> Flaw:
        """The flaw that stands next in the file."""
        flaw, self.flaw = self.flaw, None
        assert flaw is not None
        return flaw

    def recover(self, error: csv.Error) -> Flaw:
        """Give up the row that is being read; what follows its first line is read again."""
        if self.flaw is not None and self.flaw.reason == "torn_stream":
            return self.skip_flaw().after(self.finish())
        first, *rest = self._taken
        self._again.extendleft(reversed(rest))
        self._taken, self._num_bytes = [], 0
        return Flaw.of("bad_row", str(error), first)
