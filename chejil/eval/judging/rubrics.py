"""Rubrics: what a judge is asked and by which criteria (rubrics.yaml), and the messages that are made of them.

A judge is asked in English unless Korean is chosen: KULLM3 found that an English prompt is scored more accurately also
for Korean answers. Texts are put in all at once, so a question that holds `{answer}` stays what it is; question and
answer stand between marks with a tag drawn from their own bytes, so that no answer can close its quotation and speak to
the judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import xxhash
import yaml
from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.judging.prompts import Prompt

PAIRWISE = "pairwise"
Lang = Literal["en", "ko"]
Messages = list[dict[str, str]]
_PLACE = re.compile(r"\{(\w+)\}")


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ends(_Data):
    """What the ends of the scale mean."""

    five: str
    one: str


class Rubric(_Data):
    """What is asked, by language."""

    title: str
    about: str
    low: int = Field(description="The worst score.")
    high: int = Field(description="The best score, of every criterion.")
    overall: str | None = Field(description="The criterion that sums up; null: the mean of all.")
    reply_tokens: int = Field(gt=0, description="What a reply is expected to take, for the estimate.")
    criteria: dict[str, dict[Lang, Ends]]
    system: dict[Lang, str]
    prompt: dict[Lang, str]

    @property
    def hash(self) -> str:
        """Of everything in it: scores under another rubric are other scores."""
        return xxhash.xxh3_64_hexdigest(self.model_dump_json().encode())


@cache
def _content() -> Mapping[str, Any]:
    return yaml.safe_load((resources.files("chejil.eval.judging") / "rubrics.yaml").read_text("utf-8"))


def rubric(name: str) -> Rubric:
    """A rubric by its name.

    Raises:
        ChejilError: there is none.
    """
    known = [one for one in _content() if one != "again"]
    if name not in known:
        raise ChejilError(f"no rubric '{name}'", mend=did_you_mean(name, known))
    return Rubric.model_validate(_content()[name])


def form(rubric: Rubric) -> str:
    """The JSON that is to be answered.

    >>> form(rubric("pairwise"))
    '{"explanation": "…", "better": "A"}'
    """
    if not rubric.criteria:
        return json.dumps({"explanation": "…", "better": "A"}, ensure_ascii=False)
    return (
        "{"
        + ", ".join(f'"{name}": {{"explanation": "…", "score": {rubric.low}}}' for name in rubric.criteria)
        + "}"
    )


def messages(rubric: Rubric, lang: Lang, prompt: Prompt, answers: tuple[str, ...]) -> Messages:
    """What is sent to a judge: one answer, or two of a pair in their order."""
    whole = "\0".join((prompt.question, *answers))
    texts = {
        "task": prompt.task,
        "question": prompt.question,
        "criteria": _criteria(rubric, lang),
        "form": form(rubric),
        "tag": xxhash.xxh3_64_hexdigest(whole.encode())[:8],
        **dict(zip(("first", "second") if len(answers) > 1 else ("answer",), answers, strict=True)),
    }
    return [
        {"role": "system", "content": rubric.system[lang]},
        {"role": "user", "content": filled(rubric.prompt[lang], texts)},
    ]


def _criteria(rubric: Rubric, lang: Lang) -> str:
    return "\n".join(
        f"- {name}: {rubric.high} = {ends[lang].five}; {rubric.low} = {ends[lang].one}"
        for name, ends in rubric.criteria.items()
    )


def again(rubric: Rubric, lang: Lang, fault: str) -> str:
    """What is said to a judge whose reply cannot be used."""
    return filled(_content()["again"][lang], {"fault": fault, "form": form(rubric)})


def filled(template: str, texts: Mapping[str, str]) -> str:
    """A template with its texts, put in at once.

    >>> filled("{a} and {b}", {"a": "{b}", "b": "x"})
    '{b} and x'
    """
    return _PLACE.sub(lambda found: texts[found[1]], template)
