"""A sweep: the pool that proxies read, the queue that trains them, what it keeps, and what it refuses."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil.curation import shards
from chejil.curation.progress import Silent
from chejil.errors import ChejilError
from chejil.eval.ablation_reports.sweep_file import Sweep
from chejil.eval.sweeping import (
    arms,
    proxy_queue,
    proxy_training,
    sequence_pool,
    sweep,
    sweep_folder,
    sweep_plan,
    sweep_settings,
    sweep_view,
    transfer,
)
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.encoding.token_shards import TokenShards
from chejil.training.data import held_out
from chejil.training.data.held_out import HeldOutSettings
from chejil.training.data.token_corpus import TokenCorpus

sys.path.insert(0, str(Path(__file__).parent))
import small_sweeps
from small_sweeps import file, proxy, settings, tokens

ROW = 64


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tokens(tmp_path_factory.mktemp("corpus") / "tokens")


def planned(folder, corpus, **more):
    return sweep_plan.plan(SweepSettings.model_validate(settings(folder, corpus, **more)))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, corpus):
    """The folder of a sweep that nobody interrupted, and its sweep.json."""
    folder = tmp_path_factory.mktemp("swept")
    return folder / "run", sweep.run(planned(folder, corpus), str(folder / "run"), 1, Silent())


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(1, 64))
def test_sequences_are_the_documents_cut(lengths, row):
    """Beside plain Python: in order, full ones and a rest, nothing lost."""
    found = sequence_pool.sequences(np.array(lengths, np.int64), row)
    wanted = [
        (number, begin, min(row, length - begin))
        for number, length in enumerate(lengths)
        for begin in range(0, length, row)
    ]
    assert list(zip(*(part.tolist() for part in vars(found).values()), strict=True)) == wanted


def texts(folder):
    """Every document's tokens by its id."""
    found = {}
    for shard in TokenShards(str(folder)).shards:
        ids = shard.documents()["id"].to_pylist()
        found |= {one: shard.document(number).tolist() for number, one in enumerate(ids)}
    return found


def test_the_pool_is_made_of_sequences_of_what_is_not_held_out(tmp_path, corpus):
    """Pool and excerpts are slices of documents, of disjoint ones, and whole token shards by `verify`."""
    whole = TokenCorpus([corpus])
    aside = held_out.held_out(whole, HeldOutSettings(share=0.2), None)
    sequence_pool.write_pool(whole, str(tmp_path / "pool"), {"*": 0.5}, aside, ROW)
    sequence_pool.write_excerpts(whole, str(tmp_path / "excerpts"), aside, 1, ROW, 12)
    documents, pool, excerpts = texts(corpus), texts(tmp_path / "pool"), texts(tmp_path / "excerpts")

    for name, ids in (pool | excerpts).items():
        document, _, begin = name.rpartition("#")
        assert ids == documents[document][int(begin) : int(begin) + ROW]
    trained, measured = ({name.rpartition("#")[0] for name in some} for some in (pool, excerpts))
    assert not trained & measured
    assert len(measured) == len(excerpts) == 3 * 12
    assert (
        token_shards.verify(str(tmp_path / "pool")) == token_shards.verify(str(tmp_path / "excerpts")) == []
    )


def test_the_pool_holds_its_part_of_every_source(tmp_path, corpus):
    """Of 30,000 sequences a half is a half, by source; of a part that grows the smaller one stays a part."""
    folder = tokens(tmp_path / "more")
    whole = TokenCorpus([folder])
    sizes = {}
    for part in (0.25, 0.5, 1.0):
        out = str(tmp_path / f"pool-{part}")
        sequence_pool.write_pool(whole, out, {"web/ko": part, "books/*": 0.5}, {}, 1)
        sizes[part] = {group.source: group.num_tokens for group in TokenShards(out).groups}
    web = sum(size.num_tokens for size in TokenShards(folder).of("web").shards)
    assert set(sizes[0.5]) == {"web", "books"}
    assert sizes[1.0]["web"] == web
    assert sizes[0.5]["web"] == pytest.approx(web / 2, rel=0.03)
    assert set(texts(tmp_path / "pool-0.25")) < set(texts(tmp_path / "pool-0.5"))


def test_the_pool_repeats_as_the_large_run_would(tmp_path, corpus):
    """Epochs of a proxy over its pool are those of the large run over everything, whatever the mixture."""
    found = planned(tmp_path, corpus)
    assert found.part == pytest.approx(1536 / 15_360)
    for source, here in zip(found.text.sources, found.text.here, strict=True):
        pool = found.text.pool_shares(found.part)[here.pattern] * here.size.tokens
        assert found.proxy_tokens / pool == pytest.approx(15_360 / source.unique_tokens)


def test_a_source_that_will_hold_more_has_a_larger_pool(tmp_path, corpus):
    """`target.expected` in place of what the shards hold; more than there is of it is said."""
    target = {"total_tokens": 15_360, "expected": {"law/ko": {"tokens": 60_000}}}
    found = planned(tmp_path, corpus, target=target)
    before = planned(tmp_path, corpus)
    grown, small = (one.text.pool_shares(one.part)["law/ko"] for one in (found, before))
    size = before.text.here[1].size.tokens
    assert grown / small == pytest.approx(60_000 / size)
    much = planned(tmp_path, corpus, target={**target, "expected": {"law/ko": {"tokens": 10**9}}})
    assert any("law/ko: a pool that repeats as the large run does" in warning for warning in much.warnings)


def test_more_proxies_keep_those_there_are(tmp_path, corpus):
    """Mixtures are drawn one behind the other."""
    few = planned(tmp_path, corpus)
    asked = {**settings(tmp_path, corpus)["proposals"], "proxies": 14}
    many = planned(tmp_path, corpus, proposals=asked)
    assert [one.mixture for one in many.proposals][: len(few.proposals)] == [
        one.mixture for one in few.proposals
    ]


def test_what_is_measured_is_what_the_trainings_say(swept):
    """sweep.json beside metrics.jsonl and rows.parquet of each proxy."""
    folder, found = swept
    assert found["complete"]
    assert [row["name"] for row in found["proxies"]][:2] == ["natural-0", "natural-1"]
    assert len(found["proxies"]) == 9
    for row in found["proxies"]:
        own = folder / "proxies" / row["name"]
        last = [orjson.loads(line) for line in (own / "metrics.jsonl").read_bytes().splitlines()]
        measured = [one for one in last if one["kind"] == "evaluation"][-1]["sources"]
        rows = shards.read_shard(str(own / "rows.parquet")).to_pandas()
        assert set(row["bits_per_byte"]) == {"web/ko", "law/ko", "books/en"}
        for name, bits in row["bits_per_byte"].items():
            mine = rows[rows["domain"] == name]
            assert bits == pytest.approx(measured[name]["bits_per_byte"], rel=1e-6)
            assert bits == pytest.approx(mine["nats"].sum() / math.log(2) / mine["bytes"].sum(), rel=1e-12)
        assert not (own / "checkpoints").exists()
        for entry in row["files"]:
            assert shards.file_hash(str(folder / entry["path"])) == entry["hash"]


def test_seeds_differ_and_so_do_mixtures(swept):
    """Two seeds of a mixture are two trainings; of the same rows."""
    proxies = {row["name"]: row["bits_per_byte"] for row in swept[1]["proxies"]}
    assert proxies["natural-0"] != proxies["natural-1"]
    assert len({tuple(one.values()) for one in proxies.values()}) == len(proxies)


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("proxies/*/metrics.jsonl")}


def test_what_is_done_is_not_done_again(tmp_path, swept, corpus):
    """Again: nothing. More proxies: the new ones. Another length: all of them."""
    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    before = stamps(folder)
    again = sweep.run(planned(tmp_path, corpus), str(folder), 1, Silent())
    assert stamps(folder) == before
    assert {**again, "cost": None} == {**swept[1], "cost": None}

    asked = {**settings(tmp_path, corpus)["proposals"], "proxies": 12, "replicated": 2}
    grown = sweep.run(planned(tmp_path, corpus, proposals=asked), str(folder), 1, Silent())
    assert before.items() < stamps(folder).items()
    rows = {row["name"]: row for row in grown["proxies"]}
    assert all(rows[row["name"]] == row for row in swept[1]["proxies"])
    assert len(rows) >= 10

    asked["seeds"] = {"random-002": 3}
    seeded = sweep.run(planned(tmp_path, corpus, proposals=asked), str(folder), 1, Silent())
    added = {row["name"] for row in seeded["proxies"]} - rows.keys()
    assert {"random-002-2"} <= added <= {"random-002-1", "random-002-2"}
    assert seeded["complete"]

    longer = {"config": str(proxy(tmp_path)), "settings": ["schedule.learning_rate=2.0e-3"]}
    other = sweep.run(planned(tmp_path, corpus, proxy=longer), str(folder), 1, Silent())
    assert all(stamps(folder)[path] != stamp for path, stamp in before.items())
    assert other["proxies"][0]["bits_per_byte"] != swept[1]["proxies"][0]["bits_per_byte"]


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


HARMS = [
    ("manifest.json", torn),
    ("manifest.json", Path.unlink),
    ("*.uint16", torn),
    ("*.offsets", Path.unlink),
    ("*.parquet", torn),
    ("tokenizer.json", Path.unlink),
]


@pytest.mark.parametrize("part", ["pool", "held-out"])
@pytest.mark.parametrize(("name", "harm"), HARMS)
def test_a_damaged_pool_is_cut_again(tmp_path, swept, corpus, part, name, harm):
    """To the same bytes, so that no proxy is trained again; what is whole is left as it lies."""
    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    whole = {path: path.read_bytes() for path in (folder / part).rglob("*") if path.is_file()}
    hurt = next(path for path in sorted(whole) if path.match(name) and "rows" not in path.parts)
    harm(hurt)
    before = stamps(folder)
    again = sweep.run(planned(tmp_path, corpus), str(folder), 1, Silent())
    assert {path: path.read_bytes() for path in whole} == whole
    assert stamps(folder) == before
    assert again["proxies"] == swept[1]["proxies"]
    cut = hurt.stat().st_mtime_ns
    sweep.run(planned(tmp_path, corpus), str(folder), 1, Silent())
    assert hurt.stat().st_mtime_ns == cut


def test_a_proxy_that_diverges_is_a_result(tmp_path, corpus):
    """It is named with its reason; the sweep goes on."""
    wild = {"config": str(proxy(tmp_path)), "settings": ["loss.z_loss=1.0e+38", "spikes.sigma=null"]}
    found = sweep.run(planned(tmp_path, corpus, proxy=wild), str(tmp_path / "run"), 1, Silent())
    assert found["complete"]
    assert all(re.search("(loss|grad_norm) is (nan|inf)", row["error"]) for row in found["proxies"])


def test_a_signal_behind_the_last_step_ends_the_worker(tmp_path, corpus, monkeypatch):
    """What is measured there takes seconds; a worker that swallowed the signal would be waited for without end."""

    class ToldError(Exception):
        pass

    def told(*_):
        raise ToldError

    monkeypatch.setattr(proxy_training, "_write_rows", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, told)
    try:
        with pytest.raises(ToldError):
            sweep.run(planned(tmp_path, corpus), str(tmp_path / "run"), 1, Silent())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not list((tmp_path / "run").glob("work/proxy/*.json"))


def test_killed_and_called_again_is_the_same_sweep(tmp_path, swept, corpus):
    """kill -9 of the whole group while two workers train; the same command ends with the same numbers."""
    command = [sys.executable, "-m", "chejil", "ablate", "run", str(file(tmp_path, corpus)), "--workers", "2"]
    command += ["--out", str(tmp_path / "run"), "--json", "--log-json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 120
    while not list((tmp_path / "run").glob("work/proxy/*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    done = list((tmp_path / "run").glob("work/proxy/*.json"))
    assert 1 <= len(done) < 9
    assert not (tmp_path / "run" / sweep_folder.SWEEP).exists()

    again = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    found = orjson.loads(again.stdout)
    values = {row["name"]: row["bits_per_byte"] for row in found["proxies"]}
    for row in swept[1]["proxies"]:
        assert values[row["name"]] == pytest.approx(row["bits_per_byte"], rel=1e-6)


def test_the_next_size_trains_the_best_natural_and_the_worst(tmp_path, swept, corpus):
    """By the measured order; what it measured stands in the same sweep.json."""
    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    found = planned(tmp_path, corpus, transfer={"settings": ["model.layers=3"], "top": 2})
    done = sweep.run_transfer(found, str(folder), 1, Silent())
    means = {}
    for row in swept[1]["proxies"]:
        values = row["bits_per_byte"]
        korean = (values["web/ko"] + values["law/ko"]) / 2
        means.setdefault(row["proposal"], []).append((korean + values["books/en"]) / 2)
    order = sorted(means, key=lambda name: np.mean(means[name]))
    named = {row["proposal"] for row in done["transfer"]["proxies"]}
    assert named == {*order[:2], "natural", order[-1]}
    assert all(shards.size(str(folder / file["path"])) for file in done["transfer"]["proxies"][0]["files"])
    assert "parameters" in done["transfer"]["about"]


@pytest.mark.parametrize(
    ("larger", "said"),
    [(None, "no `transfer` in the settings"), ({"settings": ["model.lairs=3"]}, "model.lairs|'lairs'")],
)
def test_a_next_size_that_cannot_be_is_refused_before_the_first_is_trained(tmp_path, corpus, larger, said):
    """The command, and the function: no folder appears."""
    from chejil.cli import app

    command = ["ablate", "run", str(file(tmp_path, corpus, transfer=larger)), "--transfer"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "run")])
    assert isinstance(done.exception, ChejilError)
    assert re.search(said, str(done.exception))
    with pytest.raises(ChejilError, match=said):
        sweep.run_transfer(planned(tmp_path, corpus, transfer=larger), str(tmp_path / "run"), 1, Silent())
    assert not (tmp_path / "run").exists()


def test_the_next_size_of_an_interrupted_sweep_begins_with_what_is_missing(tmp_path, swept, corpus):
    """No sweep.json there: the same call trains the rest first, so it is not refused."""
    from chejil.cli import app

    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    (folder / "sweep.json").unlink()
    asked = str(file(tmp_path, corpus, transfer={"settings": ["model.layers=3"], "top": 2}))
    done = CliRunner().invoke(app, ["ablate", "run", asked, "--out", str(folder), "--transfer", "--dry-run"])
    assert done.exit_code == 0, done.exception


def test_larger_proxies_of_other_mixtures_are_left_out(tmp_path, swept, corpus):
    """The proposals were drawn anew under the same names: what was measured of the old ones is named and dropped."""
    from chejil.cli import app

    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    larger = {"settings": ["model.layers=3"], "top": 2}
    sweep.run_transfer(planned(tmp_path, corpus, transfer=larger), str(folder), 1, Silent())
    asked = ["ablate", "run", str(file(tmp_path, corpus, transfer=larger)), "--out", str(folder)]
    said = orjson.loads(CliRunner().invoke(app, [*asked, "--transfer", "--dry-run", "--json"]).stdout)
    assert said["trained"] == said["cost"]["proxies"] == 4  # two of the best, natural, the worst
    asked = {**settings(tmp_path, corpus)["proposals"], "seed": 7}
    done = sweep.run(planned(tmp_path, corpus, transfer=larger, proposals=asked), str(folder), 1, Silent())
    left = {row["proposal"] for row in done["transfer"]["proxies"]}
    assert not any(name.startswith("random") for name in left)
    assert any("is another mixture" in warning for warning in done["warnings"])


def test_the_next_size_keeps_the_bound_on_english(swept, tmp_path, corpus):
    """Korean is the value: of two mixtures the one whose English is too bad is not trained larger."""
    found = planned(
        tmp_path, corpus, objective={"english_worse_percent": 2}, transfer={"settings": [], "top": 1}
    )
    values = {"natural": (1.3, 1.5), "random-001": (1.0, 1.6), "random-002": (1.1, 1.52), "worst": (1.4, 1.4)}
    proxies = [
        {
            "name": f"{name}-0",
            "proposal": name,
            "seed": 0,
            "bits_per_byte": {"web/ko": ko, "law/ko": ko, "books/en": en},
        }
        for name, (ko, en) in values.items()
    ]
    measured = Sweep.model_validate(swept[1] | {"proxies": proxies})
    assert [one.name for one in transfer.chosen(found, measured, 1)] == ["random-002", "natural", "worst"]


def test_what_decides_no_number_may_change(tmp_path, swept, corpus):
    """Other logging and checkpoints, and a name for people: nothing is trained again."""
    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    before = stamps(folder)
    calm = ["logging.every_steps=3", "checkpoints.every_steps=2", "about=calm"]
    changed = {"config": str(proxy(tmp_path)), "settings": calm}
    sweep.run(planned(tmp_path, corpus, proxy=changed), str(folder), 1, Silent())
    assert stamps(folder) == before


def test_another_sweep_is_refused_in_its_folder(tmp_path, swept, corpus):
    """By its name; nothing is touched."""
    with pytest.raises(ChejilError, match="holds the sweep 'small', this is 'other'"):
        sweep.run(planned(tmp_path, corpus, name="other"), str(swept[0]), 1, Silent())


def test_a_domain_without_held_out_text_is_refused_before_training(tmp_path, corpus):
    """A thousandth of a few hundred documents is one of each."""
    with pytest.raises(ChejilError, match="1 documents of books/en are held out, fewer than 4"):
        sweep.run(planned(tmp_path, corpus, held_out={"share": 0.001}), str(tmp_path / "run"), 1, Silent())
    assert not (tmp_path / "run" / "proxies").exists()


@pytest.mark.parametrize(("measured", "aside"), [(("law",), 159), ((), None)])
def test_text_that_is_measured_and_not_mixed_is_set_aside_whole(tmp_path, corpus, measured, aside):
    """No proxy reads it, so it is measured on all it has (160, one empty); what is neither is nowhere."""
    mixed = {"web": "web/ko", "books": "books/en"}
    domains = mixed | {name: f"{name}/ko" for name in measured}
    aside_too = {"share": 0.05, "excerpts": 500}
    found = planned(tmp_path, corpus, sources=mixed, domains=domains, held_out=aside_too)

    sweep._cut(found, str(tmp_path / "run"), Silent())

    def documents(name):
        groups = TokenShards(str(tmp_path / "run" / name)).groups
        return {one.source: one.num_documents for one in groups}

    assert documents("held-out").get("law") == aside
    assert 4 <= documents("held-out")["web"] < 40
    assert "law" not in documents("pool")


def test_arms_are_measured_on_what_all_of_them_hold_out(tmp_path, corpus):
    """Two arms, one without some documents: seeds of each, on the same rows of text."""
    less = tokens(tmp_path / "less", but=60)
    said = settings(tmp_path, corpus)
    said["proposals"]["replicate_seeds"] = 2
    found = arms.plan(SweepSettings.model_validate(said), [corpus, less])
    done = arms.run(found, str(tmp_path / "run"), 1, Silent())
    assert done["arms"]["names"] == ["tokens", "less"]
    assert [row["name"] for row in done["proxies"]] == ["tokens-0", "tokens-1", "less-0", "less-1"]
    with pytest.raises(ChejilError, match="the folder holds a sweep of arms"):
        sweep.run(planned(tmp_path, corpus), str(tmp_path / "run"), 1, Silent())
    known = set(texts(less))
    assert {name.rpartition("#")[0] for name in texts(tmp_path / "run" / "held-out")} <= known
    sizes = [
        TokenShards(str(tmp_path / "run" / "arms" / name / "pool")).num_tokens for name in ("tokens", "less")
    ]
    assert sizes[0] > sizes[1] > 0
    wholes = [TokenShards(folder).num_tokens for folder in (corpus, less)]
    said = [(one["tokens"], one["pool_tokens"]) for one in done["arms"]["text"]]
    assert said == list(zip(wholes, sizes, strict=True))
    assert done["arms"]["text"][1]["proxy_epochs"] * sizes[1] == pytest.approx(found.proxy_tokens)
    torn(tmp_path / "run" / "arms" / "less" / "pool" / "manifest.json")
    assert arms.run(found, str(tmp_path / "run"), 1, Silent())["proxies"] == done["proxies"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sources": {"a": "nothing/ko", "b": "web/ko"}}, "no text of 'nothing/ko'"),
        ({"sources": {"a": "*", "b": "web/ko"}}, "is of en and ko"),
        ({"sources": {"a": "*/ko", "b": "web/ko"}}, "'web/ko' is in a and in b"),
        ({"domains": {"a": "web/ko", "b": "law/ko"}}, "no held-out domain is en"),
        ({"target": {"total_tokens": 100}}, "longer than the large run"),
        ({"target": {"total_tokens": 10**9}}, "has too little text"),
        (
            {
                "target": {"total_tokens": 10**9},
                "proposals": {"proxies": 12, "max_epochs": 1e9, "least_sequences": 0},
            },
            "fewer than 8 rows",
        ),
        ({"target": {"total_tokens": 15_360, "expected": {"low/ko": {"tokens": 5}}}}, "no source 'low/ko'"),
        ({"tokens": ["nowhere"]}, "no token shards"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(tmp_path, corpus, more, said):
    """Each with its place and the way to mend it."""
    with pytest.raises(ChejilError, match=said.replace("*", r"\*")) as error:
        planned(tmp_path, corpus, **more)
    assert error.value.mend


def test_a_folder_of_something_else_is_left_alone(tmp_path, corpus):
    """Nothing of it is touched."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    with pytest.raises(ChejilError, match=r"something else than a sweep: mine\.txt"):
        sweep.run(planned(tmp_path, corpus), str(tmp_path / "run"), 1, Silent())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_what_is_trained_anew_is_said_and_ends_the_reports_of_what_was(tmp_path, swept, corpus):
    """Nothing to do: reports stay. Held-out text of another share: all proxies count for nothing, and so do reports."""
    folder = tmp_path / "run"
    shutil.copytree(swept[0], folder)
    for name in sweep_folder.REPORTS:
        (folder / name).write_text("old")
    same, heard = planned(tmp_path, corpus), []
    assert sweep.num_trained(same, str(folder)) == 9
    assert sweep.num_trained(same, str(tmp_path / "none")) is None
    told = Silent()
    told.say = heard.append
    sweep.run(same, str(folder), 1, told)
    assert all((folder / name).exists() for name in sweep_folder.REPORTS)
    other = planned(tmp_path, corpus, held_out={"share": 0.15, "excerpts": 8})
    assert sweep.num_trained(other, str(folder)) == 0
    sweep.run(other, str(folder), 1, told)
    assert heard == ["0 of 9 proxies are trained already, 9 are trained now"]
    assert not any((folder / name).exists() for name in sweep_folder.REPORTS)


@pytest.mark.parametrize("name", ["sources", "domains"])
def test_one_source_alone_is_refused_where_it_stands(tmp_path, corpus, name):
    """At the line of the file, and the way to mend it is not a list of all settings."""
    path = file(tmp_path, corpus, **{name: {"web": "web/ko"}})
    with pytest.raises(ChejilError, match="'web' alone; name at least two, or none") as error:
        sweep_settings.load(str(path))
    line = 1 + [one.partition(":")[0] for one in path.read_text().splitlines()].index(name)
    assert f"{path}:{line}" in str(error.value) or f"{path}:{line + 1}" in str(error.value)
    assert "these can be given" not in str(error.value)


def test_measured_in_both_languages_is_quoted_as_it_is_written(tmp_path, corpus):
    """The mend can be pasted: the domains there are, and one of the other language that is not mixed."""
    mixed = {"a": "web/ko", "b": "law/ko"}
    with pytest.raises(ChejilError, match="no held-out domain is en") as error:
        planned(tmp_path, corpus, sources=mixed)
    pasted = yaml.safe_load(error.value.mend.split("`")[1])
    assert pasted == {"domains": {**mixed, "books-en": "books/en"}}
    assert len(planned(tmp_path, corpus, sources=mixed, **pasted).text.domains) == 3


def test_a_stream_with_little_text_is_left_out_of_what_arms_are_measured_on(tmp_path, corpus):
    """Where nobody asked for it: named in a warning; where it is asked for it is refused."""
    said, less = settings(tmp_path, corpus), tokens(tmp_path / "less", but=60)
    found = arms.plan(SweepSettings.model_validate(said), [corpus, less])
    view = "\n".join(map(str, sweep_view.arms(sweep_view.arms_content(found, 1))))
    assert "measured on: every source and language of which all arms hold out 4" in view
    aside, groups = (
        HeldOutSettings(share=0.5),
        {("few", "ko"): small_sweeps.token_shards.documents(7, 6, 90, 20)},
    )
    few = TokenCorpus([small_sweeps.token_shards.write(tmp_path / "few", groups)])
    whole = TokenCorpus([corpus, few.root])
    held = held_out.held_out(whole, aside, None)
    held["few/ko"] = np.array([1, 2]), np.array([1, 2], np.uint64)
    sequence_pool.write_excerpts(whole, str(tmp_path / "run" / "held-out"), held, 1, ROW, 8)
    domains, warnings = arms._domains(found, str(tmp_path / "run"))
    assert {one.name for one in domains} == {"web/ko", "law/ko", "books/en"}
    assert len(warnings) == 1
    assert re.search("not measured: [12] documents of few/ko", warnings[0])
    asked = SweepSettings.model_validate(said | {"domains": {"few": "few/ko", "books": "books/en"}})
    with pytest.raises(ChejilError, match="documents of few are held out, fewer than 4"):
        arms._domains(arms.plan(asked, [corpus, less]), str(tmp_path / "run"))


def test_more_proxies_than_gpus_are_refused(tmp_path, corpus, monkeypatch):
    """A GPU holds one proxy; by default there are as many workers as GPUs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    found = planned(tmp_path, corpus)
    base = found.base.model_copy(update={"device": "cuda"})
    assert proxy_queue.workers_of(found.settings, base, None) == 2
    with pytest.raises(ChejilError, match="3 proxies at a time and 2 GPUs"):
        proxy_queue.workers_of(found.settings, base, 3)


def test_workers_take_a_gpu_each(tmp_path, monkeypatch):
    """The first that no other process has locked; a third finds none."""
    program = (
        "import os, sys\n"
        "from chejil.eval.sweeping import proxy_training\n"
        "proxy_training._take_device()\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "4,7", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment["TMPDIR"] = str(tmp_path)

    def started():
        command = [sys.executable, "-c", program]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=environment, **pipes)

    with started() as first:
        assert first.stdout.readline() == "4\n"
        with started() as second:
            assert second.stdout.readline() == "7\n"
            with started() as third:
                assert "all 2 GPUs are taken" in third.communicate()[1]
            second.communicate("")
        first.communicate("")


def test_a_url_is_no_place_for_a_sweep(tmp_path, corpus, monkeypatch):
    """It is refused by name, and no folder called s3: appears."""
    from chejil.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["ablate", "run", str(file(tmp_path, corpus)), "--out", "s3://bucket/run"])
    assert isinstance(done.exception, ChejilError)
    assert done.exception.what == "trainings need a file system"
    assert not (tmp_path / "s3:").exists()


def test_a_dry_run_is_refused_where_a_training_would_be(tmp_path, swept, corpus):
    """The folder of another sweep."""
    from chejil.cli import app

    asked = str(file(tmp_path, corpus, name="other"))
    done = CliRunner().invoke(app, ["ablate", "run", asked, "--out", str(swept[0]), "--dry-run"])
    assert isinstance(done.exception, ChejilError)
    assert re.fullmatch("the folder holds the sweep '.*', this is 'other'", done.exception.what)


@pytest.mark.parametrize("more", [["--arms", "a", "--arms", "b"], ["--transfer"]])
def test_a_dry_run_of_arms_or_of_the_next_size_is_refused_there_too(tmp_path, swept, corpus, more):
    """Arms in a folder of mixtures; the next size of another sweep, which would be ranked by this one's names."""
    from chejil.cli import app

    asked = str(file(tmp_path, corpus, name="small" if "--arms" in more else "other",
                     transfer={"settings": ["model.layers=3"], "top": 2}))  # fmt: skip
    done = CliRunner().invoke(app, ["ablate", "run", asked, "--out", str(swept[0]), "--dry-run", *more])
    assert isinstance(done.exception, ChejilError)
    assert done.exception.what.startswith("the folder holds")


def test_a_dry_run_is_refused_in_a_folder_of_something_else(tmp_path, corpus):
    from chejil.cli import app

    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    for out, why in (
        ("taken", "the folder holds something else than a sweep: notes.txt"),
        ("s3://x/y", "trainings need"),
    ):
        asked = [
            "ablate",
            "run",
            str(file(tmp_path, corpus)),
            "--out",
            out if "://" in out else str(tmp_path / out),
        ]
        done = CliRunner().invoke(app, [*asked, "--dry-run"])
        assert isinstance(done.exception, ChejilError)
        assert done.exception.what.startswith(why)


def test_a_dry_run_trains_nothing(tmp_path, corpus, capsys):
    """What it prints as JSON has the cost as a share of the large run."""
    from chejil.cli import main

    out = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["ablate", "run", str(file(tmp_path, corpus)), "--dry-run", "--json", "--out", str(out)])
    assert ended.value.code in (0, None)
    said = orjson.loads(capsys.readouterr().out)
    assert said["cost"]["proxies"] == 9
    assert 0 < said["cost"]["share_of_target"] < 1
    assert not out.exists()
    assert Path(tmp_path / "sweep.yaml").exists()
