"""Files of conversations as documents of a run: a text each, and beside it what a text cannot hold.

Of each file there is, below `read/` of the curation's folder:

    documents/SOURCE/UNIT.parquet    id, text: what the run reads
    origins/SOURCE/UNIT.parquet      roles, line, layout, lang, meta: a row a conversation, in the same order
    quarantine/SOURCE/UNIT.parquet   records that are no conversation, with reason

A source is called after its file; files of one set (`train-00000-of-00010.parquet`) are one source. Files are read as
units of a stage (curation/stage.py), so what is done is not done again; in a unit's key are the file's name, size and
time, the layout that is forced and the layouts that are known. Held is a batch of 1,024 conversations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import orjson
import pyarrow as pa
import xxhash

from chejil.curation import shards
from chejil.curation.place import made_with, resource_hash
from chejil.curation.reading.input_files import InputFile
from chejil.curation.stage import Stage, Tally, Unit
from chejil.training.conversations import conversations
from chejil.training.conversations.conversation import Conversation, Fault
from chejil.training.conversations.conversations import Batch
from chejil.training.conversations.curating.texts import text_of
from chejil.training.conversations.message_trees import Paths

DOCUMENTS = pa.schema([("id", pa.string()), ("text", pa.large_string())])
ORIGINS = pa.schema(
    [
        ("line", pa.int64()),
        ("layout", pa.string()),
        ("lang", pa.string()),
        ("roles", pa.list_(pa.string())),
        ("meta", pa.large_string()),
    ]
)
QUARANTINE = pa.schema(
    [(name, pa.int64() if name == "line" else pa.string()) for name in Fault.__dataclass_fields__]
)
FOLDERS = (("documents", DOCUMENTS), ("origins", ORIGINS), ("quarantine", QUARANTINE))

_ENDINGS = re.compile(r"(\.(jsonl|ndjson|json|parquet|csv|tsv|txt|gz|gzip|zst|zstd|bz2|xz))+$", re.IGNORECASE)
_PART = re.compile(r"[-_.]?\d{3,}[-_]of[-_]\d{3,}$")
_OTHER = re.compile(r"[^\w.+-]+")
_MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class File:
    """A file of conversations and what it is called in the run: `source/unit` is its shard; units are unique."""

    file: InputFile
    source: str
    unit: str

    @property
    def shard(self) -> str:
        """Its name among the shards that are read."""
        return f"{self.source}/{self.unit}"


def named(files: Sequence[InputFile]) -> list[File]:
    """Names of sources and units, which follow from the files' names alone.

    >>> made = [
    ...     InputFile("", name, 0, "")
    ...     for name in ("a/train.json", "b/train.json", "q-00000-of-00002.parquet")
    ... ]
    >>> [one.source for one in named(made)]
    ['train-0a3b', 'train-9c17', 'q']
    """
    stems = [_stem(file.name) for file in files]
    twice = {stem for stem, count in Counter(stems).items() if count > 1}
    found = []
    for file, stem in zip(files, stems, strict=True):
        own = f"{stem}-{xxhash.xxh3_64_hexdigest(file.name.encode())[:4]}" if stem in twice else stem
        found.append(File(file, _PART.sub("", own) or own, own))
    return found


def _stem(name: str) -> str:
    stem = _ENDINGS.sub("", PurePosixPath(name).name)
    return _OTHER.sub("_", stem).lstrip(".+-")[:_MAX_NAME] or "conversations"


def stage(files: Sequence[File], layout: str | None, tree_paths: Paths) -> Stage:
    """The stage that reads the files; where they lie is in no key."""
    key = {
        "layout": layout,
        "tree_paths": tree_paths,
        "made_with": made_with("ftfy", "orjson"),
        "tables": [
            resource_hash("chejil.training.conversations", "layouts.yaml"),
            resource_hash("chejil.curation.normalising", "common_syllables.txt"),
        ],
    }
    own = {one.shard: {"file": asdict(one.file)} for one in files}
    prints = {one.shard: {"file": [one.file.name, one.file.size, one.file.fingerprint]} for one in files}
    return Stage("read", "map", read_file, key, own_settings=own, fingerprints=prints)


def read_file(unit: Unit) -> Tally:
    """Map: a file of conversations → documents/, origins/ and quarantine/.

    Raises:
        SourceError: it cannot be read at all.
    """
    file, counts = InputFile(**unit.settings["file"]), _Counts()
    with ExitStack() as stack:
        writers = [
            stack.enter_context(shards.ShardWriter(unit.root, unit.path(folder), schema))
            for folder, schema in FOLDERS
        ]
        for batch in conversations.read_file(file, unit.settings["layout"], unit.settings["tree_paths"]):
            counts.add(batch)
            for writer, table in zip(writers, _tables(batch), strict=True):
                writer.write(table)
    return Tally([writer.record for writer in writers if writer.record is not None], counts.as_dict())


def _tables(batch: Batch) -> Iterator[pa.Table]:
    found = batch.conversations
    yield _table(
        {"id": [one.id for one in found], "text": [text_of(one.messages) for one in found]}, DOCUMENTS
    )
    yield _table({name: [_origin(one)[name] for one in found] for name in ORIGINS.names}, ORIGINS)
    yield pa.Table.from_pylist([asdict(fault) for fault in batch.faults], QUARANTINE)


def _table(columns: Mapping[str, list], schema: pa.Schema) -> pa.Table:
    return pa.table(columns, schema)


def _origin(one: Conversation) -> dict[str, Any]:
    roles = [message["role"] for message in one.messages]
    return {
        "line": one.line,
        "layout": one.layout,
        "lang": one.lang,
        "roles": roles,
        "meta": json_of(one.meta),
    }


def json_of(meta: Mapping[str, Any]) -> str:
    """Upstream fields as JSON that any reader takes; what JSON does not know becomes text.

    >>> json_of({"a": 2**70, "b": "\\ud800"})
    '{"a":"1180591620717411303424","b":"?"}'
    """
    try:
        return orjson.dumps(meta, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half surrogate pairs, integers above 64 bits
        return orjson.dumps(_plain(meta), default=repr).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


class _Counts:
    """What the record of a file says; `read` is conversations and what was to be one."""

    def __init__(self) -> None:
        self.records = self.conversations = self.left_out = 0
        self.quarantined: Counter[str] = Counter()
        self.is_torn = False

    def add(self, batch: Batch) -> None:
        self.records += batch.records
        self.conversations += len(batch.conversations)
        self.left_out += batch.left_out
        self.quarantined.update(fault.reason for fault in batch.faults)
        self.is_torn |= batch.is_torn

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "quarantined": dict(sorted(self.quarantined.items()))}
