"""A stage, its units of work, and the rule that says what need not be done again.

A **map** stage turns one shard into one shard; a **gather** stage turns the side tables of all shards into one
answer, written by shard; each unit of a **split** stage reads the rows of all shards whose key lies in its range of
the 64-bit integers, and writes one file of its own. How many ranges there are follows from the number of rows.

A unit's key is a hash of the stage's name, version and settings and of the *content* of
the files it reads. When a unit is done it writes a record with that key, last; a unit whose record holds the
right key and whose files are there is skipped. Since keys follow content, a stage that is redone and gives the
same bytes stops the wave: nothing after it is redone. Worker count, paths of the run and time are in no key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson
import xxhash

from chejil.curation import shards
from chejil.curation.shards import FileRecord

ALL_SHARDS = "all"
"""Name of a gather stage's one unit."""


@dataclass(frozen=True)
class Tally:
    """What a unit did. `counts` is free-form but deterministic; it goes into the record and the manifest."""

    files: list[FileRecord]
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One of the equal ranges into which a split stage cuts the 64-bit integers."""

    number: int
    of: int

    @property
    def name(self) -> str:
        """Name of the unit, and of its file."""
        return f"part-{self.number:05}-of-{self.of:05}"

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest key."""
        return (self.number << 64) // self.of, ((self.number + 1 << 64) // self.of) - 1

    @classmethod
    def all(cls, rows: int, rows_a_part: int) -> tuple[Part, ...]:
        """Parts enough for so many rows."""
        of = max(1, -(-rows // rows_a_part))
        return tuple(cls(number, of) for number in range(of))


@dataclass(frozen=True)
class Unit:
    """What a stage's function gets: where the run is, which shards, and the settings."""

    root: str
    stage: str
    shards: tuple[str, ...]
    settings: Mapping[str, Any]
    part: Part | None = None
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    """Of the split stages that it reads."""

    @property
    def shard(self) -> str:
        """The one shard of a map unit."""
        assert len(self.shards) == 1, self.shards
        return self.shards[0]

    def part_urls(self, stage: str) -> list[str]:
        """Files of a split stage."""
        return [self.url(f"work/{stage}", part.name) for part in self.parts[stage]]

    def url(self, folder: str, shard: str | None = None) -> str:
        """URL of a shard's file in one of the run's folders."""
        return shards.join(self.root, self.path(folder, shard))

    def path(self, folder: str, shard: str | None = None) -> str:
        """The same, below the run's folder."""
        return f"{folder}/{shard or self.shard}.parquet"


Function = Callable[[Unit], Tally]


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Args:
        function: does a unit; a function of a module, so that a worker process can import it.
        inputs: stages whose files it reads; for a map unit those of its own shard, for a gather unit all.
        own_settings: more settings by shard (of gather and split, by ALL_SHARDS), in no key: where a file lies.
        fingerprints: what is in the key of a shard beside the settings (an input file's name, size and date).
        version: raised when the same settings would give other bytes.
        rows_a_part: split only; rows of its first input that one unit takes.
    """

    name: str
    kind: Literal["map", "gather", "split"]
    function: Function
    settings: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    version: int = 1
    own_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fingerprints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows_a_part: int = 1 << 24

    def unit(
        self, root: str, names: tuple[str, ...], part: Part | None, parts: Mapping[str, tuple[Part, ...]]
    ) -> Unit:
        """The unit for one shard of a map, for all shards of a gather, or for a part of all shards of a split."""
        own = self.own_settings.get(names[0] if self.kind == "map" else ALL_SHARDS, {})
        read = {name: parts[name] for name in self.inputs if name in parts}
        return Unit(root, self.name, names, {**self.settings, **own}, part, read)


@dataclass(frozen=True)
class Record:
    """What a finished unit left behind, as `work/<stage>/<shard>.json`."""

    stage: str
    shard: str
    key: str
    files: tuple[FileRecord, ...]
    counts: Mapping[str, Any]

    def files_of(self, shard: str) -> list[FileRecord]:
        """The files that belong to a shard; a gather unit writes for many."""
        return self._by_shard.get(shard, [])

    @cached_property
    def _by_shard(self) -> dict[str, list[FileRecord]]:
        found: dict[str, list[FileRecord]] = {}
        for file in self.files:
            # Source and file: a gather may leave several tables of a shard, each in a folder of its own.
            shard = "/".join(file.path.removesuffix(".parquet").rsplit("/", 2)[-2:])
            found.setdefault(shard, []).append(file)
        return found


def record_path(stage: str, shard: str) -> str:
    """Where a unit's record stands, below the run's folder."""
    return f"work/{stage}/{shard}.json"


def read_record(root: str, stage: str, shard: str) -> Record | None:
    """A unit's record, or None if it has not finished."""
    content = shards.read_json(shards.join(root, record_path(stage, shard)))
    if content is None:
        return None
    files = tuple(FileRecord(**entry) for entry in content["files"])
    return Record(stage, shard, content["key"], files, content["counts"])


def do(unit: Unit, name: str, key: str, function: Function) -> Record:
    """Do a unit and write its record, last; what an earlier record vouches for is removed first."""
    forget(unit.root, unit.stage, name)
    tally = function(unit)
    files = tuple(sorted(tally.files, key=lambda file: file.path))
    content = {"key": key, "files": [file.as_dict() for file in files], "counts": tally.counts}
    shards.write_json(unit.root, record_path(unit.stage, name), content)
    # As a later run reads them: the report lists what is equally frequent in the order in which it finds it.
    counts = orjson.loads(orjson.dumps(tally.counts, option=orjson.OPT_SORT_KEYS))
    return Record(unit.stage, name, key, files, counts)


def forget(root: str, stage: str, shard: str) -> None:
    """Remove what a unit wrote, its record last: a record never vouches for files of another key."""
    record = read_record(root, stage, shard)
    if record is not None:
        for file in record.files:
            shards.remove(shards.join(root, file.path))
        shards.remove(shards.join(root, record_path(stage, shard)))


def unit_key(stage: Stage, shard: str, inputs: list[FileRecord]) -> str:
    """Hash of everything that decides what a unit will write."""
    content = {
        "stage": stage.name,
        "version": stage.version,
        "settings": stage.settings,
        "shard": shard,
        "inputs": sorted((file.path, file.hash) for file in inputs),
        "fingerprint": stage.fingerprints.get(shard),
    }
    return xxhash.xxh3_128_hexdigest(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


def is_done(root: str, record: Record | None, key: str) -> bool:
    """True if the record is of this very work and each of its files is there in its full size."""
    if record is None or record.key != key:
        return False
    return all(shards.size(shards.join(root, file.path)) == file.bytes for file in record.files)
