"""From a fit to a mixture: objectives, search, front, exchange rate, and the self-test with its command."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.errors import ChejilError
from chejil.eval.ablating import known_law, mixtures, pareto, selftest
from chejil.eval.ablating.known_law import DOMAINS, LANGUAGES, SOURCES
from chejil.eval.ablating.objective import ObjectiveSettings, objective
from chejil.eval.ablating.panel import panel
from chejil.eval.ablating.prediction import fit, resampled
from chejil.eval.ablating.proposals import draws, limits_of, propose
from chejil.eval.ablating.recommendation import recommend
from chejil.eval.ablating.search import candidates, search

GOAL = np.full(6, 1 / 6)
PRIOR = mixtures.natural(SOURCES).vector


@pytest.fixture(scope="module")
def bounds():
    return limits_of(selftest.settings(1))


@pytest.fixture(scope="module")
def fitted():
    asked, truth = propose(selftest.settings(1)), known_law.world(1)
    runs = [
        known_law.train(truth, one.name, one.mixture, seed, 1)
        for one in asked.proposals
        for seed in one.seeds
    ]
    return fit(panel(runs, DOMAINS))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_optimum_of_a_world_is_its_best(seed, bounds):
    """No mixture of thousands within the limits is better by the law itself."""
    truth = known_law.world(seed)
    best = known_law.optimum(truth, bounds, GOAL)
    drawn = candidates(bounds, PRIOR, best[None])
    assert bounds.keep(best[None]).all()
    assert (truth.values(drawn) @ GOAL).min() >= truth.values(best[None])[0] @ GOAL - 1e-7


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_search_finds_the_optimum_of_the_law(seed, bounds):
    """Without a fit between, the search loses less than 0.0002 bits per byte."""
    truth = known_law.world(seed)
    trained = bounds.moved_in(np.vstack([PRIOR, np.full(6, 1 / 6)]))
    drawn = candidates(bounds, PRIOR, trained)
    found = search(lambda w_NK: truth.values(w_NK) @ GOAL, bounds, drawn, trained)
    best = truth.values(known_law.optimum(truth, bounds, GOAL)[None])[0] @ GOAL
    assert found.value - best < 2e-4
    assert bounds.keep(found.weights[None]).all()


def test_the_tether_pulls_back(fitted, bounds):
    """A strong one leaves the natural mixture; a weak one does not."""
    far = recommend(fitted, bounds, ObjectiveSettings(languages=LANGUAGES, tether=0.0))
    near = recommend(fitted, bounds, ObjectiveSettings(languages=LANGUAGES, tether=5.0))
    assert near.total_variation < 0.05 < far.total_variation
    assert near.warnings
    assert not far.warnings
    assert far.gain.low > 0
    assert bounds.keep(far.mixture.vector[None]).all()


def test_korean_best_with_english_held(fitted, bounds):
    """The bound on English is kept in prediction, and loosening it never costs Korean."""
    english, korean = [], []
    for percent in (0.0, 2.0, 8.0):
        wanted = ObjectiveSettings(languages=LANGUAGES, english_worse_percent=percent, tether=0.0)
        found = recommend(fitted, bounds, wanted)
        at = fitted.predict(np.stack([found.mixture.vector, found.natural.vector]))
        english.append(at[0, 3:].mean() / at[1, 3:].mean() - 1)
        korean.append(at[0, :3].mean())
        assert english[-1] <= percent / 100 + 1e-4
    assert korean[0] >= korean[1] - 1e-3 >= korean[2] - 2e-3
    assert korean[2] < korean[0] - 0.005


def test_the_exchange_rate_has_the_laws_sign_and_size(fitted, bounds):
    """One per cent more Korean gains Korean and loses English, near what the law itself says."""
    truth = known_law.world(1)
    start = recommend(fitted, bounds, ObjectiveSettings(languages=LANGUAGES)).mixture.vector
    goal = objective(ObjectiveSettings(languages=LANGUAGES), DOMAINS, PRIOR, np.ones(6))
    found = pareto.exchange(fitted, goal, bounds, start)
    korean = np.array([1, 1, 1, 0, 0, 0], bool)
    share = start[korean].sum()
    moved = np.where(korean, start * (share + 0.01) / share, start * (0.99 - share) / (1 - share))
    true = truth.values(np.stack([start, moved]))
    gained, lost = (true[0] - true[1])[:3].mean(), (true[1] - true[0])[3:].mean()
    assert found.korean_gained == pytest.approx(gained, rel=0.4)
    assert found.english_lost == pytest.approx(lost, rel=0.4)
    assert found.low <= found.ratio <= found.high


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_the_front_is_what_nothing_beats(points):
    """The reference compares every pair."""
    ko, en = np.array(points, np.float64).T
    found = {(ko[one], en[one]) for one in pareto.front(ko, en)}
    plain = {
        one for one in map(tuple, np.array(points, np.float64))
        if not any(a <= one[0] and b <= one[1] and (a, b) != one for a, b in points)
    }  # fmt: skip
    assert found == plain


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"languages": LANGUAGES | {"ko-web": "kr"}}, "no language of 'ko-web'"),
        ({"languages": dict.fromkeys(DOMAINS, "ko")}, "no domain is en"),
        ({"languages": LANGUAGES, "weights": {"ko-wbe": 1.0}}, "unknown domain 'ko-wbe'"),
        ({"languages": LANGUAGES, "weights": {"ko-web": 0.7}}, "add up to 0.7"),
        ({"languages": LANGUAGES, "weights": {"ko-web": 1.0}, "english_worse_percent": 1}, "english_worse"),
    ],
)
def test_an_objective_that_is_none_is_refused(settings, said):
    """With what to write instead."""
    with pytest.raises(ChejilError, match=said) as found:
        objective(ObjectiveSettings(**settings), DOMAINS, PRIOR, np.ones(6))
    assert found.value.mend


@given(st.integers(0, 500))
def test_bootstrap_samples_draw_whole_mixtures(seed):
    """As many runs of a mixture as it has, as often as it is drawn."""
    group = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7])
    rows = resampled(group, np.random.default_rng(seed))
    assert np.bincount(group[rows], minlength=8)[0] % 3 == 0
    assert len(np.unique(group[rows])) >= 4


def test_intervals_hold_what_they_say(fitted):
    """Nine of ten true values, on mixtures that no proxy had; an interval of a run is wider."""
    truth = known_law.world(1)
    drawn = draws(selftest.settings(1), limits_of(selftest.settings(1)), PRIOR, np.random.default_rng(7), 300)
    low, high = fitted.intervals(drawn)
    true = truth.values(drawn)
    assert ((true >= low) & (true <= high)).mean() > 0.85
    run_low, run_high = fitted.intervals(drawn, of_run=True)
    assert (run_low < low).all()
    assert (run_high > high).all()
    narrow = fitted.intervals(drawn, level=0.5)
    assert 0.3 < ((true >= narrow[0]) & (true <= narrow[1])).mean() < 0.8


def test_order_of_the_runs_changes_nothing():
    """Proxies end in any order."""
    asked, truth = propose(selftest.settings(2)), known_law.world(2)
    runs = [
        known_law.train(truth, one.name, one.mixture, seed, 2)
        for one in asked.proposals
        for seed in one.seeds
    ]
    forth, back = (fit(panel(order, DOMAINS), kinds=("ridge",), samples=5) for order in (runs, runs[::-1]))
    assert (forth.predict(PRIOR[None]) == back.predict(PRIOR[None])).all()


def test_the_command_finds_it_and_says_when_not(monkeypatch):
    """One world of the five: exit code 0 with the numbers as JSON, and 1 where less is allowed than was reached."""
    monkeypatch.setattr(selftest, "SEEDS", 1)
    plain, run = selftest.selftest, CliRunner().invoke
    monkeypatch.setattr(selftest, "selftest", lambda bars: plain(bars, seeds=(4,)))
    found = run(cli.app, ["ablate", "selftest", "--json"])
    content = json.loads(found.stdout)
    assert found.exit_code == 0
    assert content["passed"] is True
    assert content["trials"][0]["regret"] < content["trials"][0]["best_proxy_regret"]
    monkeypatch.setattr(selftest, "MOST_REGRET", 0.0)
    missed = run(cli.app, ["ablate", "selftest"])
    assert missed.exit_code == 1
    assert "FAILED: 1 worlds, 32 proxies each" in missed.stdout
