"""Decisions: errors of the first kind and power under known noise; what the percentile bootstrap would say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.eval.ablating.decision import Noise, decide, detectable, document_deviation

SIGMA = 0.004


def by_seed(values):
    return dict(enumerate(map(float, values)))


def many(difference, seeds, count=600, freedom=8, shared=0.0, start=0):
    """Decisions of simulated sweeps: seeds share part of their noise, and the pooled noise is measured, too."""
    rng = np.random.default_rng(start)
    found = []
    for _ in range(count):
        common = rng.normal(0, shared * SIGMA, seeds)
        first, second = rng.normal(0, SIGMA, (2, seeds)) + common
        pooled = None
        if freedom:
            pooled = Noise(float(SIGMA * np.sqrt(rng.chisquare(freedom) / freedom)), freedom)
        found.append(decide(("a", by_seed(first + 1)), ("b", by_seed(second + 1 + difference)), pooled))
    return found


@pytest.mark.parametrize(("seeds", "freedom"), [(1, 8), (3, 8), (3, 0), (5, 4)])
def test_equal_mixtures_are_seldom_called_different(seeds, freedom):
    """The error of the first kind is 5 %, within what 600 sweeps can tell (1.8 points are two deviations)."""
    wrong = np.mean([one.better is not None for one in many(0.0, seeds, freedom=freedom, start=seeds)])
    assert 0.02 < wrong < 0.08


def test_percentiles_of_three_seeds_would_be_wrong_often():
    """The bootstrap of three differences calls equal mixtures different in a quarter of cases: all of one sign."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(600):
        apart = rng.normal(0, SIGMA, 3)
        means = apart[rng.integers(0, 3, (400, 3))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        wrong += not low <= 0 <= high
    assert 0.2 < wrong / 600 < 0.3


def test_the_interval_covers_the_difference():
    """95 % of intervals hold the true difference."""
    held = np.mean([one.low <= -0.006 <= one.high for one in many(0.006, 3)])
    assert 0.925 < held < 0.975


def test_the_detectable_difference_is_detected_in_four_of_five():
    """At the difference that is printed as detectable, power is 80 %."""
    apart = detectable(Noise(SIGMA * np.sqrt(2), 10), 3)
    found = many(apart, 3)
    power = np.mean([one.better == "a" for one in found])
    assert 0.72 < power < 0.88
    assert np.mean([one.detectable for one in found]) == pytest.approx(apart, rel=0.1)


def test_the_seeds_asked_for_are_enough():
    """With as many seeds as the verdict asks for, a true difference of that size is decided in four of five."""
    spread, apart = Noise(SIGMA, 8), 0.005
    first = {seed: 1.0 + SIGMA * step for seed, step in enumerate((-0.5, 0.3, 0.2))}
    second = {
        seed: value + apart + SIGMA * step
        for (seed, value), step in zip(first.items(), (1, -1, 0), strict=True)
    }
    found = decide(("a", first), ("b", second), spread)
    assert found.better is None
    assert found.more_seeds
    assert found.verdict == f"needs {found.more_seeds} more seeds a side"
    power = np.mean([one.better == "a" for one in many(apart, 3 + found.more_seeds)])
    assert power > 0.7


def test_a_difference_that_no_number_of_seeds_would_show():
    """It is said instead of asking for hundreds."""
    found = decide(("a", by_seed([1.0, 1.004, 0.998])), ("b", by_seed([1.0001, 1.0, 1.002])), Noise(SIGMA, 8))
    assert found.more_seeds is None
    assert found.verdict.startswith("not decided: 32 seeds would not show")


def test_the_better_one_is_named():
    """Fewer bits per byte are better; swapping the sides swaps the signs and nothing else."""
    first, second = by_seed([1.0, 1.001, 0.999]), by_seed([1.1, 1.102, 1.099])
    found, turned = decide(("a", first), ("b", second)), decide(("b", second), ("a", first))
    assert (found.better, found.verdict) == ("a", "decided")
    assert turned.better == "a"
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert found.p == pytest.approx(turned.p)
    assert found.paired


def test_shared_noise_cancels_where_seeds_are_shared():
    """Pairs by seed see what different seeds do not."""
    common = np.random.default_rng(1).normal(0, 0.05, 6)
    own = np.random.default_rng(2).normal(0, 0.001, (2, 6))
    first, second = 1 + common + own[0], 1.01 + common + own[1]
    assert decide(("a", by_seed(first)), ("b", by_seed(second))).better == "a"
    elsewhere = {seed + 10: value for seed, value in by_seed(second).items()}
    unpaired = decide(("a", by_seed(first)), ("b", elsewhere))
    assert unpaired.better is None
    assert not unpaired.paired


def test_the_unpaired_interval_is_students():
    """The reference is scipy's t-test of two samples."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(5)
    first, second = rng.normal(1, 0.01, 4), rng.normal(1.01, 0.01, 6)
    found = decide(
        ("a", by_seed(first)), ("b", {seed + 10: value for seed, value in by_seed(second).items()})
    )
    plain = ttest_ind(first, second)
    assert found.p == pytest.approx(plain.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(plain.confidence_interval(0.95)))


def test_held_out_text_widens_the_interval():
    """What the text leaves open no seed can close."""
    first, second = by_seed([1.0, 1.001, 0.999]), by_seed([1.01, 1.0105, 1.0095])
    assert decide(("a", first), ("b", second)).better == "a"
    wide = decide(("a", first), ("b", second), Noise(0.001, 20), text_deviation=0.02)
    assert wide.better is None
    assert wide.more_seeds is None


def test_the_document_bootstrap_is_the_ratio_of_sums():
    """Its deviation is the delta method's, and it is 0 where both sides are equal."""
    rng = np.random.default_rng(3)
    size = rng.integers(200, 4000, 400).astype(float)
    first = size * rng.normal(1.0, 0.1, 400)
    second = first + size * rng.normal(0.01, 0.05, 400)
    found = document_deviation(first, second, size)
    ratio = (first - second).sum() / size.sum()
    plain = np.sqrt((((first - second) - ratio * size) ** 2).sum()) / size.sum()
    assert found == pytest.approx(plain, rel=0.1)
    assert document_deviation(first, first, size) == 0


def test_what_cannot_be_judged_is_refused():
    """One seed a side and no replicates; a run without a number; other documents."""
    with pytest.raises(ChejilError, match="one seed each"):
        decide(("a", {0: 1.0}), ("b", {0: 1.1}))
    with pytest.raises(ChejilError, match="a has no finite value"):
        decide(("a", {0: float("nan")}), ("b", {0: 1.1}))
    with pytest.raises(ChejilError, match="a has no finite value"):
        decide(("a", {}), ("b", {0: 1.1}))
    with pytest.raises(ChejilError, match="3 and 4 documents"):
        document_deviation(np.ones((2, 3)), np.ones((2, 4)), np.ones(3))
    with pytest.raises(ChejilError, match="one held-out document"):
        document_deviation(np.ones((2, 1)), np.ones((2, 1)), np.ones(1))


@given(st.integers(1, 20), st.floats(0.001, 0.1), st.integers(1, 30))
def test_more_seeds_detect_less(count, deviation, freedom):
    """The detectable difference falls with every pair and every degree of freedom, and rises with text."""
    spread = Noise(deviation, freedom)
    assert detectable(spread, count + 1) < detectable(spread, count)
    assert detectable(Noise(deviation, freedom + 1), count) < detectable(spread, count)
    assert detectable(spread, count, 0.01) > detectable(spread, count)
