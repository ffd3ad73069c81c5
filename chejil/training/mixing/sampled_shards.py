"""Sampled shards: the clean documents of a curation run, each as often as its weight says.

    OUT/shards/<source>/<language>/<shard>.parquet   canonical columns, cluster_size, and `copy`: 0, 1, 2, …
    OUT/mixing.yaml                                  the law of counts, what was read, hashes of what was written

All copies of a document keep its `id`: documents are held out of a training by their id (training/data/held_out.py),
and a copy with a name of its own could be trained on while its twin is evaluated on. `copy` tells them apart. Copies
stand beside one another; a training shuffles documents. `chejil encode OUT` reads the folder as it stands: the manifest
is YAML, since a .json file would be read as records.

A shard is one unit: what a run of the same settings has written is not written again. Memory is a row group (16 MB of
text) in and one out a thread, and 9 bytes a document of a shard where quality counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
import yaml

from chejil.curation import manifest, shards
from chejil.curation.id_hashes import id_hashes
from chejil.curation.writing import CLEAN
from chejil.errors import ChejilError, RunError, did_you_mean
from chejil.training.mixing.document_weights import DocumentWeights, copies
from chejil.training.mixing.law_of_counts import CountLaw

FORMAT = "chejil mixed shards 1"
SCHEMA = CLEAN.append(pa.field("copy", pa.int32(), nullable=False))
"""A clean shard's columns; `copy` counts from 0."""

LAW = "mixing.yaml"
_DONE = ".done"


@dataclass(frozen=True)
class _Unit:
    """A clean shard: where it is read and written, and what decides its bytes."""

    run: str
    root: str
    path: str
    key: str

    @property
    def names(self) -> tuple[str, str, str]:
        """Source, language, and the shard's name below its source."""
        _, source, lang, name = self.path.split("/", 3)
        return source, lang, name

    @property
    def out(self) -> str:
        """Where it is written, below the root."""
        return "shards/" + self.path.removeprefix("clean/")

    @property
    def record(self) -> str:
        """What says that it is done: JSON, by a name that readers of folders pass over."""
        return f"{_DONE}/{self.out}.done"


def sample(settings: DocumentWeights, out: str, threads: int) -> dict[str, Any]:
    """Write the sampled shards of a run; returns what stands in mixing.yaml.

    Args:
        out: a new or empty folder, or one that the same call was interrupted in.

    Raises:
        ChejilError: no finished run, no cluster sizes or no such column in it, or a folder with something else in it.
    """
    content = manifest.read(settings.run)
    paths = sorted(path for path in content.files if path.startswith("clean/"))
    if not paths:
        raise RunError("the run has no clean shards", where=settings.run, mend="add `write` to its stages")
    _refuse_unknown(settings, {path.split("/")[1] for path in paths})
    about = settings.model_dump(mode="json", exclude={"run"})
    units = [_Unit(settings.run, out, path, _key(about, content.files, path)) for path in paths]
    _require_own(out)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        records = list(pool.map(lambda unit: _done(unit, settings), units))
    return _finish(out, about, settings, content.name, units, records)


def _key(about: dict[str, Any], files: dict[str, Any], path: str) -> str:
    """Of everything that decides a shard's bytes: settings, and the hashes of what is read."""
    beside = path.split("/", 3)
    read = [path, *(f"{folder}/{beside[1]}/{beside[3]}" for folder in ("decisions", "signals"))]
    hashes = [files[one]["hash"] for one in read if one in files]
    return xxhash.xxh3_128_hexdigest(orjson.dumps([about, hashes], option=orjson.OPT_NON_STR_KEYS))


def _refuse_unknown(settings: DocumentWeights, sources: set[str]) -> None:
    for pattern in settings.sources:
        bare = pattern.split("/")[0]
        if not any(DocumentWeights(run="-", sources={bare: 0}).of_source(one, "") == 0 for one in sources):
            raise ChejilError(f"documents.sources: no source '{pattern}'", mend=did_you_mean(bare, sources))


def _require_own(out: str) -> None:
    foreign = [path for path in shards.below(out, "") if path.split("/")[0] not in ("shards", _DONE, LAW)]
    if foreign:
        what = f"the folder holds something else: {foreign[0]}"
        raise ChejilError(what, where=out, mend="choose a new or an empty folder for --shards")


def _done(unit: _Unit, settings: DocumentWeights) -> dict[str, Any]:
    """The record of a unit, done now unless it stands there already."""
    before = shards.read_json(shards.join(unit.root, unit.record))
    if (
        before
        and before["key"] == unit.key
        and shards.size(shards.join(unit.root, unit.out)) == before["bytes"]
    ):
        return before
    law = CountLaw()
    file = shards.write_shard(unit.root, unit.out, _tables(unit, settings, law), SCHEMA)
    record = {
        "key": unit.key,
        "rows": file.rows,
        "bytes": file.bytes,
        "hash": file.hash,
        "law": law.as_dict(),
    }
    shards.write_json(unit.root, unit.record, record)
    return record


def _tables(unit: _Unit, settings: DocumentWeights, law: CountLaw) -> Iterator[pa.Table]:
    source, lang, _ = unit.names
    quality = _quality(unit, settings)
    start = 0
    for table in shards.row_groups(shards.join(unit.run, unit.path), CLEAN.names):
        here = slice(start, start + table.num_rows)
        start = here.stop
        weights = settings.weights(
            source, lang, _sizes(table, unit, settings), None if quality is None else quality[here]
        )
        num = copies(weights, id_hashes(table["id"].to_pylist(), settings.seed))
        length = pc.binary_length(table["text"]).to_numpy()
        law.add(weights, num, length)
        yield from _repeated(table, num, length)


def _sizes(table: pa.Table, unit: _Unit, settings: DocumentWeights) -> np.ndarray:
    column = table["cluster_size"]
    if settings.rehydration is not None and column.null_count:
        what = "the run does not say for how many near-duplicates a document stands"
        mend = "add `near_dedup` to its stages, or take `rehydration` out"
        raise ChejilError(what, where=shards.join(unit.run, unit.path), mend=mend)
    return pc.fill_null(column, 1).to_numpy()


def _quality(unit: _Unit, settings: DocumentWeights) -> np.ndarray | None:
    """(num_docs of the clean shard) float64, NaN where there is none.

    Clean shards hold the kept documents of their language in the order in which decisions/ and signals/ have them.
    """
    if settings.quality is None:
        return None
    source, lang, name = unit.names
    signals = shards.join(unit.run, f"signals/{source}/{name}")
    column = settings.quality.column
    with shards.opened(signals) as parquet:
        _require_number(parquet, column, signals)
    judged = shards.read_shard(shards.join(unit.run, f"decisions/{source}/{name}"), ["lang", "kept"])
    of_lang = pc.equal(pc.fill_null(judged["lang"], "unknown"), lang)
    values = shards.read_shard(signals, [column])[column].filter(pc.and_(of_lang, judged["kept"]))
    found = pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy()
    if len(found) != shards.num_rows(shards.join(unit.run, unit.path)):
        what = f"{len(found):,} documents are kept by decisions/, and another number stands in {unit.path}"
        raise RunError(what, where=unit.run, mend="`chejil verify` the run")
    return found


def _require_number(parquet: pq.ParquetFile, column: str, where: str) -> None:
    numbers = [
        field.name for field in parquet.schema_arrow
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)
    ]  # fmt: skip
    if column not in numbers:
        raise ChejilError(
            f"no number '{column}' in the signals", where=where, mend=did_you_mean(column, numbers)
        )


def _repeated(table: pa.Table, num: np.ndarray, length: np.ndarray) -> Iterator[pa.Table]:
    """Row groups with each document so often; `copy` counts them."""
    rows = np.repeat(np.arange(len(num)), num)
    if not len(rows):
        return
    copy = np.arange(len(rows)) - np.repeat(np.cumsum(num) - num, num)
    of_group = np.cumsum(length[rows].astype(np.int64)) // shards.ROW_GROUP_BYTES
    ends = [*np.flatnonzero(np.diff(of_group)) + 1, len(rows)]
    begin = 0
    for end in ends:
        part = table.take(pa.array(rows[begin:end]))
        yield part.append_column("copy", pa.array(copy[begin:end], pa.int32())).select(SCHEMA.names)
        begin = end


def _finish(
    out: str,
    about: dict[str, Any],
    settings: DocumentWeights,
    name: str,
    units: list[_Unit],
    records: list[dict[str, Any]],
) -> dict[str, Any]:
    laws: dict[tuple[str, str], CountLaw] = {}
    for unit, record in zip(units, records, strict=True):
        laws.setdefault(unit.names[:2], CountLaw()).join(CountLaw.of(record["law"]))
    whole = CountLaw()
    for law in laws.values():
        whole.join(law)
    content: dict[str, Any] = {
        "format": FORMAT,
        "documents": about,
        "run": {"name": name, "hash": shards.file_hash(shards.join(settings.run, manifest.PATH))},
        "law": whole.told(),
        "groups": [{"source": s, "lang": lang, **law.told()} for (s, lang), law in sorted(laws.items())],
        "files": {
            unit.out: {name: record[name] for name in ("rows", "bytes", "hash")}
            for unit, record in zip(units, records, strict=True)
        },
    }
    _remove_others(out, set(content["files"]))
    shards.write_bytes(out, LAW, yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
    return content


def _remove_others(out: str, own: set[str]) -> None:
    """Shards that other settings, or an earlier state of the run, left: a folder is read as a whole."""
    for path in shards.below(out, "shards"):
        if path not in own:
            shards.remove(shards.join(out, path))
