"""A suite: items of evaluation tasks whose candidates are token ids already, as JSON lines.

    line 1      SuiteHeader: what it is made of, by hashes
    line 2 …    SuiteItem, an item a line

So a training needs no harness, no prompts and no tokenizer to score it, and what is scored cannot change under a
training: metrics tell the file's hash. `chejil eval suite` writes it (chejil/eval/harness/suite_items.py); 500 items of
KoBEST are 0.5 MB and are read in 30 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeVar

import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chejil.curation import shards
from chejil.errors import ChejilError

FORMAT: Literal["chejil-suite"] = "chejil-suite"
METRICS = ("acc", "acc_norm", "gold_prob", "gold_prob_bytes")
"""Of a task, in the order in which they are told; see suite_scores.py."""

Metric = Literal["acc", "acc_norm", "gold_prob", "gold_prob_bytes"]
Ids = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1)]
_MEND = "make it anew: chejil eval suite --suite kobest --tokenizer FOLDER --out FILE"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SuiteTask(_Part):
    """A task of a suite."""

    metrics: tuple[Metric, ...] = Field(min_length=1, description="What is told of it.")
    items: int = Field(ge=1, description="In the suite.")
    of: int = Field(ge=1, description="Items that they were chosen from.")
    inputs: dict[str, str] = Field({}, description="xxh3-128 of the files they are from, by name.")


class SuiteHeader(_Part):
    """What a suite is made of."""

    format: Literal["chejil-suite"] = FORMAT
    version: Literal[1] = 1
    suite: str = Field(min_length=1, description="Its name: what --suite said.")
    mode: Literal["harness", "polyglot"] = Field(description="How prompts are made and encoded.")
    tokenizer: str = Field(description="TokenizerFile.hash of what encoded it.")
    begin: tuple[int, ...] = Field((), description="Ids that this tokenizer puts before each text by itself.")
    seed: int = Field(ge=0, description="Of the choice.")
    limit: int = Field(ge=1, description="Items of each task at most.")
    versions: dict[str, str] = Field({}, description="Of what made the prompts.")
    tasks: dict[str, SuiteTask] = Field(min_length=1)


class SuiteItem(_Part):
    """An item: its candidates, of which a model gives each a log-likelihood."""

    task: str
    id: str = Field(description="That of the item in a result of `chejil eval run`.")
    gold: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, description="Right choices.")
    contexts: tuple[Ids, ...] = Field(min_length=1, description="What stands before: one, or one a choice.")
    choices: tuple[Ids, ...] = Field(min_length=2, description="What is scored.")
    num_chars: tuple[Annotated[int, Field(ge=1)], ...] = Field(description="Of each choice, for acc_norm.")
    num_bytes: tuple[Annotated[int, Field(ge=1)], ...] = Field(description="UTF-8, for gold_prob_bytes.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        count = len(self.choices)
        if len(self.contexts) not in (1, count) or {len(self.num_chars), len(self.num_bytes)} != {count}:
            raise ValueError(f"{count} choices, but other numbers of contexts, num_chars or num_bytes")
        if max(self.gold) >= count:
            raise ValueError(f"gold {max(self.gold)} of {count} choices")
        return self

    def context(self, choice: int) -> tuple[int, ...]:
        """What stands before a choice."""
        return self.contexts[choice if len(self.contexts) > 1 else 0]


@dataclass(frozen=True)
class Suite:
    """A suite as it was read.

    Args:
        hash: xxh3-128 of the file.
    """

    path: str
    hash: str
    header: SuiteHeader
    items: tuple[SuiteItem, ...]

    def require_tokenizer(self, tokenizer: str, num_rows: int) -> None:
        """Refuse ids of another tokenizer.

        Args:
            tokenizer: TokenizerFile.hash of the training's.
            num_rows: ids that the model has.

        Raises:
            ChejilError: it is another, or there is an id that the model has no row for.
        """
        if self.header.tokenizer != tokenizer:
            what = f"the suite is of another tokenizer: {self.header.tokenizer[:12]}, not {tokenizer[:12]}"
            mend = "make it with the training's: chejil eval suite … --tokenizer FOLDER"
            raise ChejilError(what, where=self.path, mend=mend)
        highest = max(max(ids) for item in self.items for ids in (*item.contexts, *item.choices))
        if highest >= num_rows:
            raise ChejilError(
                f"the suite has id {highest:,}, the model {num_rows:,} rows", where=self.path, mend=_MEND
            )


def write(path: str, header: SuiteHeader, items: Sequence[SuiteItem]) -> None:
    """Write a suite; the file appears when it is whole."""
    with shards.new_file(path) as stream:
        for part in (header, *items):
            stream.write(part.model_dump_json().encode() + b"\n")


def read(path: str) -> Suite:
    """Read a suite.

    Raises:
        ChejilError: there is none, or it is damaged, with the line.
    """
    try:
        content = shards.file_system(path)[0].cat_file(shards.file_system(path)[1])
    except (FileNotFoundError, IsADirectoryError):
        raise ChejilError("there is no such suite", where=path, mend=_MEND) from None
    first, *rest = content.splitlines() or [b""]
    header = _parsed(SuiteHeader, first, f"{path}:1")
    items = tuple(_parsed(SuiteItem, line, f"{path}:{number}") for number, line in enumerate(rest, 2))
    found = Suite(path, xxhash.xxh3_128_hexdigest(content), header, items)
    _require_whole(found)
    return found


_Model = TypeVar("_Model", SuiteHeader, SuiteItem)


def _parsed(kind: type[_Model], line: bytes, where: str) -> _Model:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        said = fault["msg"].removeprefix("Value error, ")
        raise ChejilError(f"no suite: {place}: {said}".replace(": :", ":"), where=where, mend=_MEND) from None


def _require_whole(suite: Suite) -> None:
    counts = dict.fromkeys(suite.header.tasks, 0)
    for item in suite.items:
        if item.task not in counts:
            raise ChejilError(f"an item of task '{item.task}'", where=suite.path, mend=_MEND)
        counts[item.task] += 1
    for name, task in suite.header.tasks.items():
        if counts[name] != task.items:
            what = f"the suite is cut: {counts[name]:,} of {task.items:,} items of {name}"
            raise ChejilError(what, where=suite.path, mend=_MEND)
