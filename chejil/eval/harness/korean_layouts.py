"""KoBEST as its authors publish it (TSV of SKT-LSL/KoBEST_datarepo, v1.0) and as on the hub (skt/kobest_v1).

The hub's data set is made of the same files: fields get names, TRUE and True are 1, answers of COPA count from 0. Marks
around WiC's word and blanks at the ends stay, they are part of the prompts. Paper: Kim et al. 2022, arXiv:2204.04541.
"""

from __future__ import annotations

from collections.abc import Mapping

from chejil.eval.harness.fields import NO_YES, Fields, one_of, text, whole
from chejil.eval.harness.layouts import Document, Layout, layout
from chejil.eval.harness.task_rows import BadRow

_LAST_ENDING = 3
_CONNECTED = ("원인", "결과")
"""cause, effect"""


def _boolq(row: Fields, tag: str | None) -> Document:
    return _question(text(row, "Text"), text(row, "Question"), one_of(row, "Answer", NO_YES))


def _hub_boolq(row: Fields, tag: str | None) -> Document:
    return _question(text(row, "paragraph"), text(row, "question"), one_of(row, "label", NO_YES))


def _question(paragraph: str, question: str, label: int) -> Document:
    return {"paragraph": paragraph, "question": question, "label": label}


def _copa(row: Fields, tag: str | None) -> Document:
    endings = text(row, "1"), text(row, "2")
    return _cause(text(row, "sentence"), text(row, "question"), *endings, whole(row, "Answer", 1, 2) - 1)


def _hub_copa(row: Fields, tag: str | None) -> Document:
    endings = text(row, "alternative_1"), text(row, "alternative_2")
    return _cause(text(row, "premise"), text(row, "question"), *endings, whole(row, "label", 0, 1))


def _cause(premise: str, question: str, first: str, second: str, label: int) -> Document:
    if question.strip() not in _CONNECTED:
        raise BadRow(f"'question' is {question!r}, not one of {', '.join(_CONNECTED)}")
    if first == second:
        raise BadRow("both alternatives are the same")
    return {
        "premise": premise,
        "question": question,
        "alternative_1": first,
        "alternative_2": second,
        "label": label,
    }


def _hellaswag(row: Fields, tag: str | None) -> Document:
    endings = {f"ending_{number}": text(row, f"choice{number}") for number in range(1, 5)}
    return {"context": text(row, "context"), **endings, "label": whole(row, "label", 0, _LAST_ENDING)}


def _hub_hellaswag(row: Fields, tag: str | None) -> Document:
    endings = {f"ending_{number}": text(row, f"ending_{number}") for number in range(1, 5)}
    return {"context": text(row, "context"), **endings, "label": whole(row, "label", 0, _LAST_ENDING)}


def _sentineg(row: Fields, tag: str | None) -> Document:
    return {"sentence": text(row, "Text"), "label": whole(row, "Label", 0, 1)}


def _hub_sentineg(row: Fields, tag: str | None) -> Document:
    return {"sentence": text(row, "sentence"), "label": whole(row, "label", 0, 1)}


def _wic(row: Fields, tag: str | None) -> Document:
    contexts = text(row, "SENTENCE1"), text(row, "SENTENCE2")
    return _word(text(row, "Target"), *contexts, one_of(row, "ANSWER", NO_YES))


def _hub_wic(row: Fields, tag: str | None) -> Document:
    contexts = text(row, "context_1"), text(row, "context_2")
    return _word(text(row, "word"), *contexts, one_of(row, "label", NO_YES))


def _word(word: str, first: str, second: str, label: int) -> Document:
    return {"word": word, "context_1": first, "context_2": second, "label": label}


LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "kobest_boolq": (
        layout("authors", "Text,Question,Answer", _boolq),
        layout("hub", "paragraph,question,label", _hub_boolq),
    ),
    "kobest_copa": (
        layout("authors", "sentence,question,1,2,Answer", _copa),
        layout("hub", "premise,question,alternative_1,alternative_2,label", _hub_copa),
    ),
    "kobest_hellaswag": (
        layout("authors", "context,choice1,choice2,choice3,choice4,label", _hellaswag),
        layout("hub", "context,ending_1,ending_2,ending_3,ending_4,label", _hub_hellaswag),
    ),
    "kobest_sentineg": (
        layout("authors", "Text,Label", _sentineg),
        layout("hub", "sentence,label", _hub_sentineg),
    ),
    "kobest_wic": (
        layout("authors", "Target,SENTENCE1,SENTENCE2,ANSWER", _wic),
        layout("hub", "word,context_1,context_2,label", _hub_wic),
    ),
}
