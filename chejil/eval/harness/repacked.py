"""Items that LLM-Adapters repacked (`instruction`, `answer`), parsed back into question and choices.

Exact or not at all: an item counts where each mark stands once and in order, and writing it again gives the same bytes.
BoolQ cannot be had back: its passage was left out. Source: AGI-Edgerunners/LLM-Adapters, dataset/*/test.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from chejil.eval.harness.fields import Fields, text
from chejil.eval.harness.task_rows import BadRow


@dataclass(frozen=True, slots=True)
class Packing:
    """What stands around the parts: `before` the question, `word` and a number before each choice, `between` choices,
    `after` the last."""

    before: str
    word: str
    between: str
    after: str


ANSWERS = Packing("Please choose the correct answer to the question: ", "Answer", " ", "\n\n")
SOLUTIONS = Packing("Please choose the correct solution to the question: ", "Solution", "\n\n", "\n\n")
OPTIONS = Packing(
    "Please choose the correct answer to fill in the blank to complete the given sentence: ",
    "Option",
    " ",
    " ",
)


def parse(row: Fields, packing: Packing) -> tuple[str, list[str], int]:
    """Question, choices, and the right choice's place.

    Raises:
        BadRow: it cannot be told for sure.
    """
    whole = text(row, "instruction")
    if not whole.startswith(packing.before):
        raise BadRow(f"'instruction' does not begin with '{packing.before.strip()}'")
    body, _, names = whole.removeprefix(packing.before).rpartition("Answer format: ")
    known = names.split("/")
    if not body or known != [f"{packing.word.lower()}{number}" for number in range(1, len(known) + 1)]:
        raise BadRow("'instruction' does not end with the format of its answers")
    question, *choices = _parts(body, packing, len(known))
    if text(row, "answer") not in known:
        raise BadRow(f"'answer' is {row['answer']!r}, not one of {', '.join(known)}")
    return question, choices, known.index(row["answer"])


def _parts(body: str, packing: Packing, count: int) -> list[str]:
    if not body.endswith(packing.after):
        raise BadRow("what follows the last choice is not as in the others")
    rest, parts = body[: len(body) - len(packing.after)], []
    for number in range(1, count + 1):
        gap = packing.between if number > 1 else "\n\n"
        mark = f"{gap}{packing.word}{number}: "
        if rest.count(mark) != 1:
            raise BadRow(f"'{mark.strip()}' stands {rest.count(mark)} times in it")
        part, rest = rest.split(mark)
        parts.append(part)
    parts.append(rest)
    if not all(part.strip() for part in parts):
        raise BadRow("the question or a choice is empty")
    return parts
