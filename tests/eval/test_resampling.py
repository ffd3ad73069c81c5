"""Errors and differences: they are right on average, seeded, and do not see the order of items."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.eval import resampling
from chejil.eval.results import Item

sys.path.insert(0, str(Path(__file__).parent))
import small_results as small


def loaded(**options):
    return [Item.model_validate(one) for one in small.items(**options)]


def test_the_error_of_an_accuracy_is_that_of_a_proportion():
    """√(p(1−p)/n), within what 4,000 samples leave open."""
    items = loaded(count=1000, right=0.7)
    cells = resampling.cells(("acc",), [items])

    drawn = resampling.bootstrap("copa", ("acc",), cells)[0, 0]

    accuracy = sum(item.correct for item in items) / 1000
    assert resampling.point(("acc",), cells)[0] == pytest.approx(accuracy)
    assert drawn.std() == pytest.approx((accuracy * (1 - accuracy) / 1000) ** 0.5, rel=0.05)
    assert drawn.mean() == pytest.approx(accuracy, abs=0.002)


def test_the_bootstrap_of_macro_f1_is_that_of_items_one_by_one():
    """Cells and a multinomial draw give the spread that drawing items does."""
    items = loaded(count=120, right=0.65, classes=3)
    cells = resampling.cells(("macro_f1",), [items])
    rng = np.random.default_rng(5)
    plain = []
    for _ in range(2000):
        chosen = [items[place] for place in rng.integers(0, 120, 120)]
        gold, predicted = [one.gold for one in chosen], [one.predicted for one in chosen]
        plain.append(resampling.scores.macro_f1_of(gold, predicted))

    drawn = resampling.bootstrap("any", ("macro_f1",), cells)[0, 0]

    assert drawn.std() == pytest.approx(np.std(plain), rel=0.07)
    assert drawn.mean() == pytest.approx(np.mean(plain), abs=0.006)


@given(st.randoms(use_true_random=False))
def test_the_order_of_items_changes_nothing(rng):
    """Not a digit."""
    items = loaded(count=60, right=0.6)
    shuffled = items.copy()
    rng.shuffle(shuffled)
    both = [resampling.cells(("macro_f1", "acc"), [one]) for one in (items, shuffled)]

    first, second = (resampling.bootstrap("any", ("macro_f1", "acc"), cells, 50) for cells in both)

    assert (first == second).all()


def test_equal_runs_differ_by_nothing():
    """p is 1, and the interval has no width."""
    items = loaded(count=200, right=0.6)
    cells = resampling.cells(("macro_f1",), [items, items])

    first, second = resampling.bootstrap("any", ("macro_f1",), cells)
    null = resampling.permuted("any", ("macro_f1",), cells)

    assert (first == second).all()
    assert resampling.p_value(0.0, null[0]) == 1.0


def test_a_permutation_is_a_swap_of_answers():
    """Against a plain one, item by item: the same spread, centred at 0."""
    one, two = loaded(count=150, right=0.7, seed=1), loaded(count=150, right=0.5, seed=2)
    cells = resampling.cells(("macro_f1",), [one, two])
    rng, plain = np.random.default_rng(7), []
    gold = [item.gold for item in one]
    for _ in range(1500):
        coins = rng.random(150) < 0.5
        pairs = [(b, a) if coin else (a, b) for a, b, coin in zip(one, two, coins, strict=True)]
        mine, theirs = ([side.predicted for side in sides] for sides in zip(*pairs, strict=True))
        plain.append(resampling.scores.macro_f1_of(gold, theirs) - resampling.scores.macro_f1_of(gold, mine))

    null = resampling.permuted("any", ("macro_f1",), cells)[0]

    assert null.std() == pytest.approx(np.std(plain), rel=0.08)
    assert abs(null.mean()) < 0.004


def test_p_values_of_equal_models_are_spread_evenly():
    """Of 200 pairs of equally good runs about one in twenty is below 0.05: no more are called better than should be."""
    low = 0
    for seed in range(200):
        one = loaded(count=80, right=0.6, seed=seed)
        two = loaded(count=80, right=0.6, seed=1000 + seed)
        cells = resampling.cells(("acc",), [one, two])
        observed = resampling.point(("acc",), cells, 1) - resampling.point(("acc",), cells, 0)
        null = resampling.permuted(f"{seed}", ("acc",), cells, 400)
        low += resampling.p_value(float(observed[0]), null[0]) < 0.05

    assert 1 <= low <= 20


def test_holm_is_never_below_what_it_adjusts_and_keeps_the_order():
    """The smallest times all, and so on; none above 1."""
    assert resampling.holm([0.5, 0.01, 0.9, 0.02]) == [1.0, 0.04, 1.0, 0.06]
    assert resampling.holm([]) == []
