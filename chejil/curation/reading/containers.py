"""Containers: how a file holds its records; here JSON lines, JSON, plain text and sentence blocks.

A container turns a file into a stream of `Row` and `Flaw`, one for each record in the order of the file, so
that counting them numbers the records. In JSON lines that number is the line's, from 0: a blank line, which
is no record, comes as `None` and takes a number. Nothing here knows what a field means (layouts.py does) nor
where a file lies (sources.py does). CSV and TSV stand in tables.py, Parquet in parquet_rows.py.

As little as possible is done a record in Python: one `split` a chunk, one `orjson.loads` a line (230 MB/s on
Korean). JSON that orjson refuses is tried once more with the standard library before it is called bad, since
Python's own `json.dumps` writes NaN and Infinity.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import Held, RawFile, chunks, lines, whole
from chejil.errors import SourceError

MAX_JSON_BYTES = 128 << 20
"""A file that is one JSON value has to be held whole; what is larger should be JSON lines."""

_BLANK = b" \t\r"


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its fields, and the bytes that they came from (none where the file holds no such bytes).

    `is_json` says that the bytes are a JSON object that orjson has read, which `json.loads` can read again."""

    fields: dict[str, Any]
    raw: bytes = b""
    is_json: bool = False

    def flaw(self, reason: str, detail: str) -> Flaw:
        """This record, as no document."""
        return Flaw.of(reason, detail, self.raw or _written(self.fields))


def _written(value: Any) -> bytes:
    # Not orjson: a record that is shown because it is bad may hold what orjson refuses to write.
    return json.dumps(value, ensure_ascii=False, default=repr).encode("utf-8", "backslashreplace")


Rows = Iterator[Row | Flaw | None]
"""The records of a file; `None` is a line that holds no record but is counted in the numbering."""


def json_lines(raw: RawFile) -> Rows:
    """A JSON object a line; a line of white space is no record, but is counted."""
    for line in lines(chunks(raw)):
        if isinstance(line, Flaw):
            yield line
        else:
            yield parse_json(line) if line.strip(_BLANK) else None


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
    return Row(value, line, is_json=True) if isinstance(value, dict) else _no_object(value, line)


def _no_object(value: Any, raw: bytes) -> Flaw:
    return Flaw.of("not_an_object", f"a {type(value).__name__}", raw)


def json_array(raw: RawFile) -> Rows:
    """One JSON value a file: a list of objects, or an object whose `data` is such a list.

    Raises:
        SourceError: neither, or above 128 MiB.
    """
    content = whole(chunks(raw), MAX_JSON_BYTES)
    if not isinstance(content, Flaw):
        for value in _values(content, raw.url):
            yield Row(value) if isinstance(value, dict) else _no_object(value, _written(value))
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


def text_file(raw: RawFile) -> Rows:
    """Plain text, one document a file."""
    yield text_row(whole(chunks(raw)))


def text_lines(raw: RawFile) -> Rows:
    """Plain text, one document a line; a line of white space is no record."""
    for line in lines(chunks(raw)):
        if isinstance(line, Flaw) or line.strip(_BLANK):
            yield text_row(line if isinstance(line, Flaw) else line.removesuffix(b"\r"))


def text_paragraphs(raw: RawFile) -> Rows:
    """Plain text, documents separated by blank lines."""
    for block in blocks(lines(chunks(raw))):
        yield text_row(block)


def text_row(raw: bytes | Flaw) -> Row | Flaw:
    """A record whose one field, `text`, is all of its bytes."""
    if isinstance(raw, Flaw):
        return raw
    try:
        return Row({"text": raw.decode("utf-8")}, raw)
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
        row = text_row(block)
        sentence = row if isinstance(row, Flaw) else _sentence(row.fields["text"], row.raw)
        if sentence is not None:
            yield sentence


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
