"""Scores: macro-F1 as scikit-learn has it: a plain reference, values by hand, and the real one if it is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.eval import scores

ANSWERS = st.integers(1, 5).flatmap(
    lambda classes: st.lists(
        st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40
    )
)


def plain_macro_f1(pairs):
    """By the definition, class by class."""
    found = []
    for label in {label for pair in pairs for label in pair}:
        right = sum(gold == label == predicted for gold, predicted in pairs)
        golds = sum(gold == label for gold, _ in pairs)
        predictions = sum(predicted == label for _, predicted in pairs)
        precision = right / predictions if predictions else 0.0
        recall = right / golds if golds else 0.0
        both = precision + recall
        found.append(2 * precision * recall / both if both else 0.0)
    return sum(found) / len(found)


@given(ANSWERS)
def test_macro_f1_is_its_definition(pairs):
    """Over the classes that occur on either side."""
    gold, predicted = zip(*pairs, strict=True)

    assert scores.macro_f1_of(gold, predicted) == pytest.approx(plain_macro_f1(pairs), abs=1e-12)


@given(ANSWERS)
def test_macro_f1_is_scikit_learns(pairs):
    """Where it is installed."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    gold, predicted = zip(*pairs, strict=True)

    theirs = metrics.f1_score(gold, predicted, average="macro", zero_division=0)

    assert scores.macro_f1_of(gold, predicted) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        # By scikit-learn 1.9.1, f1_score(average="macro", zero_division=0).
        ([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], 0.26666666666666666),
        ([0, 0, 1, 1], [1, 1, 0, 0], 0.0),
        ([0, 0, 0], [0, 0, 0], 1.0),
        ([0, 0, 1], [0, 0, 2], 1 / 3),  # a class that is predicted alone counts with 0
        ([0, 1] * 50, [1] * 100, 1 / 3),  # a constant answer
    ],
)
def test_macro_f1_by_hand(gold, predicted, expected):
    """Values that scikit-learn's documentation and a pencil give."""
    assert scores.macro_f1_of(gold, predicted) == pytest.approx(expected)


@given(ANSWERS, st.integers(1, 4))
def test_weights_stand_for_items(pairs, times):
    """A cell of n items scores as n items do."""
    gold, predicted = zip(*pairs, strict=True)
    known = sorted({*gold, *predicted})
    arrays = scores.codes(gold, known), scores.codes(predicted, known)
    weights = np.full((1, len(pairs)), float(times))

    assert scores.macro_f1(*arrays, weights, len(known))[0] == pytest.approx(
        scores.macro_f1_of(gold * times, predicted * times)
    )


def test_a_constant_answer_is_named():
    """One class to everything, or to 95 % and more; not where the gold answers are as one-sided."""
    gold = [0, 1] * 20

    assert scores.constant_answer([1] * 40, gold) == "one class"
    assert scores.constant_answer([1] * 39 + [0], gold) == "nearly one class"
    assert scores.constant_answer([1] * 36 + [0] * 4, gold) is None
    assert scores.constant_answer([1] * 40, [1] * 40) is None
    assert scores.constant_answer([], []) is None
