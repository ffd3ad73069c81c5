"""What lm-eval says of an item, as an item of a result: answers, likelihoods of all choices, scores of its own.

`predicted` is the choice with the greatest summed log-likelihood, as lm-eval's acc and F1 take it. `gold_prob` is the
probability of the right answers among the choices (softmax of the log-likelihoods), `gold_prob_bytes` the same after
each is divided by the bytes of its choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.contamination import hashes
from chejil.eval.harness.suites import LIKELIHOODS
from chejil.eval.results import Item

_OWN_ANSWER = ("record",)
_NO_ANSWER = ("truthfulqa_mc2",)


def item(name: str, key: str, task: Any, sample: Mapping[str, Any], metrics: Sequence[str]) -> Item:
    """An item of a result.

    Args:
        name: the task's.
        key: the item's id.
        task: lm-eval's.
        sample: what lm-eval logs of it.
        metrics: of the task, in a result.

    Raises:
        ChejilError: a log-likelihood is no number.
    """
    document, answers = sample["doc"], sample["filtered_resps"]
    sums = tuple(float(answer[0]) for answer in answers)
    if not all(map(math.isfinite, sums)):
        raise ChejilError(
            f"{name}: a log-likelihood of item {key} is {sums}", mend="--dtype float32, or mend the weights"
        )
    num_bytes = choice_bytes(task, document, sample)
    right = right_choices(name, task, document)
    scores = {metric: float(sample[metric]) for metric in metrics if _is_own(name, metric)}
    scores |= dict(zip(LIKELIHOODS, _probabilities(sums, num_bytes, right), strict=True))
    return Item(
        id=key, log_likelihoods=sums, choice_bytes=num_bytes, scores=scores, texts=hashes(document),
        **_answer(name, task, document, sums, right),
    )  # fmt: skip


def _is_own(name: str, metric: str) -> bool:
    """Whether a metric is the mean of items' scores, and does not follow from their answers."""
    return metric not in (*LIKELIHOODS, "macro_f1") and (metric != "acc" or name in _NO_ANSWER)


def _answer(
    name: str, task: Any, document: Mapping[str, Any], sums: Sequence[float], right: Sequence[int]
) -> dict[str, Any]:
    if name in _NO_ANSWER:
        return {"gold": tuple(right), "predicted": None, "correct": None}
    best = int(np.argmax(sums))
    if name in _OWN_ANSWER:
        entity = document["entities"][best]
        return {"gold": tuple(document["answers"]), "predicted": entity, "correct": best in right}
    gold = right[0] if len(right) == 1 else tuple(right)
    return {"gold": gold, "predicted": best, "correct": best in right}


def right_choices(name: str, task: Any, document: Mapping[str, Any]) -> list[int]:
    """Places of the right choices."""
    if name in _NO_ANSWER:
        return [place for place, label in enumerate(document["mc2_targets"]["labels"]) if label == 1]
    if name in _OWN_ANSWER:
        return [place for place, entity in enumerate(document["entities"]) if entity in document["answers"]]
    gold = task.doc_to_text(document) if task.multiple_input else task.doc_to_target(document)
    return [task.doc_to_choice(document).index(gold) if isinstance(gold, str) else int(gold)]


def choice_bytes(task: Any, document: Mapping[str, Any], sample: Mapping[str, Any]) -> tuple[int, ...]:
    """UTF-8 bytes of each choice."""
    return tuple(len(choice.encode()) for choice in choices(task, document, sample))


def choices(task: Any, document: Mapping[str, Any], sample: Mapping[str, Any]) -> list[str]:
    """What was scored, without the space before it: of Winogrande it is the end of the sentence, each time."""
    if task.multiple_input:
        return [arguments[1].strip() for arguments in sample["arguments"]]
    return list(task.doc_to_choice(document))


def _probabilities(
    sums: Sequence[float], num_bytes: Sequence[int], right: Sequence[int]
) -> tuple[float, float]:
    return _share(sums, right), _share(
        [value / size for value, size in zip(sums, num_bytes, strict=True)], right
    )


def _share(values: Sequence[float], right: Sequence[int]) -> float:
    """Softmax at some places.

    >>> _share([0.0, 0.0, -1000.0], [0])
    0.5
    """
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return math.fsum(powers[place] for place in right) / math.fsum(powers)
