"""Results that tests make: small, with answers that are drawn."""

import random

from chejil.eval.results import Result


def items(count, right, seed=0, classes=2, constant=None):
    """Items with a share of right answers; or one answer to all."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        gold = number % classes
        guess = gold if rng.random() < right else (gold + 1) % classes
        answer = guess if constant is None else constant
        found.append(
            {"id": f"i{number:04}", "gold": gold, "predicted": answer, "correct": gold == answer,
             "log_likelihoods": [-1.5, -2.25]}
        )  # fmt: skip
    return found


def task(name="kobest_boolq", metrics=("macro_f1", "acc"), **options):
    return {
        "task": name,
        "metrics": list(metrics),
        "labels": {"0": "아니오", "1": "예"},  # no, yes
        "inputs": {"test.tsv": "0" * 32},
        "items": items(**options),
    }


def result(*tasks, name="tiny", mode="polyglot"):
    content = {"model": {"name": name}, "mode": mode, "versions": {"chejil": "0.1.0"}, "tasks": list(tasks)}
    return Result.model_validate(content)
