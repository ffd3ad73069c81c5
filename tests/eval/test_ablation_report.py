"""The report of a sweep: a made-up world whose law is known, told rightly."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.eval.ablating import mixtures
from chejil.eval.ablating.known_law import DOMAINS, SOURCES, world
from chejil.eval.ablation_reports import ranks
from chejil.eval.ablation_reports.measured import pooled, signal
from chejil.training.data.mixture import MixtureStages

sys.path.insert(0, str(Path(__file__).parent))
import made_up_sweep

pytest.importorskip("lightgbm")


def chejil(*words):
    return CliRunner().invoke(cli.app, [*map(str, words)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep of 32 proxies with its report."""
    root = tmp_path_factory.mktemp("sweeps") / "whole"
    made_up_sweep.sweep(root)
    done = chejil("ablate", "report", root, "--json")
    assert done.exit_code == 0, done.output
    return root, json.loads(done.stdout)


def test_the_recommendation_is_near_what_the_law_says(whole):
    """Its true gain over natural lies within the stated interval, and it is truly better than natural."""
    best = whole[1]["recommended"]
    weights = np.array(
        [[one["natural_bytes"] for one in best["sources"]], [one["bytes"] for one in best["sources"]]]
    )
    true = world(1).values(weights).mean(axis=1)

    assert best["leave_natural"]
    assert best["gain"]["low"] <= true[0] - true[1] <= best["gain"]["high"]
    assert weights.sum(axis=1) == pytest.approx(1)
    assert best["kl"] == pytest.approx(float(mixtures.kl(weights[1], weights[0])))
    assert max(one["epochs"] for one in best["sources"]) <= 4 + 1e-6
    assert {one["source"] for one in best["sources"] if one["at_limit"]} == set(best["at_limit"])


def test_numbers_are_those_of_the_sweep(whole):
    """Noise by hand, folders of every row, held-out mixtures that the other fit never saw."""
    root, said = whole
    content = json.loads((root / "sweep.json").read_text("utf-8"))
    groups = {}
    for one in content["proxies"]:
        groups.setdefault(one["proposal"], []).append(np.mean(list(one["bits_per_byte"].values())))
    several = [np.array(own) for own in groups.values() if len(own) > 1]
    squares = sum(((own - own.mean()) ** 2).sum() for own in several)
    noise = next(one for one in said["noise"] if one["measure"] == "(value)")

    assert noise["signal"]["noise"] == pytest.approx(np.sqrt(squares / sum(len(own) - 1 for own in several)))
    assert {one["folder"] for one in said["proxies"]} == {
        f"proxies/{one['name']}" for one in content["proxies"]
    }
    assert all((root / folder).is_dir() for one in said["decisions"]["compared"] for folder in one["folders"])
    check = said["fit"]["held_out"]
    assert check["fitted_to"] + len(check["proposals"]) == said["fit"]["mixtures"] == 24
    assert check["by_domain"]["(value)"]["points"] == len(check["proposals"])
    assert said["fit"]["value"]["spearman"] > 0.9


def test_decisions_are_the_laws(whole):
    """Of what is called decided, the better one is better by the law; the best measured one was picked of all."""
    said = whole[1]
    kinds = {one["proposal"]: one for one in said["proxies"]}
    asked = {one["name"]: one["weights"] for one in made_up_sweep.proposals()}
    true = {
        name: float(world(1).values(np.array([[asked[name][one.name] for one in SOURCES]])).mean())
        for name in kinds
    }
    rows = [one for one in said["decisions"]["compared"] if one["measure"] == "(value)"]

    assert rows[0]["picked_of"] == 23
    assert {one["why"] for one in rows} == {
        "best measured against natural", "natural against worst", "both have several seeds"
    }  # fmt: skip
    decided = [one["decision"] for one in rows if one["verdict"] == "decided"]
    assert len(decided) >= 5
    for one in decided:
        other = one["second"] if one["better"] == one["first"] else one["first"]
        assert true[one["better"]] < true[other]
    assert all(one["text_deviation"] > 0 for one in rows)


def test_the_next_size_and_the_items(whole):
    """Pairs of five mixtures; a score of luck cannot decide, one that follows the Korean share can."""
    said = whole[1]
    scores = {one["score"]: one for one in said["scores"]}

    assert len(said["transfer"]["points"]) == 5
    assert len(said["transfer"]["pairs"]) == 10
    assert said["transfer"]["by_measure"]["(ko)"]["spearman"] == pytest.approx(1)
    assert all(one["same_order"] == (one["small"] * one["large"] > 0) for one in said["transfer"]["pairs"])
    assert scores["kobest_boolq acc"]["tells"] is False
    assert scores["kobest_copa acc"]["tells"] is True


def test_training_reads_the_mixture_file(whole):
    """Weights of bytes by pattern, none of them rounded away, caps that the mixture itself keeps."""
    root, said = whole
    stages = MixtureStages(**yaml.safe_load((root / "mixture.yaml").read_text("utf-8")))
    weights = stages.stages[0].weights

    assert weights == pytest.approx(
        {one["source"]: one["bytes"] for one in said["recommended"]["sources"]}, rel=1e-5
    )
    assert all(stages.max_epochs[one["source"]] > one["epochs"] for one in said["recommended"]["sources"])
    assert said["sweep_hash"] in (root / "mixture.yaml").read_text("utf-8")
    assert not (root / "candidate.yaml").exists()  # it would be the same


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=2, max_size=20))
def test_pooled_noise_is_that_of_each_group(rows):
    """The reference: squares from each group's mean, by hand; replicates alone count."""
    group, values = np.array([one[0] for one in rows]), np.array([one[1] for one in rows])
    squares, freedom = 0.0, 0
    for one in set(group.tolist()):
        own = [value for number, value in rows if number == one]
        squares += sum((value - sum(own) / len(own)) ** 2 for value in own)
        freedom += len(own) - 1
    found = pooled(values, group)
    assert found.freedom == freedom
    if freedom:
        assert found.deviation == pytest.approx((squares / freedom) ** 0.5, abs=1e-9)
    seen = signal(values, group)
    assert (seen.p is None) == (freedom == 0 or len(set(group.tolist())) < 2)


def test_luck_is_told_from_order():
    """All orders of few points are counted; of many, a thorough order has the least p that can be said."""
    five, many = np.arange(5.0), np.arange(30.0)
    assert ranks.ranks(five, five).p == pytest.approx(1 / 120)
    assert ranks.ranks(five, -five).p == 1
    assert ranks.ranks(many, many).p == pytest.approx(1 / 20001)
    assert ranks.ranks(five, np.ones(5)) == ranks.Ranks(None, None, None, 5)
    assert ranks.ranks(five[:2], five[:2]).spearman is None


def test_the_best_of_many_is_mistrusted(tmp_path):
    """2.5 standard errors better than natural would be decided for a pair; for the best of six it is not."""
    bits = {"natural": [1.5, 1.504, 1.496, 1.504, 1.496], "best": [1.4875]}
    bits |= {f"other-{at}": [1.5, 1.504, 1.496] for at in range(3)} | {"more-0": [1.5], "more-1": [1.501]}
    weights = made_up_sweep.proposals(24)[0]["weights"]
    asked = [
        {"name": name, "kind": "natural" if name == "natural" else "random", "weights": weights,
         "seeds": list(range(len(values)))}
        for name, values in bits.items()
    ]  # fmt: skip
    proxies = [
        made_up_sweep.write_proxy(tmp_path, f"{name}-{seed}", name, seed, dict.fromkeys(DOMAINS, value))
        for name, values in bits.items()
        for seed, value in enumerate(values)
    ]
    made_up_sweep.content(tmp_path, asked, proxies)
    done = chejil("ablate", "report", tmp_path, "--json")
    assert done.exit_code == 1
    first = json.loads(done.stdout)["decisions"]["compared"][0]

    assert (first["decision"]["first"], first["decision"]["better"], first["picked_of"]) == (
        "best",
        "best",
        6,
    )
    assert first["decision"]["p"] < 0.05 < first["p"]
    assert first["verdict"] == "not decided: picked of 6; train it with fresh seeds"
    assert "picked of 6" in (tmp_path / "report.html").read_text("utf-8")
