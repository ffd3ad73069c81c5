"""Files of a sweep's report: the same bytes again, verified, and what is bad in a sweep named."""

import html
import io
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.ablating.known_law import DOMAINS
from chejil.eval.ablation_reports import (
    checking,
    mixture_text,
    page,
    report,
    report_view,
    sweep_file,
    trained_on,
    writing,
)
from chejil.tokenizer.encoding.token_shards import TokenShards

sys.path.insert(0, str(Path(__file__).parent))
import made_up_sweep
import small_sweeps

pytest.importorskip("lightgbm")


def chejil(*words):
    return CliRunner().invoke(cli.app, [*map(str, words)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two sources, one of two streams, ten mixtures, two of them with two seeds: a whole report in two seconds."""
    root = tmp_path_factory.mktemp("sweeps") / "small"
    made_up_sweep.two_sources(root)
    done = chejil("ablate", "report", root, "--json")
    assert done.exit_code == 0, done.output
    return root, json.loads(done.stdout)


@pytest.fixture
def copy(small, tmp_path):
    """One that may be damaged."""
    return Path(shutil.copytree(small[0], tmp_path / "copy"))


def changed(root, change):
    """sweep.json after a change."""
    content = json.loads((root / "sweep.json").read_text("utf-8"))
    change(content)
    shards.write_json(str(root), "sweep.json", content)
    return content


def made(root, **settings):
    """The report of a folder, as an object."""
    content = sweep_file.read(str(root))
    return report.report(str(root), content, report.stated(content, **settings))


def printed(found):
    """What the terminal says, wide enough that nothing wraps."""
    console = Console(file=io.StringIO(), width=300)
    for part in report_view.view(found):
        console.print(part, markup=False)
    return console.file.getvalue()


def few(root, count=4, **more):
    """A sweep that is too small for a fit, whose first two mixtures have two seeds: cheap to report on."""
    asked = [
        {**one, "seeds": [0, 1] if at < 2 else [0]}
        for at, one in enumerate(made_up_sweep.proposals(24)[:count])
    ]
    given = [
        made_up_sweep.write_proxy(
            root, f"{one['name']}-{seed}", one["name"], seed, made_up_sweep.values_of(one, seed)
        )
        for one in asked
        for seed in one["seeds"]
    ]
    return made_up_sweep.content(root, asked, given, **more)


def test_one_sweep_gives_the_same_bytes_and_is_verified(small, tmp_path):
    """Made again elsewhere, every file is equal; verify says so, and says what is not."""
    root, _ = small
    assert chejil("ablate", "report", root, "--out", tmp_path / "again").exit_code == 0
    for name in ("report.json", "report.html", "mixture.yaml", "candidate.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (root / name).read_bytes()
    done = chejil("verify", root, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["problems"] == []
    assert json.loads(done.stdout)["files"] == 1 + 4 + 3 * 12


def test_what_is_advised_is_what_a_training_reads(small, tmp_path):
    """Where a gain over natural may be none, mixture.yaml is natural, and the other lies beside it."""
    done = chejil("ablate", "report", small[0], "--out", tmp_path)
    shutil.copytree(small[0], tmp_path, dirs_exist_ok=True)
    assert "keep the natural mixture, mixture.yaml has it" in " ".join(done.stdout.split())
    said = json.loads((tmp_path / "report.json").read_text("utf-8"))["recommended"]
    assert said["leave_natural"] is False
    assert small[1]["fit"]["chance"] is False
    for name, key in (("mixture.yaml", "natural_bytes"), ("candidate.yaml", "bytes")):
        weights = yaml.safe_load((tmp_path / name).read_text("utf-8"))["stages"][0]["weights"]
        share = next(one[key] for one in said["sources"] if one["language"] == "en")
        assert weights["web: en #1"] == pytest.approx(share, rel=1e-5)
    assert "not advised" in (tmp_path / "candidate.yaml").read_text("utf-8").splitlines()[0]
    assert "candidate.yaml" in (tmp_path / "report.html").read_text("utf-8")
    assert chejil("verify", tmp_path).exit_code == 0
    (tmp_path / "mixture.yaml").write_bytes((tmp_path / "candidate.yaml").read_bytes())
    (tmp_path / "candidate.yaml").unlink()
    problems = json.loads(chejil("verify", tmp_path, "--json").stdout)["problems"]
    assert [one.split(": ")[0] for one in problems] == ["mixture.yaml", "candidate.yaml"]


def test_a_fit_that_predicts_nothing_says_so(tmp_path):
    """Mixtures that change nothing but noise: said on top in every place, natural advised, no front, no exchange."""
    made_up_sweep.two_sources(tmp_path, steep=0.0)
    done = chejil("ablate", "report", tmp_path)
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert said["fit"]["chance"]
    assert said["fit"]["value"]["p"] > 0.05 or said["fit"]["error"] >= said["fit"]["spread"]
    best = said["recommended"]
    assert (best["leave_natural"], best["front"], best["exchange"]) == (False, [], None)
    assert "no better than chance" in said["warnings"][0]
    assert "Pareto" not in done.stdout
    assert "Korean gains" not in done.stdout
    assert "keep the natural mixture, mixture.yaml has it: this fit ranks no better" in " ".join(
        done.stdout.split()
    )
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "this fit ranks no better than chance (rank" in page
    assert "우연보다 낫지 않습니다" in page  # no better than chance
    assert '<section id="front"' not in page
    assert "is a guess" in (tmp_path / "candidate.yaml").read_text("utf-8")
    assert chejil("verify", tmp_path).exit_code == 0


def test_verify_names_what_was_changed(copy):
    """A byte of a file, a missing file, a number of sweep.json, of the report, of the mixture, another page."""
    (copy / "proxies/random-000-0/config.yaml").write_text("name: 'random-000-0'\n", "utf-8")
    (copy / "proxies/random-001-0/rows.parquet").unlink()
    (copy / "report.html").write_text("x", "utf-8")
    text = (copy / "mixture.yaml").read_text("utf-8")
    (copy / "mixture.yaml").write_text(text.replace("from_tokens: 0", "from_tokens: 1"), "utf-8")

    def change(content):
        content["proxies"][5]["bits_per_byte"]["news"] += 1e-4

    name = changed(copy, change)["proxies"][5]["name"]
    done = chejil("verify", copy, "--json")
    problems = json.loads(done.stdout)["problems"]

    assert done.exit_code == 1
    starts = ("proxies/random-000-0/config.yaml: ", "proxies/random-001-0/rows.parquet: missing",
              f"proxies/{name}/rows.parquet: ", f"proxies/{name}/metrics.jsonl: ", "report.json: ", "report.html: not",
              "mixture.yaml: stages.0.from_tokens is 1")  # fmt: skip
    assert [sum(one.startswith(start) for one in problems) for start in starts] == [1] * len(starts)
    assert len(problems) == len(starts)


def test_verify_asks_what_was_trained(tmp_path):
    """Weights swapped, a size changed, another seed, other tokens: each is told by what is hashed, report or not."""
    few(tmp_path)
    assert chejil("verify", tmp_path).exit_code == 0
    before = (tmp_path / "sweep.json").read_bytes()

    def swap(content):
        first, second = content["proposals"][1:3]
        first["weights"], second["weights"] = second["weights"], first["weights"]

    def seed(content):
        content["proxies"][0]["seed"] = 7

    cases = (
        (swap, ["proxies/worst-0/config.yaml: trained on", "proxies/worst-1/", "proxies/random-001-0/"]),
        (lambda content: content["sources"][1].update(unique_bytes=600_000_000_000), ["sweep.json: sizes and limits"]),
        (seed, ["proxies/natural-0/config.yaml: seed 0, sweep.json says 7"]),
        (lambda content: content["proxies"][2].update(tokens=7), ["proxies/worst-0/config.yaml: 50,000,000 tokens"]),
        (lambda content: content.update(excerpts="00"), ["held-out: no finished token shards"]),
        (lambda content: content.update(pool=[]), ["pool: no finished token shards"]),
    )  # fmt: skip
    for change, starts in cases:
        (tmp_path / "sweep.json").write_bytes(before)
        changed(tmp_path, change)
        problems = json.loads(chejil("verify", tmp_path, "--json").stdout)["problems"]
        assert len(problems) == len(starts), problems
        assert all(one.startswith(start) for one, start in zip(problems, starts, strict=True)), problems


@given(st.integers(0, 10**6), st.sampled_from([1e-12, -1e-12]))
def test_numbers_differ_by_more_than_rounding(number, little):
    """The last digits are no difference; a thousandth is."""
    value = 1 + number / 7
    assert list(checking.differences({"a": [value]}, {"a": [value * (1 + little)]})) == []
    assert len(list(checking.differences({"a": [value]}, {"a": [value * 1.001]}))) == 1
    assert len(list(checking.differences({"a": [value]}, {"a": [value], "b": None}))) == 1


def test_options_take_the_place_of_the_objective(tmp_path):
    """English bounded makes Korean the value; weights of domains are told; both are refused, as are unknown ones."""
    few(tmp_path)
    korean = made(tmp_path, english_worse_percent=2.0)
    assert korean.objective_weights == pytest.approx(
        dict.fromkeys(DOMAINS[:3], 1 / 3) | dict.fromkeys(DOMAINS[3:], 0)
    )
    names = {one.proposal: [] for one in korean.proxies}
    for one in korean.proxies:
        names[one.proposal].append(one)
    english = {name: np.mean([one.en for one in own]) for name, own in names.items()}
    allowed = [name for name in names if name != "natural" and english[name] <= 1.02 * english["natural"]]
    first = korean.decisions.compared[0]
    assert 0 < len(allowed) < len(names) - 1
    assert (first.decision.first in allowed, first.picked_of) == (True, len(allowed))
    one = chejil("ablate", "report", tmp_path, "--weight", "ko-web=1", "--tether", "0.1", "--json")
    assert json.loads(one.stdout)["objective"]["weights"] == {"ko-web": 1.0}
    assert json.loads(one.stdout)["objective"]["tether"] == 0.1
    for wrong, said in (
        (["--weight", "ko-web=1", "--english-worse", "1"], "leave one out"),
        (["--weight", "ko-wep=1"], "did you mean 'ko-web'"),
        (["--weight", "ko-web=0.5"], "add up to 0.5"),
        (["--weight", "ko-web"], "DOMAIN=SHARE"),
        (["--tether", "-1"], "greater than or equal to 0"),
    ):
        done = chejil("ablate", "report", tmp_path, *wrong)
        assert isinstance(done.exception, ChejilError)
        assert said in str(done.exception)


def test_too_few_proxies_are_compared_but_not_fitted(tmp_path):
    """Exit code 1, natural against worst with its noise, no mixture file, not even an earlier one."""
    few(tmp_path)
    for name in ("mixture.yaml", "candidate.yaml"):
        (tmp_path / name).write_text("stages: []\n", "utf-8")
    done = chejil("ablate", "report", tmp_path)
    assert done.exit_code == 1
    assert "4 mixtures are too few to fit 6 sources" in done.stdout
    assert "natural − worst" in done.stdout
    assert not (tmp_path / "mixture.yaml").exists()
    assert not (tmp_path / "candidate.yaml").exists()
    assert chejil("verify", tmp_path).exit_code == 0


def test_diverged_and_failed_proxies_are_excluded_by_name(tmp_path):
    """No number, an error; what is left counts, and the noise does not hold them."""
    few(tmp_path)

    def change(content):
        content["proxies"][1]["bits_per_byte"]["ko-web"] = None
        content["proxies"][-1] |= {"error": "loss is NaN at step 12", "bits_per_byte": {}}

    content = changed(tmp_path, change)
    found = made(tmp_path)
    assert found.excluded == {
        content["proxies"][1]["name"]: "ko-web is nan bits per byte",
        content["proxies"][-1]["name"]: "loss is NaN at step 12",
    }
    assert len(found.proxies) == len(content["proxies"]) - 2
    assert any("no proxy that counts" in one for one in found.warnings)
    page = (tmp_path / "report.html", writing.write(found, str(tmp_path)))[0].read_text("utf-8")
    assert "loss is NaN at step 12" in page

    changed(tmp_path, lambda content: [one.update(error="out of memory") for one in content["proxies"]])
    with pytest.raises(ChejilError, match=r"no proxy can be counted.*out of memory"):
        made(tmp_path)


def test_without_replicates_nothing_is_decided(tmp_path):
    """The noise is not known, and that is said; no pair gets a verdict."""
    few(tmp_path)

    def change(content):
        content["proxies"] = [one for one in content["proxies"] if one["seed"] == 0]
        for one in content["proposals"]:
            one["seeds"] = [0]

    changed(tmp_path, change)
    found = made(tmp_path)
    assert found.decisions.compared == []
    assert len(found.decisions.refused) == 2
    assert any("nobody knows the noise" in one for one in found.warnings)
    assert {one.signal.noise for one in found.noise} == {None}
    writing.write(found, str(tmp_path))


def test_a_source_at_its_floor_is_said_with_the_setting(copy):
    """On the terminal and on the page; report.json lists it among those at a limit."""
    changed(copy, lambda content: content.update(limits={"low": {"web: en #1": 0.8}}))
    found = made(copy)
    held = {one.source: one.limit for one in found.recommended.sources}
    assert held == {"누리집": None, "web: en #1": "low"}
    assert found.recommended.at_limit == ["web: en #1"]
    assert "at its limit: low" in printed(found)
    assert re.search(r"한계에 닿음</span>: <code>low</code>", page.page(found, "0"))


def test_the_terminal_uses_the_words_of_the_page(small):
    """Every column that is no plain word is told, in the same words as on the page."""
    found = made(small[0])
    said, drawn = printed(found), html.unescape(page.page(found, "0"))
    legends = [report_view.NATS, report_view.OUTER, report_view.PAIRS, report_view.NOISE, report_view.SHOWS]
    heads = ["rank correlation", "pairs right", "noise by seed", "spread over mixtures", "degrees of freedom",
             "pairs of seeds", "shows from"]  # fmt: skip
    for words in [*legends, *heads]:
        assert words in said, words
        assert words in drawn, words
    for one in found.decisions.compared:
        if one.decision.more_seeds is not None:
            assert f"needs {one.decision.more_seeds} more seed" in one.verdict
            assert one.verdict.endswith(" a side")
    few = replace(found.decisions.compared[0].decision, better=None, more_seeds=11)
    assert few.verdict == "needs 11 more seeds a side"


@pytest.mark.parametrize(("seeds", "warned"), [([0, 1], True), ([0, 1, 2], False)])
def test_arms_with_two_seeds_are_warned_of(tmp_path, seeds, warned):
    """The interval's degrees of freedom are said beside it, and the report says what two seeds leave."""
    arms = [{"name": name, "kind": "arm", "weights": {}, "seeds": seeds} for name in ("a", "b")]
    proxies = [
        made_up_sweep.write_proxy(
            tmp_path, f"{one['name']}-{seed}", one["name"], seed,
            dict.fromkeys(DOMAINS, 1.0 + 0.01 * at + 0.001 * seed),
        )
        for at, one in enumerate(arms) for seed in seeds
    ]  # fmt: skip
    made_up_sweep.content(tmp_path, arms, proxies, sources=[], limits={}, arms={"names": ["a", "b"]})
    found = made(tmp_path)
    assert {one.decision.freedom for one in found.decisions.compared} == {len(seeds) - 1}
    assert any("2 seeds an arm" in one for one in found.warnings) == warned
    assert "degrees of freedom" in printed(found).split("first less second")[1].splitlines()[0]


def test_what_arms_hold_is_in_the_report_and_verified(tmp_path):
    """Documents, tokens, and how often a proxy reads its pool; a pool that is not there is named."""
    arms = [{"name": name, "kind": "arm", "weights": {}, "seeds": [0, 1, 2]} for name in ("a", "b")]
    proxies = [
        made_up_sweep.write_proxy(
            tmp_path, f"{one['name']}-{seed}", one["name"], seed, dict.fromkeys(DOMAINS, 1.0 + 0.001 * seed)
        )
        for one in arms for seed in one["seeds"]
    ]  # fmt: skip
    sizes = {"documents": 31_415, "tokens": 2_718_281, "bytes": 8_000_000, "pool_tokens": 161_803}
    held = {"names": ["a", "b"], "text": [{"name": "a", **sizes, "proxy_epochs": 1.4142}]}
    made_up_sweep.content(tmp_path, arms, proxies, sources=[], limits={}, arms=held)

    row = next(line for line in printed(made(tmp_path)).splitlines() if "31,415" in line)
    assert row.split() == ["a", "31,415", "2,718,281", "8,000,000", "161,803", "1.41"]
    assert chejil("ablate", "report", tmp_path).exit_code == 0
    assert "2,718,281" in (tmp_path / "report.html").read_text("utf-8")
    said = chejil("verify", tmp_path).stdout
    assert "arms/a/pool: no finished token shards" in said
    size = TokenShards(str(small_sweeps.tokens(tmp_path / "arms/a/pool"))).num_tokens
    for told, epochs, wrong in ((size, 50e6 / size, None), (size + 1, 50e6 / (size + 1), "another size than"),
                                (size, 1.0, "1 epochs of arm a are not")):  # fmt: skip
        held["text"] = [{"name": "a", **sizes, "pool_tokens": told, "proxy_epochs": epochs}]
        made_up_sweep.content(tmp_path, arms, proxies, sources=[], limits={}, arms=held)
        found = list(trained_on.text(str(tmp_path), sweep_file.read(str(tmp_path))))
        assert len(found) == (wrong is not None)
        assert wrong is None or wrong in found[0]
    held["text"] = [{"name": "../b", **sizes, "proxy_epochs": 1.0}]
    made_up_sweep.content(tmp_path, arms, proxies, sources=[], limits={}, arms=held)
    found = list(trained_on.text(str(tmp_path), sweep_file.read(str(tmp_path))))
    assert found == ["sweep.json: text of an unknown arm '../b'"]


def test_a_small_pool_is_named(copy):
    """Of a source of two streams their sum counts; without a pool in sweep.json nothing is said."""
    pool = [
        {"source": "web-ko", "lang": "ko", "num_documents": 60, "num_tokens": 9, "num_bytes": 9},
        {"source": "blog-ko", "lang": "ko", "num_documents": 39, "num_tokens": 9, "num_bytes": 9},
        {"source": "other", "lang": "en", "num_documents": 1, "num_tokens": 9, "num_bytes": 9},
    ]
    assert not [one for one in made(copy).warnings if "the pool of" in one]

    def change(content):
        content["sources"][1]["patterns"] = ["*/en"]
        content["pool"] = [
            *pool,
            {"source": "web", "lang": "en", "num_documents": 99, "num_tokens": 9, "num_bytes": 9},
        ]

    changed(copy, change)
    said = [one for one in made(copy).warnings if "the pool of" in one]
    assert [one.split(":")[0] for one in said] == ["the pool of 누리집 has 99 sequences, fewer than 100"]


def test_missing_rows_leave_the_noise_of_seeds(tmp_path):
    """The proxy is named, its pairs have no part of held-out text, others do; other sequences are named too."""
    few(tmp_path)
    (tmp_path / "proxies/worst-0/rows.parquet").unlink()
    found = made(tmp_path)
    parts = {
        (one.decision.first, one.decision.second): one.text_deviation for one in found.decisions.compared
    }
    assert {pair: part is None for pair, part in parts.items()} == {pair: "worst" in pair for pair in parts}
    assert [one for one in found.warnings if "worst-0" in one]
    done = chejil("verify", tmp_path)
    assert done.exit_code == 1
    assert "proxies/worst-0/rows.parquet: missing" in done.stdout


def test_arms_are_compared_by_domain(tmp_path):
    """Two curation runs: verdicts on the objective, the languages and every domain; no fit, no mixture."""
    values = dict(zip(DOMAINS, (1.5, 1.6, 1.7, 1.2, 1.1, 1.3), strict=True))
    arms = [
        {"name": name, "kind": "arm", "weights": {}, "seeds": [0, 1, 2]} for name in ("전", "후")
    ]  # before, after
    rng = np.random.default_rng(1)
    proxies = [
        made_up_sweep.write_proxy(
            tmp_path, f"{arm['name']}-{seed}", arm["name"], seed,
            {name: bits - 0.05 * at * name.startswith("ko") + rng.normal(0, 0.002) for name, bits in values.items()},
        )
        for at, arm in enumerate(arms)
        for seed in arm["seeds"]
    ]  # fmt: skip
    made_up_sweep.content(tmp_path, arms, proxies, arms={"names": ["전", "후"]}, sources=[])
    done = chejil("ablate", "report", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    found = {one["measure"]: one["decision"]["better"] for one in said["decisions"]["compared"]}

    assert set(found) == {"(value)", "(ko)", "(en)", *DOMAINS}
    assert {found[name] for name in ("(value)", "(ko)", *DOMAINS[:3])} == {"후"}
    assert found["(en)"] is None
    assert (said["fit"], said["recommended"], said["no_fit"]) == (None, None, None)
    assert chejil("verify", tmp_path).exit_code == 0
    assert "전 − 후" in chejil("ablate", "report", tmp_path).stdout


def test_two_sources_with_korean_names_and_patterns(small):
    """A mixture of two; one source is two streams, which share its weight by their bytes."""
    root, said = small
    weights = yaml.safe_load((root / "candidate.yaml").read_text("utf-8"))["stages"][0]["weights"]
    assert weights["web-ko/ko"] == pytest.approx(3 * weights["blog-ko/ko"], rel=1e-5)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-5)
    assert weights["web: en #1"] == pytest.approx(0.5, abs=0.1)
    assert said["recommended"]["sources"][0]["epochs"] is None
    assert said["fit"]["held_out"] is None


def test_the_commands_of_the_page_run(small, tmp_path, monkeypatch):
    """As written in docs/ablate.md, on a sweep of that name."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "ablate.md").read_text("utf-8")
    lines = re.findall(r"^chejil (.* runs/mixtures.*|verify .*)$", text, re.MULTILINE)
    shutil.copytree(small[0], tmp_path / "runs" / "mixtures")
    monkeypatch.chdir(tmp_path)
    assert len(lines) == 3
    for line in lines:
        done = chejil(*line.split())
        assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "runs/mixtures-korean/report.json").read_text("utf-8"))
    assert found["objective"]["english_worse_percent"] == 1


def test_what_is_no_sweep_is_refused(tmp_path):
    """No folder, damaged JSON, another format, a proxy of nothing, two of one name, a source without its sizes."""
    for content, said in (
        (None, "no sweep"), ("{", "not JSON"), ('{"format": "x"}', "format"),
    ):  # fmt: skip
        if content is not None:
            (tmp_path / "sweep.json").write_text(content, "utf-8")
        done = chejil("ablate", "report", tmp_path)
        assert isinstance(done.exception, ChejilError), done.output
        assert said in str(done.exception)
    few(tmp_path)
    before = (tmp_path / "sweep.json").read_bytes()
    for change, said in (
        (lambda content: content["proxies"][0].update(proposal="nothing"), "unknown proposal 'nothing'"),
        (
            lambda content: content["proxies"][1].update(name=content["proxies"][0]["name"]),
            "two of one proxy",
        ),
        (lambda content: content["sources"][0].update(patterns=["a", "b"]), "pattern_bytes"),
        (lambda content: content["proposals"][0]["weights"].update({"web-ko": 0.9}), "weights add up to"),
        (lambda content: content["proxies"][0]["files"][0].update(path="../x"), "outside of the sweep"),
        (lambda content: content.update(domains=[]), "domains"),
    ):
        (tmp_path / "sweep.json").write_bytes(before)
        changed(tmp_path, change)
        with pytest.raises(ChejilError, match=said) as found:
            sweep_file.read(str(tmp_path))
        assert found.value.mend


@pytest.mark.parametrize("command", [["ablate", "report"], ["verify"]])
def test_a_sweep_that_is_not_finished_and_a_report_alone_are_known(command, small, tmp_path):
    """Both say how to go on; a folder of neither is told as before."""
    root, elsewhere = tmp_path / "begun", tmp_path / "elsewhere"
    (root / "work" / "proxy").mkdir(parents=True)
    (root / "sweep.yaml").write_text("name: begun\n", "utf-8")
    for name in ("natural-0", "worst-0"):
        (root / "work" / "proxy" / f"{name}.json").write_text("{}", "utf-8")
    elsewhere.mkdir()
    shutil.copy(small[0] / "report.json", elsewhere)
    for folder, what, mend in (
        (root, "2 proxies are trained", "`chejil ablate run` again finishes it"),
        (elsewhere, "a report alone", "the folder of the sweep 'made-up'"),
    ):
        found = chejil(*command, folder).exception
        assert isinstance(found, ChejilError)
        assert (what in found.what, mend in found.mend) == (True, True), found
    (elsewhere / "report.json").write_text('{"format": "x"}', "utf-8")
    assert "without its sweep" not in str(chejil(*command, elsewhere).exception)


def test_a_name_cannot_leave_the_comment_or_the_page(tmp_path):
    """Line ends of any kind in a sweep's name stay in the comment; marks are escaped."""
    assert mixture_text.visible("a\nb\u2028c\x85d") == "a b c d"
    few(tmp_path, name="<script>x</script>")
    found = made(tmp_path)
    writing.write(found, str(tmp_path))
    assert "<script" not in (tmp_path / "report.html").read_text("utf-8")
