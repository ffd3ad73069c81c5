"""Prompts that models answer: a CSV with id, question, category, task, or self-instruct's user-oriented JSON lines.

The CSV is 42dot's layout (eval/benchmark_set_v2.csv); a fifth column `lang` may say the language, else a question with
Hangul is Korean. Of self-instruct's records (human_eval/user_oriented_instructions.jsonl) every instance is a prompt:
the instruction, and the input below it; the application that they were written for is the category.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import xxhash

from chejil.curation import settings_file
from chejil.errors import ChejilError

SHIPPED = "koen"
COLUMNS = ("id", "question", "category", "task")
_HANGUL = ("\uac00", "\ud7a3")
_MEND_CSV = "a CSV in UTF-8 whose first line is id,question,category,task"


@dataclass(frozen=True)
class Prompt:
    """A prompt; `task` says in a few words what is asked for."""

    id: str
    question: str
    category: str
    task: str
    lang: str

    @property
    def hash(self) -> str:
        """Of the question: an answer to another text is no answer to this one."""
        return xxhash.xxh3_64_hexdigest(self.question.encode())


@dataclass(frozen=True)
class PromptSet:
    """Prompts in the order of the file, and columns of it that are not used."""

    name: str
    prompts: tuple[Prompt, ...]
    ignored: tuple[str, ...] = ()


def load(path: str) -> PromptSet:
    """Read prompts.

    Args:
        path: a .csv, a .jsonl, or `koen`: the set that ships.

    Raises:
        ChejilError: it cannot be read, or a row is none, with its line.
    """
    if path == SHIPPED:
        text = (resources.files("chejil.eval.judging") / "prompts.csv").read_text("utf-8")
    else:
        text = settings_file.text_of(path, "prompts")
    rows, ignored = (_json_lines(text, path), ()) if path.endswith(".jsonl") else _csv(text, path)
    found: dict[str, Prompt] = {}
    for line, prompt in rows:
        if prompt.id in found:
            raise ChejilError(
                f"the id '{prompt.id}' comes twice", where=f"{path}:{line}", mend="ids are unique"
            )
        found[prompt.id] = prompt
    if not found:
        raise ChejilError("there are no prompts", where=path, mend=_MEND_CSV)
    return PromptSet(path, tuple(found.values()), tuple(ignored))


Rows = Iterator[tuple[int, Prompt]]


def _csv(text: str, path: str) -> tuple[Rows, tuple[str, ...]]:
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        heads = tuple(table.fieldnames or ())
    except csv.Error as error:
        raise ChejilError(f"no CSV: {error}", where=path, mend=_MEND_CSV) from None
    missing = [name for name in COLUMNS if name not in heads]
    if missing:
        raise ChejilError(f"there is no column '{missing[0]}'", where=path, mend=_MEND_CSV)
    return _csv_rows(table, path), tuple(name for name in heads if name not in (*COLUMNS, "lang"))


def _csv_rows(table: csv.DictReader, path: str) -> Rows:
    try:
        for row in table:
            where = f"{path}:{table.line_num}"
            if None in row or None in row.values():
                raise ChejilError(
                    "a row with more or fewer columns", where=where, mend='quote texts with ","'
                )
            yield table.line_num, _prompt(row, where)
    except csv.Error as error:
        raise ChejilError(f"no CSV: {error}", where=f"{path}:{table.line_num}", mend=_MEND_CSV) from None


def _prompt(row: Mapping[str, str], where: str) -> Prompt:
    values = {name: row[name].strip() for name in COLUMNS}
    empty = [name for name in COLUMNS if not values[name]]
    if empty:
        raise ChejilError(f"'{empty[0]}' is empty", where=where, mend="fill it in, or take the row out")
    return Prompt(**values, lang=(row.get("lang") or "").strip() or language(values["question"]))


def _json_lines(text: str, path: str) -> Rows:
    # Not splitlines(): a text may hold U+2028, which JSON does not escape.
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield from ((line, prompt) for prompt in _record(content, f"{path}:{line}"))


def _record(content: str, where: str) -> Iterator[Prompt]:
    mend = "a line is {id, instruction, motivation_app, instances: [{input, output}]}"
    try:
        record: Any = json.loads(content)
        instances = record["instances"]
        for number, instance in enumerate(instances):
            name = str(record["id"]) + (f"-{number}" if len(instances) > 1 else "")
            question = "\n\n".join(
                part for part in (record["instruction"].strip(), instance["input"].strip()) if part
            )
            category = record.get("motivation_app") or "Other"
            task = well_formed(record["instruction"].strip())
            yield Prompt(name, well_formed(question), category, task, language(question))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ChejilError(
            f"no record of self-instruct: {type(error).__name__} {error}", where=where, mend=mend
        ) from None


def well_formed(text: str) -> str:
    """A text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot.

    >>> well_formed("a\\ud83d") == "a\\ufffd"
    True
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def language(text: str) -> str:
    """`ko` of a text with a syllable of Hangul, else `en`.

    >>> language("What does 안녕 mean?"), language("Say hello.")
    ('ko', 'en')
    """
    return "ko" if any(_HANGUL[0] <= letter <= _HANGUL[1] for letter in text) else "en"


def categories(prompts: PromptSet) -> dict[str, int]:
    """Prompts by category, in the order of the file."""
    return dict(Counter(prompt.category for prompt in prompts.prompts))
