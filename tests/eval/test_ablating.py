"""Mixtures, limits, proposals, regressions and the panel: laws, and bad input."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.eval.ablating import mixtures, panel, ranking, regressions
from chejil.eval.ablating.choosing import choose, folds
from chejil.eval.ablating.known_law import SOURCES
from chejil.eval.ablating.limits import limits
from chejil.eval.ablating.mixtures import Source
from chejil.eval.ablating.panel import ProxyRun
from chejil.eval.ablating.proposals import ProposalSettings, limits_of, propose

NAMES = tuple(source.name for source in SOURCES)


def asked(**more):
    return ProposalSettings(
        **{"sources": list(SOURCES), "proxies": 32, "horizon_tokens": 4e11, "proxy_tokens": 50e6} | more
    )


def shares(count=6):
    parts = st.lists(st.floats(0.001, 1), min_size=count, max_size=count)
    return parts.map(lambda found: np.array(found) / sum(found))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"web-ko": 0.5, "web-en": 0.57}, "add up to 1.07"),
        ({"web-ko": 50, "web-en": 50}, "add up to 100"),
        ({"web-ko": -0.1, "web-en": 1.1}, "weight -0.1"),
        ({"web-ko": float("nan"), "web-en": 1.0}, "weight nan"),
        ({"web-kr": 1.0}, "unknown source 'web-kr'"),
        ({}, "add up to 0"),
    ],
)
def test_what_is_no_mixture_is_refused(weights, said):
    """Weights that do not add up are not scaled in silence, and a name is mended."""
    with pytest.raises(ChejilError, match=said) as found:
        mixtures.mixture(weights, NAMES)
    assert found.value.mend


def test_an_unknown_source_gets_a_near_name():
    """A typing error is mended."""
    with pytest.raises(ChejilError) as found:
        mixtures.mixture({"web-kr": 1.0}, NAMES)
    assert "web-ko" in found.value.mend


@given(shares(), shares())
def test_divergence_bounds_distance(first, second):
    """Pinsker: total variation is at most √(KL/2); both are 0 for the same mixture."""
    assert mixtures.total_variation(first, second) <= np.sqrt(mixtures.kl(first, second) / 2) + 1e-9
    assert mixtures.kl(first, first) == pytest.approx(0, abs=1e-12)


@given(shares())
def test_token_shares_give_back_the_bytes(weights):
    """Shares of tokens times bytes per token are the shares of bytes; epochs times text are all tokens."""
    tokens = mixtures.token_shares(weights, SOURCES)
    back = tokens * [source.bytes_per_token for source in SOURCES]
    assert back / back.sum() == pytest.approx(weights)
    unique = np.array([source.unique_tokens for source in SOURCES])
    assert (mixtures.epochs(weights, SOURCES, 1e12) * unique).sum() == pytest.approx(1e12)


@given(shares())
def test_moving_into_limits_keeps_them_and_proportions(weights):
    """Every bound is kept, what kept them is unchanged, and sources that no bound touches keep their proportions."""
    bounds = limits_of(asked())
    moved = bounds.moved_in(weights[None])
    assert len(moved) == 1
    assert moved[0].sum() == pytest.approx(1)
    assert bounds.keep(moved).all()
    assert (bounds.moved_in(moved) == moved).all()
    assert (mixtures.epochs(moved[0], SOURCES, 4e11) <= 4 + 1e-6).all()
    low, high = bounds.box(moved)
    free = (moved[0] > low[0] * (1 + 1e-6)) & (moved[0] < high[0] * (1 - 1e-6))
    ratio = moved[0][free] / weights[free]
    assert ratio == pytest.approx(ratio[0] if len(ratio) else 0, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 40))
def test_proposals_keep_what_they_promise(seed, proxies):
    """As many runs as asked for, all within the limits, none like another, the same for the same settings."""
    chosen = asked(seed=seed, proxies=proxies)
    found = propose(chosen)
    weights = np.stack([one.mixture.vector for one in found.proposals])
    assert found.runs == proxies
    assert limits_of(chosen).keep(weights).all()
    apart = mixtures.total_variation(weights[:, None], weights[None]) + np.eye(len(weights))
    assert apart.min() >= chosen.nearest
    sequences = mixtures.token_shares(weights, SOURCES) * chosen.proxy_tokens / chosen.sequence_tokens
    assert sequences.min() >= chosen.least_sequences * (1 - 1e-5)
    assert [one.kind for one in found.proposals[:2]] == ["natural", "worst"]
    assert sum(len(one.seeds) == chosen.replicate_seeds for one in found.proposals) == chosen.replicated
    assert propose(chosen) == found


def test_another_seed_proposes_other_mixtures():
    """The seed is what chance depends on."""
    assert propose(asked(seed=1)).proposals[-1] != propose(asked(seed=2)).proposals[-1]


def test_a_written_mixture_is_proposed_as_it_stands():
    """What is written by hand is not moved; one that breaks a limit is refused with the bounds."""
    fair = dict(zip(NAMES, (0.3, 0.1, 0.02, 0.3, 0.08, 0.2), strict=True))
    found = [one for one in propose(asked(written={"fair": fair})).proposals if one.name == "fair"]
    assert found[0].mixture.weights == pytest.approx(tuple(fair.values()))
    greedy = fair | {"wiki-ko": 0.22, "web-ko": 0.1}
    with pytest.raises(ChejilError, match="wiki-ko has 22"):
        propose(asked(written={"greedy": greedy}))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"least_sequences": 1500}, {"least_sequences": {"wiki-ko"}}),
        ({"low": {"news-ko": 0.04}}, {"low": {"news-ko"}}),
        ({"high": {"web-en": 0.6}}, {"high": {"web-en"}}),
        ({"least_sequences": 0}, {}),
    ],
)
def test_what_a_limit_moves_in_natural_is_said(more, said):
    """Even where the whole is moved by less than 3 %: each source, its two shares, and the setting."""
    prior = mixtures.natural(SOURCES)
    found = propose(asked(**more))
    natural = found.proposals[0].mixture.by_name()
    lines = [line for line in found.warnings if line.startswith("natural gives")]
    for setting, names in said.items():
        for name in names:
            [line] = [line for line in lines if f"gives {name} {natural[name]:.2%} of" in line]
            assert f"it is {prior.by_name()[name]:.2%}:" in line
            assert f"(`{setting}`)" in line
    assert len(lines) == sum(map(len, said.values()))


@settings(max_examples=50, deadline=None)
@given(shares())
def test_what_holds_a_source_is_its_nearest_bound(weights):
    """Beside plain Python: at its floor or cap there is a setting for it, and inside there is none."""
    bounds = limits(SOURCES, {"code": 0.05}, {"web-en": 0.6}, 4e11, 4.0, 50e6, 51200.0)
    moved = bounds.moved_in(weights[None])
    for row in moved:
        low, high = (ends[0] for ends in bounds.box(row[None]))
        held = bounds.held(row)
        for at, name in enumerate(NAMES):
            if row[at] <= low[at] * (1 + 1e-9):
                assert held[name] == ("low" if name == "code" else "least_sequences")
            elif row[at] >= high[at] * (1 - 1e-9):
                assert held[name] == ("high" if name == "web-en" and high[at] == 0.6 else "max_epochs")
            elif low[at] * 1.03 < row[at] < high[at] - 3e-3:
                assert name not in held


def test_a_source_with_too_little_text_is_named():
    """Caps on epochs and the least number of sequences may leave a source no room."""
    small = Source(name="tiny", language="ko", unique_bytes=100_000)
    with pytest.raises(ChejilError, match="tiny has too little text"):
        propose(asked(sources=[*SOURCES, small]))
    with pytest.raises(ChejilError, match="epochs of all sources are"):
        propose(asked(horizon_tokens=4e12))
    with pytest.raises(ChejilError, match="no mixture keeps all limits"):
        limits(SOURCES, low={"web-ko": 0.6, "web-en": 0.6})


def test_seeds_that_a_verdict_asks_for_change_no_mixture():
    """They come on top, and are never fewer than planned; a name that is not proposed is mended."""
    before = propose(asked())
    more = propose(asked(seeds={"random-002": 12, "natural": 2}))
    assert [one.mixture for one in more.proposals] == [one.mixture for one in before.proposals]
    seeds, planned = ({one.name: one.seeds for one in some.proposals} for some in (more, before))
    assert planned["random-002"] == (0,)
    assert seeds == planned | {"random-002": tuple(range(12))}
    assert more.runs == before.runs + 11
    with pytest.raises(ChejilError, match="seeds of an unknown mixture 'naturel'") as error:
        propose(asked(seeds={"naturel": 3}))
    assert error.value.mend == "did you mean 'natural'?"


def test_too_few_proxies_for_the_replicates():
    """The error counts what is needed."""
    with pytest.raises(ChejilError, match="leave -2 mixtures"):
        propose(asked(proxies=6))
    with pytest.raises(ChejilError, match="mixtures differ by"):
        propose(asked(nearest=0.6))


def runs_of(weights, values, seeds=None):
    seeds = seeds if seeds is not None else [0] * len(weights)
    return [
        ProxyRun(
            f"p{place:02}", mixtures.named(row, NAMES), seed, dict(zip(("en", "ko"), value, strict=True))
        )
        for place, (row, value, seed) in enumerate(zip(weights, values, seeds, strict=True))
    ]


def sample(count=24, seed=1):
    weights = np.random.default_rng(seed).dirichlet(np.ones(6), count)
    ko = 0.8 + np.exp(weights @ [-1.5, -1.0, -0.8, 0.2, 0.1, 0.3])
    en = 0.7 + np.exp(weights @ [0.3, 0.2, 0.1, -1.2, -1.0, -0.4])
    return weights, np.stack([en, ko], axis=1)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -1.0])
def test_a_proxy_without_a_number_is_excluded_by_name(broken):
    """Missing, infinite and impossible values are set aside and named; the rest is fitted."""
    weights, values = sample()
    values[3, 1] = broken
    found = panel.panel(runs_of(weights, values))
    assert list(found.excluded) == ["p03, seed 0"]
    assert "ko is" in found.excluded["p03, seed 0"]
    assert len(found.values) == 23


def test_a_proxy_that_blew_up_is_excluded_and_a_starved_language_is_not():
    """Far above all others on every domain is divergence; far above on one is what the mixture did."""
    weights, values = sample()
    values[5], values[6, 1] = (6.5, 7.1), 4.0
    assert list(panel.panel(runs_of(weights, values)).excluded) == ["p05, seed 0"]


def test_too_few_mixtures_are_no_panel():
    """Seven mixtures, or eight of which one diverged, are refused with how many are needed."""
    weights, values = sample(8)
    values[0] = np.nan
    with pytest.raises(ChejilError, match=r"7 mixtures are too few.*1 proxies were excluded") as found:
        panel.panel(runs_of(weights, values))
    assert "at least 8" in found.value.mend


def test_noise_is_pooled_over_replicates():
    """The pooled deviation of replicated mixtures is that of a plain computation, and NaN without any."""
    weights, values = sample(12)
    rng = np.random.default_rng(2)
    rows = np.repeat(np.arange(12), [3, 3] + [1] * 10)
    seen = values[rows] + rng.normal(0, 0.01, (len(rows), 2))
    found = panel.panel(runs_of(weights[rows], seen, list(range(len(rows)))))
    plain = np.sqrt((seen[:3].var(axis=0, ddof=1) + seen[3:6].var(axis=0, ddof=1)) / 2)
    assert panel.noise(found)[0] == pytest.approx(plain)
    assert panel.noise(found)[1] == 4
    assert np.isnan(panel.noise(panel.panel(runs_of(weights, values)))[0]).all()


def test_the_log_linear_law_is_recovered():
    """Values of the law itself, with small noise and one wild value, give its values back at new mixtures."""
    weights, values = sample(40)
    fresh, truth = sample(50, seed=9)
    seen = values[:, 1] + np.random.default_rng(3).normal(0, 0.002, 40)
    seen[7] += 0.4
    told = regressions.LogLinear().fit(weights, seen).predict(fresh)
    assert np.sqrt(np.mean((told - truth[:, 1]) ** 2)) < 0.01


def test_the_descent_finds_what_scipy_finds():
    """The reference is scipy's least_squares with the same loss; ours is no higher."""
    from scipy.optimize import least_squares

    for seed in range(5):
        weights, values = sample(30, seed)
        seen = values[:, 0] + np.random.default_rng(seed).standard_t(2, 30) * 0.01
        start = list(regressions._starts(weights, seen))
        _, costs = regressions._huber_descent(np.stack(start), weights, seen)
        plain = [
            least_squares(
                lambda p, w=weights, y=seen: p[0] + np.exp(w @ p[1:]) - y,
                one, loss="huber", f_scale=regressions.HUBER, max_nfev=2000,
            ).cost
            for one in start
        ]  # fmt: skip
        assert costs.min() <= min(plain) * (1 + 1e-4)


def test_the_ridge_is_scikit_learns():
    """The same penalty gives the slopes of sklearn's Ridge, and leave-one-out is what leaving one out gives."""
    from sklearn.linear_model import Ridge

    weights, values = sample(30)
    ours = regressions.RootRidge(alpha=1e-3).fit(weights, values[:, 0])
    features, mean, scale = regressions._standardised(weights)
    plain = Ridge(alpha=1e-3 * 30).fit(features, values[:, 0])
    fresh = sample(20, 4)[0]
    assert ours.predict(fresh) == pytest.approx(plain.predict((regressions._rooted(fresh) - mean) / scale))


def test_large_leaves_are_warned_of():
    """Leaves of half the proxies make a constant, and say so."""
    weights, values = sample(24)
    with pytest.warns(UserWarning, match="min_child_samples 20"):
        found = regressions.SmallTrees(min_child_samples=20).fit(weights, values[:, 0]).predict(weights)
    assert np.ptp(found) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = regressions.SmallTrees().fit(weights, values[:, 0]).predict(weights)
    assert ranking.spearman(small, values[:, 0]) > 0.9


@given(st.lists(st.integers(0, 8), min_size=9, max_size=40), st.integers(2, 6), st.integers(0, 99))
def test_folds_keep_replicates_together(group, count, seed):
    """Every row is predicted once, by a fit that saw none of its mixture."""
    group = np.array(group)
    held = []
    for train, out in folds(group, count, seed):
        assert not set(group[train]) & set(group[out])
        held += out.tolist()
    assert sorted(held) == list(range(len(group)))


def test_the_outer_fold_is_not_seen():
    """Values of a held-out fold can be anything: what is predicted for it stays the same."""
    weights, values = sample(18)
    found = panel.panel(runs_of(weights, values))
    before = choose(found, ("ridge", "log-linear"))
    train, out = next(folds(found.group, 6, 1))
    found.values[out] += 0.5
    after = choose(found, ("ridge", "log-linear"))
    assert (after.predicted[out] == before.predicted[out]).all()
    assert (after.predicted[train] != before.predicted[train]).any()


def test_the_right_regression_is_chosen():
    """Data of the exponential law choose it; a step that only trees can draw chooses them."""
    weights, values = sample(48)
    step = 1.0 + 0.5 * (weights[:, :1] > 0.15)
    seen = np.hstack([values[:, 1:], step]) + np.random.default_rng(1).normal(0, 0.002, (48, 2))
    found = choose(panel.panel(runs_of(weights, seen)))
    assert found.kinds == ("log-linear", "lightgbm")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_rank_correlation_is_scipys(pairs):
    """With ties too; NaN where one side is constant."""
    from scipy.stats import spearmanr

    first, second = np.array(pairs, np.float64).T
    found = ranking.spearman(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic)
