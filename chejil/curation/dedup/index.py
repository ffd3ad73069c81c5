"""The documents that a deduplication compares: those of the run, and those that earlier runs have kept.

Every document has a number: shard after shard of the run, in the order of their names, then those of the earlier runs.
An earlier run is read where it lies (its signatures, sorted keys and decisions); nothing of it is computed or written
again, so a new dump is deduplicated against all before it at the cost of reading their keys, 9 bytes each, and of
keeping those that it has itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
import yaml

from chejil.curation import finished_files, shards
from chejil.curation.dedup.hash_order import sorted_order
from chejil.curation.place import MAKING_TEXT
from chejil.curation.side_tables import matrix_of
from chejil.curation.stage import Part, Unit
from chejil.errors import RunError

MAX_DOCUMENTS = (1 << 32) - 1
_NO_KEYS = (np.zeros(0, np.uint64), np.zeros(0, np.uint32))


@dataclass(frozen=True)
class Earlier:
    """A finished run whose kept documents are part of the index; `content` is a hash of all that is read of it."""

    url: str
    name: str
    shards: tuple[str, ...]
    content: str


def open_earlier(
    url: str, name: str, measured: str, version: int, text: Mapping[str, Any]
) -> tuple[Earlier, dict[str, Any]]:
    """An earlier run, and the settings of its own deduplication.

    Args:
        name: near_dedup or exact_dedup; `measured` and `version` are of the stage that wrote what is read.
        text: what made the text that this run compares: normalising and transforms, with their settings.

    Raises:
        RunError: no finished run, one without this deduplication, of another version, of other text, or one that has
            lost files.
    """
    content = finished_files.manifest_content(url)
    if content is None:
        raise RunError("no finished run here", where=url, mend="name the folder of a run that has ended")
    refuse_unlike(url, content["stages"], content["versions"], f"{name}/{measured}", version)
    entries = _stages(url)
    theirs = text_before(entries, name)
    if theirs != text:
        differing = ", ".join(sorted(key for key in {*theirs, *text} if theirs.get(key) != text.get(key)))
        what = f"its text was made otherwise before {name}: {differing}"
        raise RunError(what, where=url, mend="give both recipes the same stages there")
    names = tuple(sorted(entry["shard"] for entry in content["inputs"]))
    folders = (f"work/{name}/{measured}", f"work/{name}/keys", "decisions")
    read = [f"{folder}/{shard}.parquet" for folder in folders for shard in names]
    finished_files.refuse_missing(url, read)
    state = xxhash.xxh3_128("\n".join(content["files"][path]["hash"] for path in read).encode())
    settings = next(entry[name] for entry in entries if name in entry)
    return Earlier(url, content["name"], names, state.hexdigest()), settings


def refuse_unlike(
    url: str, stages: Sequence[Mapping[str, Any]], versions: Mapping[str, str], measured: str, version: int
) -> None:
    """Refuse a run whose hashes today's kernels do not make: nothing of it would meet anything.

    Args:
        stages: of its manifest; so are `versions`.
        measured: the stage that made the hashes.

    Raises:
        RunError: no such stage, or one of another version or Unicode.
    """
    stage, name = next((one for one in stages if one["name"] == measured), None), measured.split("/")[0]
    if stage is None:
        raise RunError(
            f"this run has no {name}", where=url, mend=f"put {name} into its recipe, and run it again"
        )
    if stage["version"] != version or versions["unicode"] != unicodedata.unidata_version:
        what = "another version of Chejil, or of Python's Unicode tables, made its signatures"
        raise RunError(what, where=url, mend="run its recipe again")


def _stages(url: str) -> list[dict[str, Any]]:
    finished_files.refuse_missing(url, ["recipe.yaml"])
    files, path = shards.file_system(shards.join(url, "recipe.yaml"))
    try:
        return yaml.safe_load(files.read_text(path, encoding="utf-8"))["stages"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise RunError("recipe.yaml is damaged", where=url, mend=finished_files.RESTORE) from None


def text_before(stages: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Settings of the stages that make the text which a stage reads: `normalise`, and transforms before it.

    >>> text_before([{"normalise": {}}, {"near_dedup": {}}, {"mask_pii": {"seed": 1}}], "near_dedup")
    {'normalise': {}}
    """
    found: dict[str, Any] = {}
    for entry in stages:
        ((stage, settings),) = entry.items()
        if stage == name:
            return found
        if stage in MAKING_TEXT:
            found[stage] = settings
    return found


@dataclass(frozen=True)
class Table:
    """A shard of the index: its signatures and keys, and where it is of an earlier run its decisions."""

    measured: str
    keys: str
    decisions: str | None = None
    origin: str = ""
    """`source` of the shard, with the earlier run's name."""


@dataclass(frozen=True)
class Index:
    """All documents that are compared; `starts` (num_tables + 1) int64: number of the first document of each table."""

    tables: tuple[Table, ...]
    starts: np.ndarray
    num_own: int

    @classmethod
    def of(cls, unit: Unit) -> Index:
        """The shards of a unit, then those of the earlier runs in its settings.

        Raises:
            RunError: more documents than 32 bits count.
        """
        name, measured = unit.stage.split("/")[0], unit.settings["measured"]
        tables = [
            Table(unit.url(f"work/{name}/{measured}", shard), unit.url(f"work/{name}/keys", shard))
            for shard in unit.shards
        ]
        for run in unit.settings.get("earlier", ()):
            for shard in run["shards"]:
                paths = (f"work/{name}/{measured}", f"work/{name}/keys", "decisions")
                there, keys, decided = (
                    shards.join(run["url"], f"{folder}/{shard}.parquet") for folder in paths
                )
                tables.append(Table(there, keys, decided, f"{shard.split('/')[0]} ({run['name']})"))
        sizes = [shards.num_rows(table.measured) for table in tables]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if starts[-1] > MAX_DOCUMENTS:
            raise RunError(f"{starts[-1]:,} documents: more than 32 bits count", mend="split the recipe")
        return cls(tuple(tables), starts, int(starts[len(unit.shards)]))

    def part(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Keys in the range of a part, sorted, and the documents that have them; (num_keys) uint64 and uint32.

        Of the earlier runs those keys alone that the run has too, of documents that were kept: memory follows the run.
        """
        own = [
            self._keys(number, part)
            for number in range(len(self.tables))
            if not self.tables[number].decisions
        ]
        keys, docs = (np.concatenate(column) for column in zip(_NO_KEYS, *own, strict=True))
        order = sorted_order(keys)
        keys, docs = keys[order], docs[order]
        known = keys
        for number in range(len(self.tables)):
            if self.tables[number].decisions:
                theirs, rows = self._keys(number, part)
                at = np.minimum(np.searchsorted(known, theirs), max(len(known) - 1, 0))
                met = known[at] == theirs if len(known) else np.zeros(len(theirs), bool)
                keys, docs = np.concatenate([keys, theirs[met]]), np.concatenate([docs, rows[met]])
        order = sorted_order(keys)
        return keys[order], docs[order]

    def _keys(self, number: int, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Keys of one table in the range of a part, and their documents; of an earlier run those that it kept."""
        table = self.tables[number]
        found = shards.rows_between(table.keys, "key", *part.bounds)
        rows, keys = found["row"].to_numpy(), found["key"].to_numpy()
        if table.decisions is not None:
            kept = shards.read_shard(table.decisions, ["kept"])["kept"].to_numpy()[rows]
            rows, keys = rows[kept], keys[kept]
        return keys, (rows.astype(np.int64) + self.starts[number]).astype(np.uint32)

    def by_table(self, docs: np.ndarray) -> Iterator[tuple[int, slice, np.ndarray]]:
        """Sorted documents, cut by table: its number, where its documents stand, and their rows in it."""
        cuts = np.searchsorted(docs, self.starts)
        for number, start in enumerate(self.starts[:-1]):
            here = slice(int(cuts[number]), int(cuts[number + 1]))
            if here.stop > here.start:
                yield number, here, docs[here].astype(np.int64) - start

    def measured(self, docs: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray]:
        """Names (num_docs) uint64 and sketches (num_docs, words) uint64 of sorted documents."""
        names, sketches = np.zeros(len(docs), np.uint64), np.zeros((len(docs), words), np.uint64)
        for number, here, rows in self.by_table(docs):
            done = here.start
            for table, wanted in shards.groups_of(self.tables[number].measured, rows, ["name", "sketch"]):
                to = slice(done, done + len(wanted))
                names[to] = table["name"].to_numpy()[wanted]
                sketches[to] = matrix_of(table["sketch"], np.uint64)[wanted]
                done = to.stop
        return names, sketches

    def names(self, docs: np.ndarray) -> np.ndarray:
        """Names of sorted documents, (num_docs) uint64."""
        names = [np.zeros(0, np.uint64)]
        for number, _, rows in self.by_table(docs):
            for table, wanted in shards.groups_of(self.tables[number].measured, rows, ["name"]):
                names.append(table["name"].to_numpy()[wanted])
        return np.concatenate(names)

    def ids(self, docs: np.ndarray) -> list[str]:
        """Ids of sorted documents of earlier runs."""
        found: list[str] = []
        for number, _, rows in self.by_table(docs):
            column = shards.read_shard(str(self.tables[number].decisions), ["id"])["id"]
            found += column.take(pa.array(rows)).to_pylist()
        return found


def settings_of(runs: Sequence[Earlier]) -> dict[str, Any]:
    """Earlier runs as a setting of a stage that is in no key (where they lie), for `Index.of`."""
    return {"earlier": [asdict(run) for run in runs]} if runs else {}


def key_of(runs: Sequence[Earlier]) -> dict[str, Any]:
    """Earlier runs as a setting of a stage's key: what they are, wherever they lie."""
    return {"against": [[run.name, run.content] for run in runs]} if runs else {}
