"""Layouts of the English tasks: their authors', the hub's, SuperGLUE's, and what others repacked.

TruthfulQA's table holds no choices; they are made of it as the authors' code does: a full stop at the end, the best
answer (a whole one, semicolons or not) before the wrong ones for mc1, all right ones before the wrong ones for mc2.
Their mc_task.json is objects of choices, so what a cell repeats is one choice: 5 of the 817 questions do. Two of these
call "Unknown." right and wrong; as where such an object is filled in order, it is wrong then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chejil.eval.harness import repacked
from chejil.eval.harness.fields import NO_YES, Fields, one_of, text, texts, whole
from chejil.eval.harness.layouts import Document, Layout, layout
from chejil.eval.harness.task_rows import BadRow

_LETTERS = "ABCDEFGHIJ"
_CHOICE = re.compile(r"(?:^|\s)\(([A-J])\) ")
_ENTAILED = {"entailment": 0, "not_entailment": 1, "0": 0, "1": 1}
_INFERRED = {
    "entailment": 0,
    "neutral": 1,
    "contradiction": 2,
    "e": 0,
    "n": 1,
    "c": 2,
    "0": 0,
    "1": 1,
    "2": 2,
}


def _lettered(question: str, choices: list[str], right: int) -> Document:
    letters = list(_LETTERS[: len(choices)])
    return {"question": question, "choices": {"text": choices, "label": letters}, "answerKey": letters[right]}


def _hub_arc(row: Fields, tag: str | None) -> Document:
    return _lettered(text(row, "question"), *_keyed(row["choices"], row))


def _keyed(choices: Any, row: Fields) -> tuple[list[str], int]:
    if isinstance(choices, list):  # the authors': an object a choice
        choices = {name: [one.get(name) for one in choices] for name in ("text", "label")}
    labels, key = list(choices["label"]), str(row.get("answerKey")).strip()
    if key not in labels:
        raise BadRow(f"'answerKey' is {key!r}, not one of {', '.join(map(str, labels))}")
    found = texts(list(choices["text"]), "choices")
    if len(found) > len(_LETTERS):
        raise BadRow(f"{len(found)} choices")
    return found, labels.index(key)


def _stemmed(row: Fields) -> tuple[str, list[str], int]:
    """An object `question` with `stem` and `choices`, as the authors of ARC and OpenBookQA write them."""
    question = row["question"]
    if not isinstance(question, Mapping) or not question.get("choices"):
        raise BadRow("'question' has no stem and choices")
    return text(question, "stem"), *_keyed(question["choices"], row)


def _arc(row: Fields, tag: str | None) -> Document:
    return _lettered(*_stemmed(row)) if isinstance(row["question"], Mapping) else _hub_arc(row, tag)


def _repacked_arc(row: Fields, tag: str | None) -> Document:
    return _lettered(*repacked.parse(row, repacked.ANSWERS))


def _open_book(question: str, choices: list[str], right: int) -> Document:
    made = _lettered(question, choices, right)
    return {"question_stem": made.pop("question"), **made}


def _hub_openbookqa(row: Fields, tag: str | None) -> Document:
    return _open_book(text(row, "question_stem"), *_keyed(row["choices"], row))


def _table_openbookqa(row: Fields, tag: str | None) -> Document:
    _, *parts = _CHOICE.split(text(row, "Choices"))
    letters, choices = parts[::2], parts[1::2]
    if letters != list(_LETTERS[: len(letters)]) or row["Answer Key"] not in letters:
        raise BadRow("'Choices' or 'Answer Key' cannot be told")
    return _open_book(text(row, "Question Stem"), texts(choices, "Choices"), letters.index(row["Answer Key"]))


def _boolq(row: Fields, tag: str | None) -> Document:
    label = one_of(row, "label" if "label" in row else "answer", NO_YES)
    return {"passage": text(row, "passage"), "question": text(row, "question"), "label": label}


def _anli(row: Fields, tag: str | None) -> Document | None:
    if tag and "tag" in row and not str(row["tag"]).startswith(f"{tag}_"):
        return None
    premise = text(row, "premise" if "premise" in row else "context")
    return {
        "premise": premise,
        "hypothesis": text(row, "hypothesis"),
        "label": one_of(row, "label", _INFERRED),
    }


def _hellaswag(row: Fields, tag: str | None) -> Document:
    endings = texts(row["endings"], "endings")
    if not isinstance(row.get("ctx_b"), str):  # it is empty in items of ActivityNet
        raise BadRow("'ctx_b' is not text")
    return {
        "activity_label": text(row, "activity_label"),
        "ctx_a": text(row, "ctx_a"),
        "ctx_b": row["ctx_b"],
        "endings": endings,
        "label": str(whole(row, "label", 0, len(endings) - 1)),
    }


def _piqa(row: Fields, tag: str | None) -> Document:
    return _goal(text(row, "goal"), [text(row, "sol1"), text(row, "sol2")], whole(row, "label", 0, 1))


def _repacked_piqa(row: Fields, tag: str | None) -> Document:
    return _goal(*repacked.parse(row, repacked.SOLUTIONS))


def _goal(goal: str, solutions: list[str], right: int) -> Document:
    return {"goal": goal, "sol1": solutions[0], "sol2": solutions[1], "label": right}


def _hub_record(row: Fields, tag: str | None) -> Document:
    entities, answers = texts(row["entities"], "entities"), texts(row["answers"], "answers")
    if not set(answers) & set(entities):
        raise BadRow("no answer is among the entities")
    query = text(row, "query")
    if "@placeholder" not in query:
        raise BadRow("'query' has no @placeholder")
    return {
        "passage": text(row, "passage"),
        "query": query,
        "entities": sorted(set(entities)),
        "answers": sorted(set(answers)),
    }


def _rte(row: Fields, tag: str | None) -> Document:
    names = ("premise", "hypothesis") if "premise" in row else ("sentence1", "sentence2")
    first, second = (text(row, name) for name in names)
    return {"sentence1": first, "sentence2": second, "label": one_of(row, "label", _ENTAILED)}


def _wic(row: Fields, tag: str | None) -> Document:
    sentence = text(row, "sentence1")
    start = whole(row, "start1", 0, len(sentence) - 1)
    end = whole(row, "end1", start + 1, len(sentence))
    return {
        "word": text(row, "word"),
        "sentence1": sentence,
        "sentence2": text(row, "sentence2"),
        "start1": start,
        "end1": end,
        "label": one_of(row, "label", NO_YES),
    }


def _winogrande(row: Fields, tag: str | None) -> Document:
    return _blank(
        text(row, "sentence"), [text(row, "option1"), text(row, "option2")], whole(row, "answer", 1, 2) - 1
    )


def _repacked_winogrande(row: Fields, tag: str | None) -> Document:
    return _blank(*repacked.parse(row, repacked.OPTIONS))


def _blank(sentence: str, options: list[str], right: int) -> Document:
    if not sentence.partition("_")[2].strip():
        raise BadRow("no blank (_) with something behind it")
    return {"sentence": sentence, "option1": options[0], "option2": options[1], "answer": str(right + 1)}


def _hub_truthfulqa(row: Fields, tag: str | None) -> Document:
    return {"question": text(row, "question"), **{name: _targets(row[name], name) for name in _TARGETS}}


_TARGETS = ("mc1_targets", "mc2_targets")


def _targets(found: Any, name: str) -> Document:
    if isinstance(found, Mapping) and "choices" not in found:  # the authors': text and 0 or 1
        found = {"choices": list(found), "labels": list(found.values())}
    choices, labels = texts(found["choices"], name), list(found["labels"])
    if len(labels) != len(choices) or not set(labels) <= {0, 1} or 1 not in labels:
        raise BadRow(f"'{name}' has other labels than one 0 or 1 a choice")
    if name == "mc1_targets" and (labels[0] != 1 or sum(labels) != 1):
        raise BadRow("'mc1_targets': the first choice alone must be right")
    return {"choices": choices, "labels": labels}


def _table_truthfulqa(row: Fields, tag: str | None) -> Document:
    best = _sentences([text(row, "Best Answer")])
    right, wrong = (_sentences(text(row, f"{kind} Answers").split(";")) for kind in ("Correct", "Incorrect"))
    made = zip(_TARGETS, (best, right), strict=True)
    targets = {name: dict.fromkeys(true, 1) | dict.fromkeys(wrong, 0) for name, true in made}
    return _hub_truthfulqa({"question": text(row, "Question").strip(), **targets}, tag)


def _sentences(answers: list[str]) -> list[str]:
    found = [answer.strip() for answer in answers]
    return [answer if answer.endswith(".") else f"{answer}." for answer in found if answer]


LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "anli": (
        layout("hub or repacked", "premise,hypothesis,label", _anli),
        layout("authors", "context,hypothesis,label", _anli),
    ),
    "arc": (
        layout("hub", "question,choices,answerKey", _hub_arc),
        layout("authors", "question,answerKey", _arc),
        layout("LLM-Adapters", "instruction,answer", _repacked_arc),
    ),
    "boolq": (
        layout("hub or SuperGLUE", "passage,question,label", _boolq),
        layout("authors", "passage,question,answer", _boolq),
    ),
    "hellaswag": (layout("hub or authors", "activity_label,ctx_a,ctx_b,endings,label", _hellaswag),),
    "openbookqa": (
        layout("hub", "question_stem,choices,answerKey", _hub_openbookqa),
        layout("authors", "question,answerKey", lambda row, tag: _open_book(*_stemmed(row))),
        layout("authors' table", "Question Stem,Choices,Answer Key", _table_openbookqa),
        layout(
            "LLM-Adapters",
            "instruction,answer",
            lambda row, tag: _open_book(*repacked.parse(row, repacked.ANSWERS)),
        ),
    ),
    "piqa": (
        layout("hub or authors", "goal,sol1,sol2,label", _piqa),
        layout("LLM-Adapters", "instruction,answer", _repacked_piqa),
    ),
    "record": (layout("hub or SuperGLUE", "passage,query,entities,answers", _hub_record),),
    "rte": (
        layout("hub or GLUE", "sentence1,sentence2,label", _rte),
        layout("SuperGLUE", "premise,hypothesis,label", _rte),
    ),
    "truthfulqa": (
        layout("hub or authors", "question,mc1_targets,mc2_targets", _hub_truthfulqa),
        layout("authors' table", "Question,Best Answer,Correct Answers,Incorrect Answers", _table_truthfulqa),
    ),
    "wic": (layout("hub or SuperGLUE", "word,sentence1,sentence2,start1,end1,label", _wic),),
    "winogrande": (
        layout("hub or authors", "sentence,option1,option2,answer", _winogrande),
        layout("LLM-Adapters", "instruction,answer", _repacked_winogrande),
    ),
}
