"""A result: what a model answered to every item of some tasks, as one JSON file.

Items stand in it, not means alone: only so can errors be drawn, two runs be compared on the same items, a constant
answer be seen, and a clean subset be scored. Nothing in it tells the time or the machine, so equal runs are equal
bytes; hashes name the files that were read.

    format    chejil-eval-result, version 1
    model     name; path, revision, hash where they are known
    mode      harness or polyglot: how prompts were made and encoded; text: documents were scored, nothing was asked
    tasks     of each: metrics (rows of the table), labels, inputs (xxh3-128 by file), items

`macro_f1` and `acc` follow from the items' answers, `bits_per_byte` from the sums of their `nats` and `bytes`; every
other metric is the mean of the items' `scores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chejil.curation import shards
from chejil.errors import ChejilError, RunError

FILE = "result.json"
_MEND = "name a result.json; docs/eval-tables.md describes its fields"
FROM_ANSWERS = ("macro_f1", "acc")
BITS, NATS, BYTES = "bits_per_byte", "nats", "bytes"
"""A metric, and the two scores of an item that it is the ratio of: a mean over bytes, not over items."""
Label = int | str


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Item(_Part):
    """An item and what the model made of it."""

    id: str = Field(description="The same in every run.")
    gold: Label | tuple[Label, ...] = Field(
        description="The right answer; several where each of them counts. Of a document: the hash of its text."
    )
    predicted: Label | None = Field(
        description="The answer taken; null where the task has none, as in truthfulqa_mc2."
    )
    correct: bool | None = Field(description="Whether it is right; null where nothing is predicted.")
    log_likelihoods: tuple[float, ...] = Field(
        (), description="Of each choice, summed over its tokens, nats."
    )
    choice_bytes: tuple[int, ...] = Field(
        (), description="UTF-8 bytes of each choice: what its log-likelihood is divided by."
    )
    texts: tuple[str, ...] = Field(
        (), description="Hashes of its text fields, by which what decontamination found is matched."
    )
    scores: dict[str, float] = Field({}, description="Metrics of this item alone: acc_norm, f1, em, mc2 …")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.predicted is None) != (self.correct is None):
            raise ValueError("predicted and correct are null together or not at all")
        if isinstance(self.gold, tuple) or self.predicted is None:
            return self
        if self.correct != (self.predicted == self.gold):
            raise ValueError(f"correct is {self.correct}, gold {self.gold!r}, predicted {self.predicted!r}")
        return self


class TaskResult(_Part):
    """A task's items."""

    task: str
    metrics: tuple[str, ...] = Field(min_length=1, description="Rows of the table, in this order.")
    labels: dict[str, str] = Field({}, description="What the answers are called, e.g. 0: 아니오.")
    num_fewshot: int = Field(0, ge=0, description="Examples before each item.")
    inputs: dict[str, str] = Field({}, description="xxh3-128 of the files that were read, by name.")
    left_out: int = Field(0, ge=0, description="Broken rows of the files that are no items.")
    cut: int = Field(0, ge=0, description="Prompts that lost their beginning: the model's context is short.")
    items: tuple[Item, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = {item.id for item in self.items}
        if len(ids) < len(self.items):
            raise ValueError(f"task {self.task}: {len(self.items) - len(ids)} ids come twice")
        for metric in self.metrics:
            for item in self.items:
                _require(self.task, metric, item)
        return self


def _require(task: str, metric: str, item: Item) -> None:
    if metric == BITS:
        if not {NATS, BYTES} <= item.scores.keys():
            raise ValueError(f"task {task}: item {item.id} has no scores '{NATS}' and '{BYTES}'")
        return
    if metric in item.scores and metric != "macro_f1":
        return
    if metric not in FROM_ANSWERS or item.predicted is None:
        raise ValueError(f"task {task}: item {item.id} has no score '{metric}'")
    if metric == "macro_f1" and isinstance(item.gold, tuple):
        raise ValueError(f"task {task}: macro_f1 needs one right answer, item {item.id} has several")


class ModelIdentity(_Part):
    """Which model answered."""

    name: str
    path: str | None = None
    revision: str | None = None
    hash: str | None = Field(None, description="xxh3-128 of the weights.")


class Result(_Part):
    """A result file."""

    format: Literal["chejil-eval-result"] = "chejil-eval-result"
    version: Literal[1] = 1
    model: ModelIdentity
    mode: Literal["harness", "polyglot", "text"]
    versions: dict[str, str] = Field({}, description="Of packages, by name.")
    settings: dict[str, bool | int | float | str | None] = {}
    tasks: tuple[TaskResult, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [task.task for task in self.tasks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"these tasks come twice: {', '.join(twice)}")
        return self


def write(path: str, result: Result) -> None:
    """Write a result; the file appears when it is whole."""
    place = Path(path)
    shards.write_json(str(place.parent), place.name, result.model_dump(mode="json"))


def read(path: str) -> Result:
    """Read a result.

    Args:
        path: a file, or a folder that holds result.json.

    Raises:
        ChejilError: it is not there, or no result, with the first fault's place in it.
    """
    where = shards.join(path, FILE) if Path(path).is_dir() else path
    try:
        content = shards.read_json(where)
    except RunError as error:
        # What reads a run's own files says "remove it"; this file may be somebody's only copy.
        raise ChejilError(f"no result: {error.what}", where=where, mend=_MEND) from None
    if content is None:
        raise ChejilError("there is no such result", where=where, mend="name a result.json, or its folder")
    try:
        return Result.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        what = f"{place}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        raise ChejilError(f"no result: {what}", where=where, mend=_MEND) from None


def read_all(paths: Sequence[str]) -> dict[str, Result]:
    """Results by the name that a table shows: the model's, with its path behind where names are equal.

    Raises:
        ChejilError: one cannot be read, or is named twice.
    """
    if len(set(paths)) < len(paths):
        raise ChejilError("a result is named twice", mend="name each once")
    found = [(path, read(path)) for path in paths]
    names = [result.model.name for _, result in found]
    return {
        result.model.name if names.count(result.model.name) == 1 else f"{result.model.name} ({path})": result
        for path, result in found
    }
