"""What log-likelihoods of candidates say: metrics of a suite, by task and as means over tasks.

    acc               the choice with the highest log-likelihood is right (of several right ones, one of them)
    acc_norm          the same after each is divided by the characters of its choice, as lm-eval does
    gold_prob         the probability of the right choices: softmax of the log-likelihoods. It moves where accuracy of
                      a small model stands still (Schaeffer et al. 2023, arXiv:2304.15004)
    gold_prob_bytes   the same after each is divided by the bytes of its choice

They are those of `chejil eval run` (chejil/eval/harness/items.py) on the same items; a test holds both together. Of
truthfulqa_mc2 `gold_prob` is what the tables call mc2, of record `acc` is whether the entity is an answer (em).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chejil.training.suites.suite_file import METRICS, Suite, SuiteItem

Scores = dict[str, float | int | None]


def by_task(suite: Suite, log_likelihoods: np.ndarray) -> dict[str, Scores]:
    """Metrics of each task: means over its items, and `num_items`; null where a log-likelihood is no number.

    Args:
        log_likelihoods: (num_candidates) float64, nats, in the order of `Candidates`.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in suite.header.tasks}
    at = 0
    for item in suite.items:
        values = log_likelihoods[at : at + len(item.choices)]
        found[item.task].append(of_item(item, values))
        at += len(item.choices)
    return {
        name: {
            **{metric: _mean([one[metric] for one in items]) for metric in suite.header.tasks[name].metrics},
            "num_items": len(items),
        }
        for name, items in found.items()
    }


def record(suite: Suite, log_likelihoods: np.ndarray) -> dict[str, Any]:
    """What a `suite` record of metrics.jsonl says."""
    tasks = by_task(suite, log_likelihoods)
    named = {"suite": suite.header.suite, "suite_hash": suite.hash}
    return {**named, **means(tasks), "num_items": len(suite.items), "tasks": tasks}


def of_item(item: SuiteItem, log_likelihoods: np.ndarray) -> dict[str, float]:
    """All metrics of an item; NaN where a log-likelihood is no number.

    >>> item = SuiteItem(
    ...     task="t", id="1", gold=[1], contexts=[[1]], choices=[[2], [3]], num_chars=[1, 3], num_bytes=[1, 9]
    ... )
    >>> {name: round(value, 3) for name, value in of_item(item, np.array([-1.0, -2.0])).items()}
    {'acc': 0.0, 'acc_norm': 1.0, 'gold_prob': 0.269, 'gold_prob_bytes': 0.685}
    """
    if not np.isfinite(log_likelihoods).all():
        return dict.fromkeys(METRICS, float("nan"))
    by_char, by_byte = (log_likelihoods / np.array(sizes) for sizes in (item.num_chars, item.num_bytes))
    return {
        "acc": float(log_likelihoods.argmax() in item.gold),
        "acc_norm": float(by_char.argmax() in item.gold),
        "gold_prob": _share(log_likelihoods, item.gold),
        "gold_prob_bytes": _share(by_byte, item.gold),
    }


def means(tasks: dict[str, Scores]) -> Scores:
    """Of each metric the mean over the tasks that have it, each counting the same; null where one has no number."""
    return {
        metric: _mean([scores[metric] for scores in tasks.values() if metric in scores])
        for metric in METRICS
        if any(metric in scores for scores in tasks.values())
    }


def _mean(values: Sequence[float | int | None]) -> float | None:
    numbers = np.array([np.nan if value is None else value for value in values], np.float64)
    return None if np.isnan(numbers).any() else float(numbers.mean())


def _share(values: np.ndarray, places: Sequence[int]) -> float:
    powers = np.exp(values - values.max())
    return float(powers[list(places)].sum() / powers.sum())
