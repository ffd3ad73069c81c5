"""The documents of two runs side by side, joined by id.

Shards of equal names mostly hold the same documents in the same order: where the files of documents/ are equal that
is known from their hashes, else the ids are compared row by row. Such shards are read a row group at a time (65,536
rows at most). What does not align is spread over files by a hash of the id (a million documents each, in a
temporary folder) and joined file by file; of ids that several documents have, the first is paired with the first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from chejil.curation import lookup, manifest, shards
from chejil.curation.changes.text_hashes import Texts, changed_texts
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe

PART_ROWS = 1 << 20
_COLUMNS = ("source", "lang", "reason", "num_bytes")
_MAX_PARTS = 256


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    root: str
    content: Manifest
    recipe: Recipe

    @classmethod
    def of(cls, root: str) -> Side:
        """A finished run.

        Raises:
            RunError: there is none.
        """
        return cls(root.rstrip("/"), manifest.read(root), lookup.recipe_of(root))

    def url(self, folder: str, shard: str) -> str:
        """A shard's file."""
        return shards.join(self.root, f"{folder}/{shard}.parquet")

    def hash(self, folder: str, shard: str) -> str | None:
        """The hash of a shard's file; None where the run has none."""
        return self.content.files.get(f"{folder}/{shard}.parquet", {}).get("hash")

    @property
    def shards(self) -> list[str]:
        """Names of its shards that were decided."""
        return [name for name in lookup.shards_of(self.content) if self.hash("decisions", name)]

    @property
    def texts(self) -> Texts:
        """Where its texts are."""
        return Texts(self.root, tuple(self.recipe.transforms()), self.content.files)


@dataclass(frozen=True)
class Pairs:
    """Some documents side by side.

    `rows` has `source`, and of each side `lang`, `reason` (null: kept), `num_bytes` and `row` (null: not in this run),
    with `_one` and `_other` behind the names; `text_changed` (null where it is in one run alone); `shard_one` and
    `shard_other`; and `id`, which may be null where the shards align: `with_ids` looks it up.
    """

    rows: pl.DataFrame
    one: Side

    def with_ids(self, wanted: pl.Series) -> pl.DataFrame:
        """Those rows of a mask, with their ids."""
        found = self.rows.filter(wanted)
        if "id" in found.columns or not len(found):
            return found
        shard, rows = found["shard_one"][0], found["row_one"].to_numpy()
        parts = shards.groups_of(self.one.url("decisions", shard), rows, ["id"])
        ids = [pl.Series(pl.from_arrow(table["id"].combine_chunks().take(places))) for table, places in parts]
        return found.with_columns(id=pl.concat(ids))


def paired(one: Side, other: Side) -> Iterator[Pairs]:
    """All documents of both runs, each once."""
    apart: list[str] = []
    for shard in sorted({*one.shards, *other.shards}):
        if _aligned(one, other, shard):
            yield from _side_by_side(one, other, shard)
        else:
            apart.append(shard)
    if apart:
        yield from _joined(one, other, apart)


def _aligned(one: Side, other: Side, shard: str) -> bool:
    """True if a shard has the same documents in the same order and row groups in both runs."""
    if one.hash("decisions", shard) is None or other.hash("decisions", shard) is None:
        return False
    if _group_rows(one, shard) != _group_rows(other, shard):
        return False
    if one.hash("documents", shard) == other.hash("documents", shard):
        return True
    ids = [shards.row_groups(side.url("decisions", shard), ["id"]) for side in (one, other)]
    return all(a["id"].equals(b["id"]) for a, b in zip(*ids, strict=True))


def _group_rows(side: Side, shard: str) -> list[int]:
    with shards.opened(side.url("decisions", shard)) as parquet:
        groups = parquet.metadata
        return [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]


def _side_by_side(one: Side, other: Side, shard: str) -> Iterator[Pairs]:
    changed = changed_texts(one.texts, other.texts, shard)
    same = one.hash("decisions", shard) == other.hash("decisions", shard)
    mine = shards.row_groups(one.url("decisions", shard), _COLUMNS)
    theirs = mine if same else shards.row_groups(other.url("decisions", shard), _COLUMNS)
    start = 0
    for table in mine:
        rows = pl.DataFrame(pl.from_arrow(table))
        others = rows if same else pl.DataFrame(pl.from_arrow(next(iter(theirs))))
        numbers = pl.int_range(start, start + len(rows), dtype=pl.Int64, eager=True)
        differs = pl.lit(False) if changed is None else pl.Series(changed[start : start + len(rows)])
        start += len(rows)
        yield Pairs(
            rows.rename({name: f"{name}_one" for name in _COLUMNS[1:]})
            .hstack(others.select(_COLUMNS[1:]).rename({name: f"{name}_other" for name in _COLUMNS[1:]}))
            .with_columns(
                row_one=numbers, row_other=numbers, text_changed=differs,
                shard_one=pl.lit(shard), shard_other=pl.lit(shard),
            ),
            one,
        )  # fmt: skip


def _joined(one: Side, other: Side, names: Sequence[str]) -> Iterator[Pairs]:
    sides = {"one": one, "other": other}
    mine = {name: [shard for shard in names if side.hash("decisions", shard)] for name, side in sides.items()}
    most = max(
        sum(side.content.files[f"decisions/{shard}.parquet"]["rows"] for shard in mine[name])
        for name, side in sides.items()
    )
    parts = min(_MAX_PARTS, 1 + most // PART_ROWS)
    with tempfile.TemporaryDirectory(prefix="chejil-diff-") as folder:
        for name, side in sides.items():
            for number, shard in enumerate(mine[name]):
                _spread(side, shard, parts, Path(folder), f"{name}-{number:06}")
        for part in range(parts):
            tables = [_part(Path(folder), name, part, mine[name]) for name in sides]
            yield Pairs(_paired_by_id(*tables), one)


def _spread(side: Side, shard: str, parts: int, folder: Path, name: str) -> None:
    """Write a shard's rows to one file a part; a row group at a time, and what a text is by its hash."""
    columns, start = [*_COLUMNS, "id"], 0
    hashes = side.texts.hashes(shard)
    for table in shards.row_groups(side.url("decisions", shard), columns):
        rows = pl.DataFrame(pl.from_arrow(table)).with_row_index("row", start)
        rows = rows.with_columns(
            pl.col("row").cast(pl.Int64), text=pl.Series(hashes[start : start + len(rows)])
        )
        of = rows["id"].hash() % parts
        for part in of.unique():
            path = folder / f"{part:04}-{name}-{start:012}.arrow"
            rows.filter(of == part).write_ipc(path, compression="lz4")
        start += len(rows)


def _part(folder: Path, name: str, part: int, names: Sequence[str]) -> pl.DataFrame:
    """A part of one run: its rows in the order of shards, numbered among those of the same id."""
    tables = [
        pl.read_ipc(path).with_columns(shard=pl.lit(names[int(path.stem.split("-")[2])]))
        for path in sorted(folder.glob(f"{part:04}-{name}-*.arrow"))
    ]
    kinds = {"row": pl.Int64, "source": pl.String, "lang": pl.String, "reason": pl.String, "num_bytes": pl.Int64,
             "id": pl.String, "text": pl.UInt64, "shard": pl.String}  # fmt: skip
    rows = pl.concat(tables) if tables else pl.DataFrame(schema=kinds)
    return rows.with_columns(time=pl.int_range(pl.len()).over("id"))


def _paired_by_id(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    renamed = [
        rows.rename({name: f"{name}_{side}" for name in rows.columns if name not in ("id", "time")})
        for side, rows in (("one", one), ("other", other))
    ]
    both = renamed[0].join(renamed[1], on=["id", "time"], how="full", coalesce=True)
    return both.with_columns(
        source=pl.coalesce("source_one", "source_other"),
        text_changed=pl.col("text_one") != pl.col("text_other"),
    ).drop("source_one", "source_other", "text_one", "text_other", "time")
