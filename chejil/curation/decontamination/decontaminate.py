"""Decontaminate: documents that hold texts of evaluation sets are dropped, or the texts are cut out of them.

Gather (the items, as a side file of the run) → map (hits of each shard) → gather (what of them is common; verdicts)
→ map (edits, if spans are cut). What is compared stands in `match_tokens`, how in `alignment`, what is enough in
`leaks`. Put it behind deduplication: a short text in many documents is a common sentence, in copies of one it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.curation import edits, shards
from chejil.curation.decontamination import cuts, evaluation_items, evaluations
from chejil.curation.decontamination.alignment import matches
from chejil.curation.decontamination.evaluation_index import EvaluationIndex, build
from chejil.curation.decontamination.evaluations import EvaluationFile, EvaluationSet
from chejil.curation.decontamination.leaks import COMMON, SHORT, Evidence, judged
from chejil.curation.filtering import VERDICTS
from chejil.curation.place import Place, made_with, resource_hash, verdicts_of
from chejil.curation.stage import ALL_SHARDS, Stage, Tally, Unit
from chejil.curation.verdicts import Verdicts
from chejil.filters.buffers import TextBuffers

INDEX, HITS = "decontaminate/index", "decontaminate/hits"
FOUND = "work/decontaminate/found"
_ITEMS = "items"

ITEMS = pa.schema(
    [
        ("task", pa.string()),
        ("item", pa.string()),
        ("role", pa.string()),
        ("fields", pa.list_(pa.large_string())),
    ]
)
"""A row an item: its task, its file and record number, evaluation or training, and the texts of its fields."""

FOUND_HITS = pa.schema(
    [
        ("row", pa.int32()),
        ("task", pa.string()),
        ("item", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("covered", pa.int32()),
        ("weight", pa.int32()),
        ("field", pa.int32()),
        ("field_covered", pa.int32()),
        ("field_weight", pa.int32()),
        ("evidence", pa.string()),
        ("word_bytes", pa.int64()),
        ("document_bytes", pa.int64()),
        ("document_word_bytes", pa.int64()),
        ("text", pa.large_string()),
    ]
)
"""A row a hit, by document and place: bytes in the text that the stage read, weight that stands there of the item and
of its best covered field (0 is the first), `evidence` long, short or common (no leak), bytes of letters and digits
there and in the document, and what stands there."""


class Decontaminate(BaseModel):
    """Find texts of evaluation sets in the documents, and drop the documents or cut the texts."""

    model_config = ConfigDict(extra="forbid")

    against: dict[Annotated[str, Field(pattern=r"^[\w.-]+$", max_length=80)], EvaluationSet] = Field(
        min_length=1, description="Evaluation sets by a name that reasons and tables keep."
    )
    action: Literal["drop", "cut"] = Field(
        "drop", description="Drop the document, or cut out what was found."
    )
    cut_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="action: cut. Documents of which more would go, or hardly a word be left, are dropped.",
    )
    evidence: Evidence = Field(default_factory=Evidence, description="How much makes a leak.")

    @model_validator(mode="after")
    def _of_action(self) -> Decontaminate:
        if self.action == "drop" and self.cut_share != type(self).model_fields["cut_share"].default:
            raise ValueError("'cut_share' has no effect here; it belongs to action: cut")
        return self


@dataclass(frozen=True)
class Loaded:
    """The index in memory, and what its items are called."""

    index: EvaluationIndex
    items: pl.DataFrame

    @property
    def is_training(self) -> np.ndarray:
        """Whether an item is of a training split."""
        return (self.items["role"] == "training").to_numpy()


def files_against(settings: Decontaminate, data_root: str) -> list[EvaluationFile]:
    """All files of all sets.

    Raises:
        ChejilError: a path matches nothing, or no record of a file has the fields of an item.
    """
    every = [
        file
        for name, wanted in settings.against.items()
        for file in evaluations.files_of(name, wanted, data_root)
    ]
    for file in every:
        evaluation_items.check(file)
    return every


def stages(settings: Decontaminate, place: Place) -> list[Stage]:
    """Index, hits, verdicts and edits; where the evaluation files lie is in no key, their content is."""
    files = files_against(settings, place.data)
    against = {"against": evaluations.content(files), "version": 2}
    measured = {
        **against,
        **place.edited,
        "evidence": settings.evidence.model_dump(mode="json"),
        "made_with": made_with(),
        "tables": [resource_hash("chejil.curation.decontamination", "function_words.yaml"), _class_tables()],
    }
    decided = {
        "evidence": measured["evidence"],
        "before": list(place.deciders),
        "cut_share": settings.cut_share if settings.action == "cut" else None,
    }
    verdicts = verdicts_of("decontaminate")
    made = [
        Stage(INDEX, "gather", write_items, against, own_settings={ALL_SHARDS: {"files": files}}),
        Stage(HITS, "map", find_hits, measured, (INDEX, *place.reads)),
        Stage(verdicts, "gather", decide, decided, (INDEX, HITS, "documents", *place.verdicts)),
    ]
    if settings.action == "cut":
        cut = {**place.edited, "cut_share": settings.cut_share}
        made.append(Stage(edits.folder("decontaminate"), "map", cut_shard, cut, (*place.reads, verdicts)))
    return made


def _class_tables() -> str:
    return resource_hash("chejil.filters.lexicons", "unicode_blocks.yaml")


def write_items(unit: Unit) -> Tally:
    """Gather: the evaluation files → work/decontaminate/index/items, a row an item."""
    reading = evaluation_items.read(unit.settings["files"])
    rows = [
        {"task": item.task, "item": item.name, "role": item.role, "fields": list(item.fields)}
        for item in reading.items
    ]
    table = pa.Table.from_pylist(rows, ITEMS)
    file = shards.write_shard(unit.root, unit.path(f"work/{INDEX}", _ITEMS), [table], ITEMS)
    return Tally(
        [file], {"items": {task: dict(sorted(found.items())) for task, found in reading.counts.items()}}
    )


@lru_cache(maxsize=2)
def _loaded(url: str, content: str) -> Loaded:
    """The index, built once a process for each content: 2 to 3 seconds for 70,000 items."""
    table = shards.read_shard(url)
    items = pl.DataFrame(pl.from_arrow(table.drop_columns(["fields"])))
    return Loaded(build(table["fields"].to_pylist()), items)


def find_hits(unit: Unit) -> Tally:
    """Map: documents/, edited → work/decontaminate/hits/, every leak by its own evidence."""
    url = unit.url(f"work/{INDEX}", _ITEMS)
    loaded = _loaded(url, shards.file_hash(url))
    evidence = Evidence.model_validate(unit.settings["evidence"])
    file = shards.write_shard(unit.root, unit.path(f"work/{HITS}"), _hits(unit, loaded, evidence), FOUND_HITS)
    return Tally([file], {"hits": file.rows})


def _hits(unit: Unit, loaded: Loaded, evidence: Evidence) -> Iterator[pa.Table]:
    start = 0
    for table in edits.documents(unit, ["text"]):
        yield hits_of(TextBuffers.of(table["text"]), loaded, evidence, start)
        start += table.num_rows


def hits_of(texts: TextBuffers, loaded: Loaded, evidence: Evidence, first_row: int = 0) -> pa.Table:
    """The leaks of a batch as FOUND_HITS, rows counted from `first_row`."""
    found = judged(matches(texts, loaded.index), loaded.index.item_weights, loaded.is_training, evidence)
    found = found.hstack(loaded.items[found["item"].to_numpy()].select("task", pl.col("item").alias("name")))
    places = found.select("doc", "start", "end").iter_rows()
    base = texts.offsets
    there = [texts.data[base[doc] + start : base[doc] + end].tobytes().decode() for doc, start, end in places]
    doc = found["doc"].to_numpy()
    words = {number: cuts.word_bytes(_text(texts, number)) for number in np.unique(doc)}
    columns = (
        found.drop("item")
        .rename({"name": "item"})
        .with_columns(
            row=pl.col("doc") + first_row,
            word_bytes=pl.Series([cuts.word_bytes(text) for text in there], dtype=pl.Int64),
            document_bytes=pl.Series(texts.num_bytes[doc]),
            document_word_bytes=pl.Series([words[number] for number in doc], dtype=pl.Int64),
            text=pl.Series(there, dtype=pl.String),
        )
    )
    return columns.select(FOUND_HITS.names).to_arrow().cast(FOUND_HITS)


def _text(texts: TextBuffers, doc: int) -> str:
    return texts.data[texts.offsets[doc] : texts.offsets[doc + 1]].tobytes().decode()


def decide(unit: Unit) -> Tally:
    """Gather: hits of all shards → work/decontaminate/found/, hits with what is common told apart, and verdicts/."""
    evidence = Evidence.model_validate(unit.settings["evidence"])
    parts, sizes = [], {}
    for shard in unit.shards:
        sizes[shard] = shards.num_rows(unit.url("documents", shard))
        alive = Verdicts.of(unit, shard).kept(sizes[shard])
        hits = pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(f"work/{HITS}", shard))))
        alive_rows = pl.Series("alive", alive[hits["row"].to_numpy()], dtype=pl.Boolean)
        parts.append(hits.with_columns(alive_rows, shard=pl.lit(shard)))
    hits = told_apart(pl.concat(parts), evidence)
    files = []
    for shard in unit.shards:
        here = hits.filter(pl.col("shard") == shard)
        table = here.select(FOUND_HITS.names).to_arrow().cast(FOUND_HITS)
        files.append(shards.write_shard(unit.root, unit.path(FOUND, shard), [table], FOUND_HITS))
        reasons = _reasons(here, sizes[shard], unit.settings["cut_share"])
        path = unit.path(f"work/{unit.stage}", shard)
        files.append(shards.write_shard(unit.root, path, [reasons], VERDICTS))
    return Tally(files, {"contamination": _by_task(unit, hits)})


def told_apart(hits: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """Hits whose text is short and stands in many documents become `common`, but for those in a copy of the set.

    Args:
        hits: FOUND_HITS, and `shard` and `alive`: documents that were dropped before count nothing.
    """
    document = pl.struct("shard", "row")
    hits = hits.with_columns(
        copied=pl.col("item").n_unique().over("shard", "row", "task") >= evidence.copied_items
    )
    single = hits.filter(pl.col("alive") & ~pl.col("copied"))
    spread = single.group_by("task", "item", "field").agg(documents=document.n_unique())
    hits = hits.join(spread, on=["task", "item", "field"], how="left", maintain_order="left")
    is_common = (
        (pl.col("evidence") == SHORT) & ~pl.col("copied") & (pl.col("documents") > evidence.max_documents)
    )
    return hits.with_columns(
        evidence=pl.when(is_common.fill_null(False)).then(pl.lit(COMMON)).otherwise("evidence")
    )


def dropping(hits: pl.DataFrame, cut_share: float | None) -> pl.DataFrame:
    """Of one shard's hits, with what is common told apart, those for which their documents are dropped."""
    found = hits.filter(pl.col("evidence") != COMMON)
    if cut_share is None:
        return found
    return found.filter(pl.col("row").is_in(cuts.too_much(found, cut_share).implode()))


def _reasons(hits: pl.DataFrame, num_rows: int, cut_share: float | None) -> pa.Table:
    """A row a document: `contaminated:TASK` for each task of which it holds an item, sorted."""
    found = dropping(hits, cut_share)
    reasons = found.group_by("row").agg(reasons=pl.lit("contaminated:") + pl.col("task").unique().sort())
    rows = pl.DataFrame({"row": pl.int_range(num_rows, dtype=pl.Int32, eager=True)})
    every = rows.join(reasons, on="row", how="left", maintain_order="left")
    none = pl.lit([], pl.List(pl.String))
    return every.select(pl.col("reasons").fill_null(none)).to_arrow().cast(VERDICTS)


def _by_task(unit: Unit, hits: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Items of each task, how many were found, in how many documents; and those that are common sentences."""
    items = pl.DataFrame(
        pl.from_arrow(shards.read_shard(unit.url(f"work/{INDEX}", _ITEMS), ["task", "role"]))
    )
    counts = dict(items.filter(pl.col("role") == "evaluation").group_by("task").len().iter_rows())
    alive = hits.filter("alive")
    leaks, common = alive.filter(pl.col("evidence") != COMMON), alive.filter(pl.col("evidence") == COMMON)
    document = pl.struct("shard", "row").n_unique()

    def counted(found: pl.DataFrame, what: pl.Expr) -> Mapping[Any, int]:
        return dict(found.group_by("task").agg(what.alias("n")).iter_rows())

    columns = {
        "items_found": counted(leaks, pl.col("item").n_unique()),
        "documents": counted(leaks, document),
        "items_common": counted(common, pl.col("item").n_unique()),
    }
    return {
        task: {"items": counts[task], **{name: found.get(task, 0) for name, found in columns.items()}}
        for task in sorted(counts)
    }


def cut_shard(unit: Unit) -> Tally:
    """Map: found hits → edits/decontaminate/, a row a span that goes; of documents that are dropped, none."""
    hits = pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(FOUND))))
    hits = hits.filter(pl.col("evidence") != COMMON)
    kept = hits.filter(~pl.col("row").is_in(cuts.too_much(hits, unit.settings["cut_share"]).implode()))
    return edits.write_edits(unit, cuts.Cutter(kept).find)


def hits_of_row(root: str, shard: str, row: int) -> Sequence[Mapping[str, Any]]:
    """What was found in one document, for `explain`."""
    table = shards.read_shard(shards.join(root, f"{FOUND}/{shard}.parquet"))
    return pl.DataFrame(pl.from_arrow(table)).filter(pl.col("row") == row).drop("row").to_dicts()
