"""What a row of some files lacks: PIQA's labels lie in a file beside it, a record of ReCoRD holds several questions.

Sources: ybisk/ybisk.github.io, piqa/data (valid.jsonl, valid-labels.lst); SuperGLUE's ReCoRD (val.jsonl).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chejil.eval.harness.task_rows import Row


def beside(family: str, path: Path) -> Path | None:
    """The file that belongs to another: PIQA's labels; None where there is none."""
    labels = path.with_name(f"{path.stem}-labels.lst")
    return labels if family == "piqa" and labels.is_file() else None


def completed(family: str, path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """Rows with what belongs to them, an item each."""
    labels = beside(family, path)
    if labels is not None:
        yield from _labelled(rows, labels.read_text("utf-8").split(), labels)
    elif family == "record":
        for row in rows:
            yield from _questions(row)
    else:
        yield from rows


def _labelled(rows: Iterator[Row], labels: list[str], path: Path) -> Iterator[Row]:
    count = 0
    for count, row in enumerate(rows, 1):
        if row.fault is None and count > len(labels):
            yield Row(row.place, fault=f"{path.name} has {len(labels)} labels, none for it")
        else:
            yield row if row.fault else Row(row.place, {**row.fields, "label": labels[count - 1]})
    if count < len(labels):
        yield Row(str(path), fault=f"{len(labels)} labels for {count} rows")


def _questions(row: Row) -> Iterator[Row]:
    passage, questions = row.fields.get("passage"), row.fields.get("qas")
    if row.fault or not isinstance(passage, Mapping) or not isinstance(questions, list):
        yield row
        return
    for question in questions:
        yield _question(row.place, passage, question)


def _question(place: str, passage: Mapping[str, Any], question: Mapping[str, Any]) -> Row:
    """The hub's fields; the end of an entity is its last character, not the one behind."""
    try:
        text = passage["text"]
        entities = [text[one["start"] : one["end"] + 1] for one in passage["entities"]]
        answers = [answer["text"] for answer in question["answers"]]
        return Row(
            place, {"passage": text, "query": question["query"], "entities": entities, "answers": answers}
        )
    except (KeyError, TypeError) as error:
        return Row(place, fault=f"no record of ReCoRD: {error}")
