"""What a sweep says on a terminal: proxies in the order of the report, and a wrong aim before training."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from chejil.errors import ChejilError
from chejil.eval.ablating.objective import ObjectiveSettings, objective
from chejil.eval.ablation_reports import measured
from chejil.eval.ablation_reports.sweep_file import Sweep
from chejil.eval.sweeping import arms, sweep_plan, sweep_settings, sweep_view
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.tokenizer.encoding.token_shards import TokenShards

sys.path.insert(0, str(Path(__file__).parent))
from small_sweeps import file, settings, tokens

DOMAINS = [{"name": name, "language": name[:2]} for name in ("ko-web", "ko-law", "ko-books", "en-web")]
MEASURED = {
    "best-mean": (1.0, 1.0, 1.0, 2.0),
    "best-value": (1.3, 1.3, 1.3, 1.2),
    "worst": (2.0, 2.0, 2.0, 2.1),
}


def lines(parts):
    """What is printed, wide enough that nothing wraps."""
    console = Console(file=io.StringIO(), width=240)
    for part in parts:
        console.print(part)
    return console.file.getvalue().splitlines()


def swept(**aim):
    """sweep.json of three proxies and one that failed; three domains are Korean and one is English."""
    names = [one["name"] for one in DOMAINS]
    proxies = [
        {"name": f"{name}-0", "proposal": name, "seed": 0, "error": None,
         "bits_per_byte": dict(zip(names, values, strict=True))}
        for name, values in MEASURED.items()
    ]  # fmt: skip
    gone = {"ko-web": 1.0, "ko-law": None, "ko-books": float("nan")}
    proxies.append(
        {"name": "gone-0", "proposal": "gone", "seed": 0, "error": "diverged", "bits_per_byte": gone}
    )
    aim = {"weights": {}, "english_worse_percent": None, "tether": 0.0} | aim
    return {"domains": DOMAINS, "objective": aim, "proxies": proxies, "folder": "runs/small"}


@pytest.mark.parametrize(
    ("aim", "first"),
    [
        ({}, "best-value"),
        ({"english_worse_percent": 1.0}, "best-mean"),
        ({"weights": {"ko-law": 1.0}}, "best-mean"),
        ({"weights": {"en-web": 1.0}}, "best-value"),
    ],
)
def test_proxies_stand_in_the_order_of_the_report(aim, first):
    """The mean over domains would put Korean, of which there are three, before English."""
    said = swept(**aim)
    rows = [line.split() for line in lines(sweep_view.done(said)) if "-0" in line]
    sweep = Sweep.model_validate(
        {"format": "chejil ablation 1", "name": "x", "complete": True, **said,
         "proposals": [{"name": one["proposal"], "kind": "arm"} for one in said["proxies"]]}
    )  # fmt: skip
    counted = measured.measured(sweep, sweep.proxies)
    asked = ObjectiveSettings(languages=sweep.languages, **said["objective"])
    goal = objective(asked, counted.domains, np.zeros(1), np.ones(4))
    values = {f"{name}-0": counted.mean(name, goal.weights) for name in counted.proposals}

    assert rows[0][0] == f"{first}-0"
    assert [row[0] for row in rows[:3]] == sorted(values, key=values.get)
    assert [row[1] for row in rows[:3]] == [f"{value:.4f}" for value in sorted(values.values())]
    assert rows[3][:2] == ["gone-0", "?"]
    assert rows[3][-1] == "diverged"


@pytest.mark.parametrize(("seeds", "warned"), [(2, True), (3, False)])
def test_arms_with_two_seeds_are_warned_of_before_training(tmp_path, seeds, warned):
    corpus = tokens(tmp_path / "tokens")
    given = settings(tmp_path, corpus)
    given["proposals"]["replicate_seeds"] = seeds
    found = arms.plan(SweepSettings.model_validate(given), [corpus, tokens(tmp_path / "less", but=60)])
    said = lines(sweep_view.arms(sweep_view.arms_content(found, 1)))
    assert any(line.startswith("warning: 2 seeds an arm") for line in said) == warned


def test_the_plan_of_arms_says_how_many_documents_each_has(tmp_path):
    """Of token shards, and of what a run has kept."""
    run, corpus = tmp_path / "run", tokens(tmp_path / "tokens")
    run.mkdir()
    files = {"clean/web/ko/0.parquet": {"rows": 7}, "decisions/web/0.parquet": {"rows": 9}}
    (run / "manifest.json").write_text(json.dumps({"files": files}))
    given = SweepSettings.model_validate(settings(tmp_path, corpus))

    said = sweep_view.arms_content(arms.plan(given, [corpus, str(run)]), 1)

    assert [one["documents"] for one in said["arms"]] == [TokenShards(corpus).num_documents, 7]


@pytest.mark.parametrize("other", ["nowhere", "empty", "sweep.yaml"])
def test_an_arm_that_is_none_is_refused_before_the_others_are_encoded(tmp_path, other):
    """No folder, a folder of nothing, a file."""
    corpus = tokens(tmp_path / "tokens")
    file(tmp_path, corpus)
    (tmp_path / "empty").mkdir()
    given = SweepSettings.model_validate(settings(tmp_path, corpus))
    with pytest.raises(ChejilError, match="no finished run and no token shards here") as caught:
        arms.plan(given, [corpus, str(tmp_path / other)])
    assert str(caught.value.where) == f"--arms {tmp_path / other}"


def test_a_name_with_a_space_is_told_what_a_name_may_hold(tmp_path):
    """Korean letters are letters; the space is what is wrong."""
    given = file(tmp_path, "unused", name="한글 이름")  # a Korean name
    with pytest.raises(ChejilError, match=r"name: letters, digits, \. _ \+ - and no spaces.*not '한글 이름'"):
        sweep_settings.load(str(given))
    assert sweep_settings.load(str(file(tmp_path, "unused", name="한글-이름"))).name == "한글-이름"


def test_the_weights_are_said():
    assert "objective: ko-web 0.167, ko-law 0.167, ko-books 0.167, en-web 0.5" in lines(
        sweep_view.done(swept())
    )


def test_text_that_is_in_no_source_is_named(tmp_path):
    """A stream that somebody forgot; where all are taken nothing is said."""
    corpus = tokens(tmp_path / "tokens")
    streams = sorted(f"{one.source}/{one.lang}" for one in TokenShards(corpus).groups)
    every = {name.replace("/", "-"): name for name in streams}
    some = dict(list(every.items())[1:])
    for asked, left in ((every, []), (some, streams[:1])):
        given = settings(tmp_path, corpus, sources=asked, domains=every)
        said = sweep_view.content(sweep_plan.plan(SweepSettings.model_validate(given)), 1)
        assert list(said["not_mixed"]) == left
        assert any(
            line.startswith(f"in no source: {streams[0]} (") for line in lines(sweep_view.plan(said))
        ) == bool(left)


def test_an_aim_that_does_not_fit_is_refused_before_training(tmp_path):
    corpus = tokens(tmp_path / "tokens")
    given = settings(tmp_path, corpus, objective={"weights": {"nothing": 1.0}})
    plan = sweep_plan.plan(SweepSettings.model_validate(given))
    with pytest.raises(ChejilError, match="unknown domain 'nothing'"):
        sweep_view.content(plan, 1)
