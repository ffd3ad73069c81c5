"""Files of conversations: any of the layouts, from JSON, JSON lines, Parquet, CSV, TSV or plain text, packed or not.

What a file holds is told by its first bytes, not by its name: KoChatGPT's `.jsonl` files are an array and plain text.
Only CSV and TSV are told by their ending. Every record ends as conversations, as faults, or as counted
messages of a tree that are on no path; nothing is left out without a number.

Rows are read by the readers of the corpora (curation/reading), normalised as the clean shards are, a batch at a time.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import orjson
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.curation.reading import containers, input_files, parquet_rows, tables
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.input_files import InputFile
from chejil.curation.reading.streams import RawFile, TornStream, chunks, lines, unreadable
from chejil.errors import ChejilError
from chejil.training.conversations import json_arrays, layouts, message_trees, transcripts
from chejil.training.conversations.conversation import EXCERPT_CHARS, Conversation, Fault, NotOne, checked
from chejil.training.conversations.layouts import Draft
from chejil.training.conversations.message_trees import Paths

_BATCH_RECORDS = 1024
_PACKED = re.compile(r"(\.(gz|gzip|zst|zstd|bz2|xz))+$", re.IGNORECASE)
_IGNORED = [".*", "*.md", "LICENSE*", "README*"]


@dataclass(slots=True)
class Batch:
    """A piece of one file.

    Args:
        records: rows, or plain-text conversations, that were read for it.
        left_out: messages of trees that are on no chosen path.
        is_torn: the file could not be read on from here.
    """

    file: str
    conversations: list[Conversation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    records: int = 0
    left_out: int = 0
    is_torn: bool = False


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    layout: str
    drafts: list[Draft]
    excerpt: str = ""
    left_out: int = 0
    rows: int = 1


def find(paths: Sequence[str]) -> list[InputFile]:
    """The files that the paths name: files, folders with all below them, globs, URLs; each once, sorted by name.

    Raises:
        SourceError: a path that no file matches.
    """
    return input_files.find([_pattern(path) for path in paths], ".", _IGNORED)


def _pattern(path: str) -> str:
    files, name = shards.file_system(path)
    if files.isdir(name):
        return f"{path.rstrip('/') if '://' in path else glob.escape(path.rstrip('/'))}/**"
    return glob.escape(path) if "://" not in path and files.isfile(name) else path


def read(paths: Sequence[str], layout: str | None = None, tree_paths: Paths = "best") -> Iterator[Batch]:
    """Read files of conversations, in the order of their names.

    Args:
        layout: a name of layouts.yaml; told from the keys of each record if None.
        tree_paths: of OpenAssistant's trees, one path or all.

    Raises:
        ChejilError: no such layout; a path that no file matches; a file that cannot be read at all.

    >>> import json, tempfile
    >>> file = tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False)
    >>> _ = file.write(json.dumps({"instruction": "더해라", "input": "1 + 2", "output": "3 이다"}))  # add it
    >>> file.close()
    >>> [(one.layout, one.num_answers) for batch in read([file.name]) for one in batch.conversations]
    [('alpaca', 1)]
    """
    name = None if layout is None else layouts.named(layout)
    for file in find(paths):
        yield from read_file(file, name, tree_paths)


def read_file(file: InputFile, layout: str | None = None, tree_paths: Paths = "best") -> Iterator[Batch]:
    """Read one file; at least one batch, which may be empty."""
    with _opened(file.url) as raw:
        held: list[_Record | Fault] = []
        for record in _records(raw, file, layout, tree_paths):
            held.append(record)
            if len(held) >= _BATCH_RECORDS:
                yield _batch(file.name, held)
                held = []
        yield _batch(file.name, held)


@contextmanager
def _opened(url: str) -> Iterator[RawFile]:
    files, path = shards.file_system(url)
    try:
        stream = files.open(path, "rb")
    except OSError as error:
        raise unreadable(url, error) from error
    with stream:
        yield RawFile(stream, url)


def _records(
    raw: RawFile, file: InputFile, layout: str | None, tree_paths: Paths
) -> Iterator[_Record | Fault]:
    kind = _kind(raw, file.name)
    if kind == "text":
        yield from _transcript(raw, file.name, layout)
        return
    if layout is not None and layouts.layouts()[layout].kind == "transcript":
        mend = "leave --layout out"
        raise ChejilError(f"layout {layout} is plain text, this is not", where=raw.url, mend=mend)
    rows = _faults_apart(_READERS[kind](raw), file.name)
    trees: list[tuple[int, dict]] = []
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        line, fields = row
        try:
            name = layout or layouts.layout_of(fields)
            if layouts.layouts()[name].kind in ("tree", "messages_of_trees"):
                fields = layouts.required(fields, name)
        except NotOne as why:
            yield _fault(file.name, line, why, _excerpt(fields))
            continue
        if layouts.layouts()[name].kind == "messages_of_trees":
            trees.append((line, fields))
        else:
            yield _record(line, fields, name, tree_paths)
    if trees:
        yield from _trees(trees, file.name, tree_paths)


_READERS = {
    "parquet": parquet_rows.parquet_rows,
    "array": json_arrays.json_array,
    "object": json_arrays.json_object,
    "lines": containers.json_lines,
    "csv": tables.csv_rows,
    "tsv": tables.tsv_rows,
}


def _kind(raw: RawFile, name: str) -> str:
    """What a file holds, by its first bytes; `raw` is left at its start."""
    head = _head(raw)
    ending = _PACKED.sub("", name).rpartition(".")[2].lower()
    if head.startswith(b"PAR1"):
        return "parquet"
    if ending in ("csv", "tsv"):
        return ending
    begin = head.lstrip()
    if begin.startswith(b"["):
        return "array"
    if not begin.startswith(b"{"):
        is_text = _is_transcript(begin) or ending not in ("jsonl", "ndjson", "json")
        return "text" if is_text else "lines"
    return "lines" if ending in ("jsonl", "ndjson") or _is_line(begin) else "object"


def _head(raw: RawFile) -> bytes:
    try:
        return next(chunks(raw, text=False), b"").removeprefix(b"\xef\xbb\xbf")
    except TornStream:
        return b""  # the reader meets the tear again, and says so
    finally:
        raw.rewind()


def _is_line(begin: bytes) -> bool:
    first, end, _ = begin.partition(b"\n")
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return not end


def _is_transcript(begin: bytes) -> bool:
    return transcripts.is_transcript(begin.lstrip().partition(b"\n")[0].decode("utf-8", "replace"))


def _faults_apart(rows: containers.Rows, file: str) -> Iterator[tuple[int, dict] | Fault]:
    for number, row in enumerate(rows, 1):
        if isinstance(row, Flaw):
            yield Fault(file, number, row.reason, row.detail, row.excerpt)
        elif row is not None:
            yield number, row.fields


def _record(line: int, fields: dict, name: str, tree_paths: Paths) -> _Record:
    if layouts.layouts()[name].kind == "tree":
        meta = {key: value for key, value in fields.items() if key != "prompt"}
        found, left_out = message_trees.drafts(fields["prompt"], tree_paths, meta)
        return _Record(line, name, found, _excerpt(fields), left_out)
    return _Record(line, name, layouts.drafts(fields, name), _excerpt(fields))


def _trees(rows: list[tuple[int, dict]], file: str, tree_paths: Paths) -> Iterator[_Record | Fault]:
    texts = dict(rows)
    num_rows = len(rows)
    for tree in message_trees.gathered(rows):
        for line, why in tree.faults:
            yield _fault(file, line, why, _excerpt(texts[line]))
        num_rows -= len(tree.faults)
        if tree.root:
            found, left_out = message_trees.drafts(tree.root, tree_paths, {})
            size = message_trees.size(tree.root)
            yield _Record(tree.line, "oasst_messages", found, _excerpt(texts[tree.line]), left_out, size)


def _transcript(raw: RawFile, file: str, layout: str | None) -> Iterator[_Record | Fault]:
    if layout not in (None, "transcript"):
        mend = "leave --layout out, or save the file as JSON lines"
        raise ChejilError(f"plain text, not of layout {layout}", where=raw.url, mend=mend)
    if layout is None and not _is_transcript(_head(raw)):
        why = NotOne("unknown_layout", "plain text in which no line says who speaks")
        yield _fault(file, 1, why, "")
        return
    faults: list[Fault] = []
    found = transcripts.drafts(_text_lines(raw, file, faults))
    for line, text, draft in found:
        yield _Record(line, "transcript", [draft], text[:EXCERPT_CHARS])
    yield from faults


def _text_lines(raw: RawFile, file: str, faults: list[Fault]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines(chunks(raw)), 1):
        row = containers.text_row(line)
        if isinstance(row, Flaw):
            faults.append(Fault(file, number, row.reason, row.detail, row.excerpt))
        else:
            yield number, row.fields["text"].removesuffix("\r")


def _excerpt(fields: dict) -> str:
    try:
        return orjson.dumps(fields, default=repr).decode()[:EXCERPT_CHARS]
    except TypeError:  # half surrogate pairs, integers above 64 bits
        return json.dumps(fields, default=repr)[:EXCERPT_CHARS]


def _fault(file: str, line: int, why: NotOne, excerpt: str) -> Fault:
    return Fault(file, line, why.reason, why.detail, excerpt)


def _batch(file: str, held: Sequence[_Record | Fault]) -> Batch:
    batch = Batch(file)
    _normalise([record for record in held if isinstance(record, _Record)])
    for record in held:
        if isinstance(record, Fault):
            batch.records += 1
            batch.faults.append(record)
            batch.is_torn |= record.reason == "torn_stream"
            continue
        batch.records += record.rows
        batch.left_out += record.left_out
        for number, draft in enumerate(record.drafts):
            _add(batch, record, draft, number)
    return batch


def _normalise(records: Iterable[_Record]) -> None:
    """Bring every content into the form of the clean shards, in one pass over all of them."""
    parts = [turn[1] for record in records for draft in record.drafts for turn in draft.turns]
    texts = pa.array([text for part in parts for text in part], pa.large_string())
    found = iter(normalise(texts, _as_shards()).texts.to_pylist())
    for part in parts:
        part[:] = [next(found) for _ in part]


@cache
def _as_shards() -> Normalise:
    return Normalise()


def _add(batch: Batch, record: _Record, draft: Draft, number: int) -> None:
    try:
        if draft.fault is not None:
            raise draft.fault
        messages = checked(draft.turns)
    except NotOne as why:
        batch.faults.append(_fault(batch.file, record.line, why, record.excerpt))
        return
    own = draft.id or f"{batch.file}#{record.line}" + (f"/{number}" if len(record.drafts) > 1 else "")
    batch.conversations.append(
        Conversation(own, messages, batch.file, record.line, record.layout, draft.lang, draft.meta)
    )
