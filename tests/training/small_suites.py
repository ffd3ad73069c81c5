"""Suites of a few items made of ids, and trainings whose log-likelihoods are caught."""

import random
from contextlib import contextmanager
from unittest import mock

from chejil.training.suites import suite_file, suite_scores
from chejil.training.suites.suite_file import SuiteHeader, SuiteItem, SuiteTask

METRICS = {"copa": ("acc", "gold_prob", "gold_prob_bytes"), "goals": suite_file.METRICS}


def items(seed, ids=256, longest=40):
    """Nine items: of one task with contexts of their own, of the other with one for all choices."""
    rng = random.Random(seed)

    def text(most):
        return [rng.randrange(2, ids) for _ in range(rng.randint(1, most))]

    found = []
    for number in range(9):
        count = 2 if number % 2 else 4
        sizes = [rng.randint(1, 9) for _ in range(count)]
        found.append(
            SuiteItem(
                task="copa" if number % 2 else "goals",
                id=f"{number}",
                gold=[rng.randrange(count)],
                contexts=[text(longest) for _ in range(count if number % 2 else 1)],
                choices=[text(6) for _ in range(count)],
                num_chars=sizes,
                num_bytes=[3 * size for size in sizes],
            )
        )
    return found


def write(file, tokenizer, made, **more):
    """A suite's file; its path."""
    counts = {name: sum(item.task == name for item in made) for name in METRICS}
    tasks = {
        name: SuiteTask(metrics=METRICS[name], items=count, of=count)
        for name, count in counts.items()
        if count
    }
    header = {
        "suite": "own",
        "mode": "harness",
        "tokenizer": tokenizer,
        "seed": 1,
        "limit": 9,
        "tasks": tasks,
    }
    suite_file.write(str(file), SuiteHeader(**{**header, **more}), made)
    return str(file)


@contextmanager
def caught():
    """Log-likelihoods of all candidates, a scoring an element."""
    found, record = [], suite_scores.record

    def told(suite, log_likelihoods):
        found.append(log_likelihoods)
        return record(suite, log_likelihoods)

    with mock.patch.object(suite_scores, "record", told):
        yield found
