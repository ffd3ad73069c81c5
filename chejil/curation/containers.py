"""Containers: how a file holds its records (JSON lines, JSON, CSV, TSV, plain text, sentence blocks).

A container turns a file into a stream of `Row` and `Flaw`, one for each record in the order of the file, so
that counting them numbers the records and `records = documents + quarantined` holds by construction.
Nothing here knows what a field means (layouts.py does) nor where a file lies (sources.py does).

As little as possible is done a record in Python: one `split` a chunk, one `orjson.loads` a line (230 MB/s on
Korean). JSON that orjson refuses is tried once more with the standard library before it is called bad, since
Python's own `json.dumps` writes NaN and Infinity.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from chejil.curation.documents import Flaw
from chejil.curation.streams import MAX_RECORD_BYTES, Held, RawFile, chunks, lines, whole
from chejil.errors import SourceError

MAX_JSON_BYTES = 128 << 20
"""A file that is one JSON value has to be held whole; KLUE's largest takes half of this."""

_BLANK = b" \t\r"


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its fields, and the bytes that they came from (none where the file holds no such bytes)."""

    fields: dict[str, Any]
    raw: bytes = b""

    def flaw(self, reason: str, detail: str) -> Flaw:
        """This record, as no document."""
        return Flaw.of(reason, detail, self.raw or orjson.dumps(self.fields, default=repr))


Rows = Iterator[Row | Flaw]


def json_lines(raw: RawFile) -> Rows:
    """A JSON object a line; a line of white space is no record."""
    for line in lines(chunks(raw)):
        if isinstance(line, Flaw):
            yield line
        elif line.strip(_BLANK):
            yield parse_json(line)


def parse_json(line: bytes) -> Row | Flaw:
    """One line of JSON.

    >>> parse_json(b'["text"]').detail
    'a list'
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            value = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as invalid:
            return Flaw.of("invalid_utf8", str(invalid), line)
        except (ValueError, RecursionError):
            return Flaw.of("bad_json", str(error), line)
    return _object(value, line)


def _object(value: Any, raw: bytes) -> Row | Flaw:
    if isinstance(value, dict):
        return Row(value, raw)
    return Flaw.of("not_an_object", f"a {type(value).__name__}", raw)


def json_array(raw: RawFile) -> Rows:
    """One JSON value a file: a list of objects, or an object whose `data` is such a list.

    Raises:
        SourceError: neither, or above 128 MiB.
    """
    content = whole(chunks(raw), MAX_JSON_BYTES)
    if not isinstance(content, Flaw):
        for value in _values(content, raw.url):
            row = _object(value, b"")
            yield row if isinstance(row, Row) else Flaw.of(row.reason, row.detail, orjson.dumps(value))
    elif content.reason == "torn_stream":
        yield content
    else:
        raise SourceError(
            f"one JSON value of {content.detail}",
            where=raw.url,
            mend="one object a line: jq -c '.[]', format: jsonl",
        )


def _values(content: bytes, url: str) -> list[Any]:
    try:
        # Not orjson, which turns integers above 64 bits into floats: one file is soon read.
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"not JSON: {error}", where=url, mend="is it JSON lines? then format: jsonl"
        ) from error
    values = value.get("data") if isinstance(value, dict) else value
    if not isinstance(values, list):
        raise SourceError("JSON without a list of records", where=url, mend="leave this file out of `paths`")
    return values


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
        text = item if isinstance(item, Flaw) else _decoded(item.removesuffix(b"\r"))
        if isinstance(text, Flaw):
            yield text
        elif text:
            yield text.split("\t"), item


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
            raw = feed.finish()
            if cells:
                flaw = _decoded(raw)
                yield flaw if isinstance(flaw, Flaw) else (cells, raw)


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


def text_file(raw: RawFile) -> Rows:
    """Plain text, one document a file."""
    yield _text_row(whole(chunks(raw)))


def text_lines(raw: RawFile) -> Rows:
    """Plain text, one document a line; a line of white space is no record."""
    for line in lines(chunks(raw)):
        if isinstance(line, Flaw) or line.strip(_BLANK):
            yield _text_row(line if isinstance(line, Flaw) else line.removesuffix(b"\r"))


def text_paragraphs(raw: RawFile) -> Rows:
    """Plain text, documents separated by blank lines."""
    for block in blocks(lines(chunks(raw))):
        yield _text_row(block)


def _text_row(raw: bytes | Flaw) -> Row | Flaw:
    text = raw if isinstance(raw, Flaw) else _decoded(raw)
    return text if isinstance(text, Flaw) else Row({"text": text}, raw)


def _decoded(raw: bytes) -> str | Flaw:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Flaw.of("invalid_utf8", str(error), raw)


def blocks(items: Iterable[bytes | Flaw]) -> Iterator[bytes | Flaw]:
    """Lines joined up to the next blank one."""
    held = Held()
    for item in items:
        if isinstance(item, Flaw):
            yield item.after(held.close())
        elif item.strip(_BLANK):
            held.add(b"\n" + item.removesuffix(b"\r") if held.num_bytes else item.removesuffix(b"\r"))
        elif held.num_bytes:
            yield held.close()
    if held.num_bytes:
        yield held.close()


def sentence_blocks(raw: RawFile) -> Rows:
    """KLUE's NER and DP: a block a sentence, `## guid<TAB>sentence` on top, a row a character or word."""
    for block in blocks(lines(chunks(raw))):
        text = block if isinstance(block, Flaw) else _decoded(block)
        row = text if isinstance(text, Flaw) else _sentence(text, block)
        if row is not None:
            yield row


def _sentence(block: str, raw: bytes) -> Row | Flaw | None:
    marked = [line for line in block.split("\n") if line.startswith("##")]
    table = [line.split("\t") for line in block.split("\n") if not line.startswith("##")]
    if not table:
        return None  # remarks between sentences
    guid, tab, sentence = marked[-1].removeprefix("##").partition("\t") if marked else ("", "", "")
    if not tab:
        return Flaw.of("bad_row", "no line '## guid<TAB>sentence' above the rows", raw)
    fields = {"guid": guid.strip(), "sentence": sentence, "rows": table}
    if len(table[0]) == 2:
        # NER: the sentence on top carries <경찰:OG> tags (police), the characters below are the text itself.
        fields |= {"sentence": "".join(row[0] for row in table), "tagged": sentence}
    return Row(fields, raw)


CONTAINERS: MappingProxyType[str, Callable[[RawFile], Rows]] = MappingProxyType(
    {
        "jsonl": json_lines,
        "json": json_array,
        "csv": csv_rows,
        "tsv": tsv_rows,
        "file": text_file,
        "paragraph": text_paragraphs,
        "line": text_lines,
        "sentences": sentence_blocks,
    }
)
"""Containers of text by name; Parquet's is `chejil.curation.parquet_rows`."""
