"""A run from shards to clean shards: the law, resuming, what is redone, what stops."""

import gzip
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from chejil.curation import check, manifest, marked_yaml
from chejil.curation.masking import MaskPii
from chejil.curation.recipe import StageEntry
from chejil.curation.run import dry_run, run
from chejil.errors import RecipeError, RunError

from ..run_files import content


def table(root, folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, folder).rglob("*.parquet"))])


def redone(rows):
    return {row["stage"] for row in rows if row["to_do"]}


def test_every_record_is_kept_dropped_for_a_reason_or_quarantined(small_run):
    """The law: records = documents + quarantined, documents = kept + dropped by first reason, in every shard."""
    found = manifest.read(small_run)
    decisions = table(small_run, "decisions")

    assert sum(entry["records"] for entry in found.inputs) == 120
    assert found.quarantined == {"bad_json": 3, "null_text": 3}
    assert found.documents == len(decisions) == 114
    assert (decisions["kept"] == decisions["reason"].is_null()).all()
    assert (decisions["kept"] == (decisions["reasons"].list.len() == 0)).all()
    assert len(table(small_run, "clean")) == decisions["kept"].sum() == found.kept


def test_what_sources_share_stands_in_manifest_and_report(small_run):
    """As many documents as the decisions put into clusters with two sources or two documents."""
    found = manifest.read(small_run).shared["exact_dedup"]
    clusters = table(small_run, "decisions").filter(pl.col("exact_cluster").is_not_null())
    mates = clusters.join(clusters, on="exact_cluster").filter(pl.col("id") != pl.col("id_right"))
    pairs = mates.unique(["id", "source_right"]).group_by("source", "source_right").len()

    assert {(one, other): count for one, row in found.items() for other, count in row.items()} == {
        (one, other): count for one, other, count in pairs.iter_rows()
    }
    assert found
    assert "that another has too" in Path(small_run, "report.html").read_text("utf-8")


def test_survivors_may_be_weighed_by_how_often_they_stood_there(small_run, small_recipe, tmp_path):
    """A column of weights by cluster size; nothing before `clean` is done again for it."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)

    changed = small_recipe("stages.write.weights={1: 1, 2: 4.5}")
    assert redone(dry_run(changed, str(root))) == {"clean"}
    run(changed, str(root))

    rows = table(root, "clean")
    assert rows["cluster_size"].max() > 1
    assert (rows["weight"] == pl.Series([4.5 if size > 1 else 1.0 for size in rows["cluster_size"]])).all()
    assert manifest.verify(str(root)) == []


@pytest.mark.parametrize("weights", ["fineweb3", "{2: 1}", "{1: -1}"])
def test_weights_that_are_none_are_refused(small_recipe, weights):
    """An unknown name, nothing for documents that stood there once, a negative weight."""
    with pytest.raises(RecipeError, match="weights"):
        small_recipe(f"stages.write.weights={weights}")


def test_planted_defects_are_found_for_their_own_reason(small_run):
    """Copies, near copies, advertising, the empty text: each is dropped, and says why."""
    decisions = table(small_run, "decisions")
    reasons = dict(decisions.drop_nulls("reason").group_by("reason").len().iter_rows())

    assert reasons == {"duplicate:exact": 3, "duplicate:near": 4, "empty": 3, "rule:no_advertising": 3}


def test_side_tables_have_the_documents_rows_in_their_order(small_run):
    """documents, origins, signals and decisions of a shard are one table."""
    for path in Path(small_run, "documents").rglob("*.parquet"):
        ids = pl.read_parquet(path, columns=["id"])["id"]
        for folder in ("origins", "signals", "decisions"):
            other = Path(small_run, folder) / path.relative_to(Path(small_run, "documents"))
            assert pl.read_parquet(other, columns=["id"])["id"].equals(ids)


def test_a_duplicate_names_the_document_that_stands_for_it(small_run):
    """The survivor is kept, lies in the same cluster, and is as similar as the table says."""
    decisions = table(small_run, "decisions")
    kept = dict(decisions.filter("kept").select("id", "near_cluster").iter_rows())
    dropped = decisions.filter(pl.col("reason") == "duplicate:near")

    assert all(kept[row["duplicate_of"]] == row["near_cluster"] for row in dropped.to_dicts())
    assert (dropped["similarity"] >= 0.7).all()
    assert (dropped["near_cluster_size"] >= 2).all()


def test_a_second_run_does_nothing(small_run, small_recipe):
    """Nothing is to do, nothing is done, nothing is touched."""
    before = {path: path.stat().st_mtime_ns for path in Path(small_run).rglob("*") if path.name != ".lock"}

    again = run(small_recipe(), small_run)

    assert again.units_done == 0
    assert redone(dry_run(small_recipe(), small_run)) == set()
    assert before == {
        path: path.stat().st_mtime_ns for path in Path(small_run).rglob("*") if path.name != ".lock"
    }


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(small_run, small_recipe, tmp_path):
    """Worker count changes nothing, not even the manifest; and it is no reason to do anything again."""
    run(small_recipe(), str(tmp_path / "two"), workers=2)

    assert content(tmp_path / "two") == content(small_run)
    assert run(small_recipe(), str(tmp_path / "two"), workers=1).units_done == 0


def survival(name):
    """Stages of a deduplication that know who is preferred."""
    return {f"{name}/members", f"{name}/choices", f"{name}/verdicts"}


REPORT = {"report/parts", "report/summary"}
AFTER_FILTER = {*survival("exact_dedup"), *survival("near_dedup"), "decisions", "clean", *REPORT}


@pytest.mark.parametrize(
    ("setting", "stages"),
    [
        ("stages.filter.bounds.other=keep", {"filter/verdicts", *AFTER_FILTER}),
        ("stages.exact_dedup.keep={by: signal, signal: num_words}", AFTER_FILTER),
        ("stages.near_dedup.keep={by: source, sources: [c4-en]}", AFTER_FILTER - survival("exact_dedup")),
        (
            "stages.near_dedup.threshold=0.9",
            {f"near_dedup/{name}" for name in ("signatures", "edges", "clusters")}
            | (AFTER_FILTER - survival("exact_dedup")),
        ),
    ],
)
def test_a_changed_setting_redoes_its_stage_and_what_follows(small_run, small_recipe, setting, stages):
    """A moved bound leaves signals, hashes, signatures and clusters alone; so does another policy."""
    assert redone(dry_run(small_recipe(setting), small_run)) == stages


def test_a_bound_that_changes_no_verdict_stops_the_wave(small_run, small_recipe, tmp_path):
    """Keys follow content: the filter is judged again, gives the same bytes, and nothing after it is redone."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)

    again = run(small_recipe("stages.filter.bounds.other=keep"), str(root))

    assert again.units_done == 4


def test_moving_a_bound_and_back_gives_the_first_result_again(small_run, small_recipe, tmp_path):
    """What another recipe wrote into the folder leaves no trace."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)

    other = run(small_recipe("stages.filter.bounds.ko=drop"), str(root))
    assert not list((root / "clean/mc4-ko").rglob("*.parquet"))
    run(small_recipe(), str(root))

    assert other.kept < manifest.read(small_run).kept
    assert content(root) == content(small_run)


def test_a_source_that_is_taken_out_leaves_nothing_behind(small_run, small_recipe, tmp_path):
    """Shards that the recipe does not name any more are removed, with everything made from them."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    recipe = small_recipe()
    recipe.stages = [entry for entry in recipe.stages if "dedup" not in entry.name]  # nothing else is redone
    run(recipe, str(root))
    del recipe.sources["c4-en"]

    run(recipe, str(root))

    assert not [path for path in root.rglob("*c4-en*") if path.is_file()]
    assert manifest.verify(str(root)) == []


def test_an_unreadable_file_stops_its_shard_alone(small_corpus, small_recipe, tmp_path):
    """The others go on; the manifest names the shard; mending the file and running again completes the run."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    bad = data / "mc4-ko/c4-ko.00001.json.gz"
    good = bad.read_bytes()
    bad.write_bytes(b"PK\x03\x04 this is a zip archive and no json lines")
    recipe = small_recipe(f"data={data}")

    first = run(recipe, str(tmp_path / "run"))
    bad.write_bytes(good)
    second = run(recipe, str(tmp_path / "run"))

    assert [entry["shard"] for entry in first.failed] == ["mc4-ko/c4-ko.00001.json.gz"]
    assert first.documents == 114 - 28
    assert second.failed == []
    assert second.documents == 114


def test_a_torn_file_keeps_what_could_be_read(small_corpus, small_recipe, tmp_path):
    """The rows before the tear are documents, the tear is one row of the quarantine."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    torn = data / "c4-en/c4-en.00000.json.gz"
    torn.write_bytes(torn.read_bytes()[: len(gzip.decompress(torn.read_bytes())) // 40])

    found = run(small_recipe(f"data={data}"), str(tmp_path / "run"))

    assert found.quarantined["torn_stream"] == 1
    assert (found.failed, found.torn) == ([], ["c4-en/c4-en.00000.json.gz"])


FILTER = "{filter: {bounds: {ko: koen, en: koen, mixed: koen, other: drop, unknown: drop}}}"


@pytest.mark.parametrize(
    "stages",
    [
        "normalise, write",
        "normalise, exact_dedup, near_dedup, write",
        f"normalise, near_dedup, score, {FILTER}, exact_dedup, write",
        "normalise, score, {near_dedup: {keep: {by: signal, signal: num_words, lowest: true}}}, write",
        "normalise, {exact_dedup: {keep: {by: source, sources: [한글 원천]}}}, write",
    ],
)
def test_stages_may_be_left_out_and_stand_in_any_order(small_corpus, tmp_path, stages):
    """Whatever a recipe does not have is simply not done; the law holds, also for a source with a Korean name."""
    text = (
        f"name: some\ndata: {small_corpus}\nstages: [{stages}]\n"
        "sources: {한글 원천: {format: mc4, paths: 'mc4-ko/*.json.gz'}, all: {format: c4, paths: 'c4-en/*.json.gz'}}\n"
    )  # a Hangul source

    found = run(check.check(marked_yaml.read(text, "r.yaml")), str(tmp_path / "run"))

    assert found.documents == 114
    assert manifest.verify(str(tmp_path / "run")) == []
    assert ("dedup" in stages) == (found.kept < found.documents)


@pytest.mark.parametrize("lines", [[], [b"torn"], [b'{"text": ""}'], [b'{"text": "x"}']])
def test_a_corpus_of_next_to_nothing_is_no_special_case(tmp_path, lines):
    """No rows, only a bad row, only an empty text, one word."""
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    text = (
        f"name: few\ndata: {tmp_path}\nsources: {{a: {{format: jsonl, paths: a.jsonl}}}}\n"
        f"stages: [normalise, score, {FILTER}, exact_dedup, near_dedup, write]\n"
    )

    found = run(check.check(marked_yaml.read(text, "r.yaml")), str(tmp_path / "run"))

    assert found.documents + found.quarantined.total() == len(lines)
    assert found.kept == 0
    assert manifest.verify(str(tmp_path / "run")) == []


@pytest.mark.parametrize("name", ["notes.tmp", "docs/thesis.tmp", "recipe.yaml", "documents/letter.txt"])
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(small_recipe, tmp_path, name):
    """A run removes from its folders what is not its own, so they must be its own."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")

    with pytest.raises(RunError, match="something else than a run"):
        run(small_recipe(), str(tmp_path))

    assert path.read_text() == "mine"


def test_a_recipe_that_reads_its_own_run_is_refused(small_recipe, tmp_path):
    """A glob over everything would read what the run before has written."""
    recipe = small_recipe()
    run(recipe, str(tmp_path / "data" / "runs"))
    text = (
        f"name: own\ndata: {tmp_path}/data\nsources: {{a: {{format: parquet, paths: '**/*.parquet'}}}}\n"
        "stages: [normalise, write]\n"
    )

    with pytest.raises(RunError, match="reads this run's own files"):
        run(check.check(marked_yaml.read(text, "own.yaml")), str(tmp_path / "data" / "runs"))


def test_a_changed_lexicon_is_another_signal(small_run, small_recipe, monkeypatch):
    """What signals rest on is in their key, not only what the recipe says."""
    from chejil.curation import ingest, place, scoring

    for module in (ingest, scoring):
        monkeypatch.setattr(module, "resource_hash", lambda *names: place.resource_hash(*names) + "changed")

    assert {"documents", "signals"} <= redone(dry_run(small_recipe(), small_run))


def test_equal_texts_in_two_clusters_have_two_names(tmp_path):
    """Two spacings of one text are one content to the exact hash, and two shingle sets to MinHash."""
    words = [f"낱말{number}" for number in range(40)]  # "word" and a number
    spaced, joined = " ".join(words), " ".join("".join(words[i : i + 4]) for i in range(0, 40, 4))
    texts = [spaced, f"{spaced} 끝", joined, f"{joined} 끝"]  # "end"
    (tmp_path / "a.jsonl").write_text("\n".join(f'{{"text": "{text}"}}' for text in texts), "utf-8")
    text = (
        f"name: two\ndata: {tmp_path}\nsources: {{a: {{format: jsonl, paths: a.jsonl}}}}\n"
        "stages: [normalise, near_dedup, write]\n"
    )

    run(check.check(marked_yaml.read(text, "two.yaml")), str(tmp_path / "run"))

    clusters = table(tmp_path / "run", "decisions")["near_cluster"].to_list()
    assert clusters[0] == clusters[1] != clusters[2] == clusters[3]


def test_two_runs_do_not_share_a_folder(small_recipe, tmp_path):
    """The second one is refused with what to do, and the folder stays as it is."""
    import fcntl

    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another run works"):
            run(small_recipe(), str(tmp_path))


KILL_AT = (
    "documents", "signals", "filter/verdicts", "near_dedup/signatures", "near_dedup/edges", "near_dedup/choices",
    "clean",
)  # fmt: skip

SCRIPT = """
import os, signal, sys
from chejil.curation import check, marked_yaml, stage, run as runs
victim, after = sys.argv[3], int(sys.argv[4])
real, seen = stage.do, []
def do(unit, name, key, function):
    if unit.stage == victim:
        seen.append(name)
        if len(seen) > after:
            stage.shards.write_json = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
    return real(unit, name, key, function)
runs.do = do
runs.run(check.check(marked_yaml.read(open(sys.argv[1]).read(), "r.yaml")), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", KILL_AT)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(small_run, small_recipe, tmp_path, stage):
    """kill -9 inside a stage, after a unit's files and before its record; then the same run again."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(small_recipe().resolved(), "utf-8")
    root = tmp_path / "run"
    after = "0" if stage in ("near_dedup/edges", "near_dedup/choices") else "1"  # they have one part here

    killed = subprocess.run([sys.executable, "-c", SCRIPT, str(recipe), str(root), stage, after], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / manifest.PATH).exists()
    assert (root / manifest.UNFINISHED).exists()
    run(small_recipe(), str(root))

    assert content(root) == content(small_run)


@pytest.mark.slow
def test_what_a_killed_run_wrote_for_another_recipe_does_not_stay(small_recipe, tmp_path):
    """Killed between a clean shard and its record; the next recipe drops that language, and clean/ has none of it."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(small_recipe().resolved(), "utf-8")
    root = tmp_path / "run"
    subprocess.run([sys.executable, "-c", SCRIPT, str(recipe), str(root), "clean", "1"], check=False)
    assert list((root / "clean/mc4-ko").rglob("*.parquet"))

    run(small_recipe("stages.filter.bounds.ko=drop"), str(root))

    assert not list((root / "clean/mc4-ko").rglob("*.parquet"))
    assert manifest.verify(str(root)) == []


@pytest.mark.slow
def test_a_pool_that_is_killed_at_any_moment_goes_on(small_run, small_recipe, tmp_path):
    """kill -9 of the parent at several moments of a run with two workers; no worker outlives it for long."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(small_recipe().resolved(), "utf-8")
    root = tmp_path / "run"
    for seconds in (0.8, 1.6, 2.4, 3.2):
        command = [sys.executable, "-m", "chejil", "run", str(recipe), "--out", str(root), "--workers", "2"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(seconds)
        process.kill()
        process.wait()
        _wait_for_the_orphans(process.pid)
    run(small_recipe(), str(root), workers=2)

    assert content(root) == content(small_run)


def _wait_for_the_orphans(session):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = [pid for pid in _processes() if _session(pid) == session]
        if not alive:
            return
        time.sleep(0.1)
    pytest.fail(f"workers outlived their parent: {alive}")


def _processes():
    return [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _session(pid):
    try:
        return os.getsid(int(pid))
    except (ProcessLookupError, PermissionError):
        return None


def test_spawn_is_how_workers_start():
    """A forked worker would inherit threads of Polars and Arrow that do not exist in it."""
    from chejil.curation.executors.local import Executor

    with Executor(2) as executor:
        assert executor._started()._mp_context.get_start_method() == "spawn"
    assert multiprocessing.active_children() == []


def test_a_stage_that_is_taken_out_leaves_no_folder(small_recipe, tmp_path):
    """Who reads `edits/mask_pii/**` must not count what is not applied; the folder is that of a fresh run."""
    without = small_recipe()
    used, fresh = str(tmp_path / "used"), str(tmp_path / "fresh")
    masked = [*without.stages[:-1], StageEntry(mask_pii=MaskPii()), without.stages[-1]]
    run(without.model_copy(update={"stages": masked}), used)
    assert Path(used, "edits/mask_pii").is_dir()

    run(without, used)
    run(without, fresh)

    assert sorted(p.relative_to(used) for p in Path(used).rglob("*")) == sorted(
        p.relative_to(fresh) for p in Path(fresh).rglob("*")
    )


def test_the_recipe_that_a_run_leaves_has_nothing_to_do_there(small_recipe, tmp_path):
    """Its presets are written out, and still are the same bounds."""
    root = tmp_path / "run"
    first = run(small_recipe(), str(root))

    left = check.check(marked_yaml.read((root / "recipe.yaml").read_text("utf-8"), "recipe.yaml"))

    assert first.units_done > 0
    assert run(left, str(root)).units_done == 0
