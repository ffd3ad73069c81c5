"""Tasks and suites as data (suites.yaml): what `--suite` may name.

Names and rows are those of the published tables (published.yaml), so that a result of a suite stands beside them; a
test holds both files together. A suite may name suites: `koen` is `kobest` and `en14`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean
from chejil.eval import measures

LIKELIHOODS = measures.LIKELIHOODS
"""Of every task: the probability of the right answers among the choices, raw and by the bytes of the choice. It moves
where accuracy of a small model stands still (Schaeffer et al. 2023, arXiv:2304.15004)."""


class Task(BaseModel):
    """A task of the harness."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: str = Field(description="Its YAML below lm_eval/tasks.")
    split: str = Field(description="Of the data set on the hub.")
    family: str = Field(description="Whose layouts its files have.")
    files: tuple[str, ...] = Field(min_length=1, description="Endings of paths of its files.")
    metrics: tuple[str, ...] = Field(min_length=1, description="Rows of the table.")
    tag: str | None = Field(None, description="Of its rows where one file holds several tasks.")
    labels: dict[str, str] = Field({}, description="What its answers are called.")


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    tasks: dict[str, Task]
    suites: dict[str, tuple[str, ...]]


@cache
def _data() -> _Data:
    content = yaml.safe_load((resources.files("chejil.eval.harness") / "suites.yaml").read_text("utf-8"))
    for task in content["tasks"].values():
        task["labels"] = {str(label): name for label, name in task.get("labels", {}).items()}
    return _Data.model_validate(content)


def tasks() -> dict[str, Task]:
    """All tasks by name, in the order of the tables."""
    return _data().tasks


def suites() -> dict[str, tuple[str, ...]]:
    """All suites by name."""
    return _data().suites


def named(text: str) -> list[str]:
    """Tasks of a suite, or of suites and tasks between commas; each once, in the order of the tables.

    >>> named("kobest")[:2], named("piqa,kobest_copa,piqa")
    (['kobest_boolq', 'kobest_copa'], ['kobest_copa', 'piqa'])

    Raises:
        ChejilError: none is named, or an unknown one.
    """
    found = set(_expanded([name.strip() for name in text.split(",") if name.strip()]))
    if not found:
        raise ChejilError("no task is named", mend=f"--suite {', '.join(suites())}, or tasks between commas")
    return [name for name in tasks() if name in found]


def _expanded(names: list[str]) -> Iterator[str]:
    for name in names:
        if name in suites():
            yield from _expanded(list(suites()[name]))
        elif name in tasks():
            yield name
        else:
            raise ChejilError(f"no suite or task '{name}'", mend=did_you_mean(name, [*suites(), *tasks()]))
