"""Answers of models to prompts: files of them, and what makes them.

A file is JSON lines (id, model, question_hash, answer, finish), as `chejil judge generate` writes it; or a CSV with id
and answer from elsewhere, whose name is the model's. Whatever can answer is an `Answerer`: an endpoint now; a model in
a folder needs only the same two names.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from chejil.curation import settings_file, shards
from chejil.errors import ChejilError
from chejil.eval.judging import asking
from chejil.eval.judging.endpoint import Endpoint
from chejil.eval.judging.prompts import Prompt, PromptSet, well_formed
from chejil.eval.judging.transcripts import Transcripts

_UNSAFE = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Answer:
    """An answer; `question_hash` is the prompt's, None where the file does not say."""

    id: str
    model: str
    answer: str
    question_hash: str | None = None
    finish: str | None = None


class Answerer(Protocol):
    """What answers prompts."""

    name: str

    def answer(self, prompt: Prompt) -> Answer:
        """One answer; may be called from many threads."""


class EndpointAnswerer:
    """A model behind an endpoint; what it said before is not asked again."""

    def __init__(
        self,
        endpoint: Endpoint,
        transcripts: Transcripts,
        options: Mapping[str, Any],
        system: str | None = None,
    ) -> None:
        self.name = endpoint.model
        self._endpoint, self._transcripts = endpoint, transcripts
        self._options, self._system = dict(options), system

    def answer(self, prompt: Prompt) -> Answer:
        """Ask, or look up.

        Raises:
            NoReply: the endpoint gives none.
        """
        reply = asking.cached(self._endpoint, self._transcripts, self.body(prompt))
        return Answer(prompt.id, self.name, reply.text, prompt.hash, reply.finish)

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        return self._endpoint.body([*system, {"role": "user", "content": prompt.question}], self._options)


def file_of(out: str, model: str) -> str:
    """Where a model's answers stand.

    >>> file_of("answers", "lab/model 1")
    'answers/lab_model_1.jsonl'
    """
    return shards.join(out, f"{_UNSAFE.sub('_', model)}.jsonl")


def write(path: str, answers: Sequence[Answer]) -> None:
    """Write answers in the order given; the file appears when it is whole."""
    place = Path(path)
    lines = b"".join(orjson.dumps(asdict(one)) + b"\n" for one in answers)
    shards.write_bytes(str(place.parent), place.name, lines)


def read(path: str, prompts: PromptSet) -> dict[str, Answer]:
    """Answers by the prompt's id; those to other prompts are left out.

    Raises:
        ChejilError: the file is none, an id comes twice, the question was another, or no id is among the prompts.
    """
    text = settings_file.text_of(path, "answers").removeprefix("\ufeff")
    rows = _csv(text, path) if path.endswith(".csv") else _json_lines(text, path)
    asked = {prompt.id: prompt for prompt in prompts.prompts}
    found: dict[str, Answer] = {}
    for where, row in rows:
        if row.id in found:
            raise ChejilError(f"the id '{row.id}' comes twice", where=where, mend="one answer a prompt")
        if row.id in asked:
            if row.question_hash not in (None, asked[row.id].hash):
                mend = "give the --prompts that these answers were made for"
                raise ChejilError(f"the answer '{row.id}' is to another question", where=where, mend=mend)
            found[row.id] = row
    if not found:
        raise ChejilError(
            "no answer to any of the prompts", where=path, mend=f"ids are those of {prompts.name}"
        )
    return found


Rows = Iterator[tuple[str, Answer]]


def _json_lines(text: str, path: str) -> Rows:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            model = str(row.get("model") or Path(path).stem)
            if not isinstance(row["answer"], str):
                raise TypeError("answer is no text")
            text_of_it = well_formed(row["answer"])
            yield (
                where,
                Answer(str(row["id"]), model, text_of_it, row.get("question_hash"), row.get("finish")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            mend = 'a line is {"id": …, "answer": …}, with "model" and "question_hash" where they are known'
            raise ChejilError(f"no answer: {type(error).__name__} {error}", where=where, mend=mend) from None


def _csv(text: str, path: str) -> Rows:
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not {"id", "answer"} <= set(table.fieldnames or ()):
            raise ChejilError(
                "there is no column 'id' or 'answer'", where=path, mend="name both in the first line"
            )
        for row in table:
            yield f"{path}:{table.line_num}", Answer(row["id"].strip(), Path(path).stem, row["answer"] or "")
    except csv.Error as error:
        raise ChejilError(
            f"no CSV: {error}", where=f"{path}:{table.line_num}", mend="save it as CSV"
        ) from None
