"""Means, pairs and agreement: by hand, by plain references, and by scikit-learn and SciPy where they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.eval.judging import agreement, pairing
from chejil.eval.judging.means import difference, means

SCORES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40)


def test_the_balanced_mean_gives_every_category_one_voice():
    """Nine of one kind and one of another: 4.6 over prompts, 3.0 over categories."""
    found = means([5.0] * 9 + [1.0], ["Chat"] * 9 + ["Extract"], ["ko"] * 5 + ["en"] * 5)

    assert (found.plain.value, found.balanced.value) == (4.6, 3.0)
    assert {name: mean.value for name, mean in found.by_category.items()} == {"Chat": 5.0, "Extract": 1.0}
    assert {name: mean.prompts for name, mean in found.by_lang.items()} == {"ko": 5, "en": 5}
    assert found.by_category["Extract"].low is None
    assert found.plain.low < 4.6 < found.plain.high


def test_an_interval_is_two_standard_errors():
    """Of 400 prompts, ±1.96·σ/√n."""
    values = np.random.default_rng(3).integers(1, 6, 400).astype(float)

    found = means(values, ["x"] * 400, ["en"] * 400).plain

    half = 1.96 * values.std() / 20
    assert found.high - found.value == pytest.approx(half, rel=0.1)
    assert found.value - found.low == pytest.approx(half, rel=0.1)


@given(st.randoms(use_true_random=False))
def test_the_order_of_prompts_changes_nothing(rng):
    """Not a digit of an interval."""
    rows = [(float(n % 5 + 1), "ab"[n % 2], ["ko", "en"][n % 3 == 0]) for n in range(30)]
    shuffled = rng.sample(rows, 30)

    one, two = (means(*zip(*some, strict=True)) for some in (rows, shuffled))

    assert (one.plain, one.by_category["a"]) == (two.plain, two.by_category["a"])


def test_a_difference_is_judged_by_its_signs():
    """The same scores differ by nothing; one point throughout is no accident."""
    assert difference("a", "b", [0.0] * 20).p == 1.0
    assert difference("a", "b", [1.0] * 20).p < 0.001
    assert difference("a", "b", [1.0, -1.0] * 10).p > 0.5


@given(SCORES)
def test_kappa_is_its_definition(pairs):
    """One less observed by expected squared disagreement, cell by cell."""
    one, two = (np.array(side) for side in zip(*pairs, strict=True))
    observed = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    expected = sum((a - b) ** 2 for a in one.tolist() for b in two.tolist()) / len(pairs) ** 2

    found = agreement.kappa(one, two)

    assert found is None if expected == 0 else found == pytest.approx(1 - observed / expected)


@given(SCORES)
def test_kappa_is_scikit_learns(pairs):
    """Where it is installed."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    one, two = (np.array(side) for side in zip(*pairs, strict=True))
    found = agreement.kappa(one, two)
    if found is not None:
        theirs = metrics.cohen_kappa_score(one, two, weights="quadratic", labels=[1, 2, 3, 4, 5])
        assert found == pytest.approx(theirs)


@given(SCORES)
def test_spearman_is_scipys(pairs):
    """With equal scores at their mean rank."""
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    one, two = (np.array(side) for side in zip(*pairs, strict=True))
    found = agreement.spearman(one, two)
    if found is not None:
        assert found == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-9)


def test_a_stricter_judge_orders_alike_and_agrees_less():
    """Rank correlation 1, kappa below."""
    found = agreement.agreement("overall", [2, 3, 4, 5], [1, 2, 3, 4])

    assert found.spearman == 1.0
    assert found.kappa == pytest.approx(1 - 1 / (1.25 + 1.25 + 1))
    assert found.equal_share == 0.0


@pytest.mark.parametrize(
    ("forward", "swapped", "expected"),
    [
        ("A", "B", 1.0),
        ("B", "A", 0.0),
        ("A", "A", 0.5),
        ("B", "B", 0.5),
        ("tie", "B", 0.5),
        ("tie", "tie", 0.5),
    ],
)
def test_an_outcome_needs_both_orders(forward, swapped, expected):
    """A verdict that follows the place is a tie."""
    assert pairing.outcome(forward, swapped) == expected
