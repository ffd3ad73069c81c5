"""What a run has kept, as conversations again: conversations/UNIT.jsonl, a line each.

A line has `id`, `messages`, `source`, `line`, `layout`, `lang` and `meta` as they were read; `lang` is the run's where
the record names none. `chejil sft-data check` and the trainer read it as layout `messages`. A conversation of which the
run's edits leave a message empty, or an answer without a word of its own, goes to the quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from chejil.curation import edits, shards
from chejil.curation.changes.row_edits import Layers
from chejil.curation.manifest import Manifest
from chejil.curation.shards import FileRecord
from chejil.curation.stage import Stage, Tally, Unit
from chejil.training.conversations.conversation import EXCERPT_CHARS, NotOne
from chejil.training.conversations.curating.reading import QUARANTINE, File
from chejil.training.conversations.curating.texts import edited_messages, messages_of

READ, RUN = "read", "run"
"""Folders of what was read, and of the run."""


def path_of(one: File) -> str:
    """Where the conversations of a file stand, below the curation's folder."""
    return f"conversations/{one.unit}.jsonl"


def run_shard(one: File) -> str:
    """What the run calls a file's shard."""
    return f"{one.shard}.parquet"


def stage(files: Sequence[File], transforms: Sequence[str], scored: bool) -> Stage:
    """The stage that writes the conversations."""
    own = {
        one.shard: {"name": one.file.name, "path": path_of(one), "run_shard": run_shard(one)} for one in files
    }
    prints = {one.shard: {"name": one.file.name} for one in files}
    key = {"transforms": list(transforms), "scored": scored}
    return Stage("write", "map", write_file, key, own_settings=own, fingerprints=prints)


def inputs_of(
    one: File, content: Manifest, read: Sequence[FileRecord], transforms: Sequence[str]
) -> list[FileRecord]:
    """Files that the conversations of a file are made of: their content is in the key."""
    folders = ("documents", "origins", "decisions", *(edits.folder(name) for name in transforms))
    paths = [f"{folder}/{run_shard(one)}.parquet" for folder in folders]
    made = [FileRecord(f"{RUN}/{path}", **content.files[path]) for path in paths]
    return [*read, *made]


def write_file(unit: Unit) -> Tally:
    """Map: a run's documents/, edits/ and decisions/, and what was read → conversations/ and a quarantine."""
    faults: list[dict[str, Any]] = []
    num_kept = 0
    path = unit.settings["path"]
    with shards.new_file(shards.join(unit.root, path)) as stream:
        for row in _rows(unit, faults):
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            num_kept += 1
    url = shards.join(unit.root, path)
    written = FileRecord(path, num_kept, shards.size(url) or 0, shards.file_hash(url))
    table = pa.Table.from_pylist(faults, QUARANTINE)
    quarantine = shards.write_shard(unit.root, unit.path("work/quarantine"), [table], QUARANTINE)
    reasons = Counter(fault["reason"] for fault in faults)
    return Tally([written, quarantine], {"kept": num_kept, "quarantined": dict(sorted(reasons.items()))})


def _rows(unit: Unit, faults: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for text, layers, measured, row in _kept(unit):
        origin = {**row, "name": unit.settings["name"]}
        try:
            messages = (
                edited_messages(text, row["roles"], layers) if layers else messages_of(text, row["roles"])
            )
        except NotOne as why:
            excerpt = text[:EXCERPT_CHARS]
            faults.append(
                {
                    "file": origin["name"],
                    "line": row["line"],
                    "reason": why.reason,
                    "detail": why.detail,
                    "excerpt": excerpt,
                }
            )
            continue
        yield {
            "id": row["id"],
            "messages": messages,
            "source": origin["name"],
            "line": row["line"],
            "layout": row["layout"],
            "lang": row["lang"] or measured,
            "meta": orjson.Fragment(row["meta"]),
        }


def _kept(unit: Unit) -> Iterator[tuple[str, list, str | None, Mapping[str, Any]]]:
    """Text as the run read it, layers of edits, language and origin of each document that the run has kept."""
    run, shard = shards.join(unit.root, RUN), unit.settings["run_shard"]
    decisions = shards.read_shard(shards.join(run, f"decisions/{shard}.parquet"), ["kept", "lang", "line"])
    kept = np.flatnonzero(decisions["kept"].to_numpy())
    langs = decisions["lang"].to_pylist() if unit.settings["scored"] else [None] * len(decisions)
    lines = decisions["line"].to_numpy()
    layers = Layers(run, unit.settings["transforms"])
    origins, at = _origins(unit), -1
    for table, places in shards.groups_of(
        shards.join(run, f"documents/{shard}.parquet"), kept, ["id", "text"]
    ):
        first, kept = kept[0] - places[0], kept[len(places) :]
        rows = first + places
        changed = layers.of(shard, rows)
        for row, (id_, text) in zip(rows.tolist(), _values(table, places), strict=True):
            origin = next(islice(origins, int(lines[row]) - at - 1, None))
            at = int(lines[row])
            yield text, changed.get(row, []), langs[row], {**origin, "id": id_}


def _values(table: pa.Table, places: np.ndarray) -> Iterator[tuple[str, str]]:
    wanted = table.take(pa.array(places))
    return zip(wanted["id"].to_pylist(), wanted["text"].to_pylist(), strict=True)


def _origins(unit: Unit) -> Iterator[dict[str, Any]]:
    url = shards.join(unit.root, READ, f"origins/{unit.shard}.parquet")
    for table in shards.row_groups(url):
        yield from table.to_pylist()
