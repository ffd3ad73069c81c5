"""`chejil diff`: what changed between two runs, against a plain join; and the way back from every edited text."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import edits, lookup, manifest
from chejil.curation.browsing.bare_documents import documents_of
from chejil.curation.browsing.selection import Selection
from chejil.curation.changes.restoration import restored
from chejil.curation.comparison import paired_documents
from chejil.curation.comparison.comparison import compare
from chejil.curation.comparison.own_changes import own_changes
from chejil.errors import ChejilError, RunError
from tests.curation.changed_corpus import records, run_over, write_corpus

SHARDS = ("web/0.json.gz", "web/1.json.gz")
LOW = "stages.filter.bounds.ko.num_words.low"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("diff")


@pytest.fixture(scope="module")
def data(folder):
    return write_corpus(folder / "data")


@pytest.fixture(scope="module")
def one(folder, data):
    return run_over(data, folder / "one")


def other_records():
    """Some documents gone, some new, one with another text, the rest in another order, in other files."""
    every = records()[10:]
    every[5]["text"] = every[5]["text"].replace("다", "까", 1)
    every.append({**every[6], "id": "page-90"})
    every.append({**every[7], "id": every[8]["id"]})  # an id that two documents have
    return every[::-1]


@pytest.fixture(scope="module")
def others(folder, data):
    """Runs that differ from the first, each in its own way."""
    moved = write_corpus(folder / "moved", other_records())
    return {
        "bound": run_over(data, folder / "bound", f"{LOW}=120"),
        "surrogates": run_over(data, folder / "surrogates", "stages.mask_pii.style=surrogate"),
        "seed": run_over(data, folder / "seed", "stages.mask_pii.style=surrogate", "stages.mask_pii.seed=5"),
        "lines": run_over(
            data, folder / "lines", "stages.strip_boilerplate.tail_lines=0", "stages.decontaminate.action=drop"
        ),
        "documents": run_over(moved, folder / "documents"),
        "entities": run_over(data, folder / "entities", "sources.web.html_entities=true"),
    }  # fmt: skip


# In plain Python: two dicts.


def documents(root):
    """(id, nth of that id) -> decision and final text."""
    found, times = {}, Counter()
    for shard in SHARDS:
        transforms = lookup.recipe_of(root).transforms()
        tables = edits.row_groups(root, shard, ["text"], transforms)
        texts = [text for table in tables for text in table["text"].to_pylist()]
        rows = pl.read_parquet(f"{root}/decisions/{shard}.parquet").to_dicts()
        for row, text in zip(rows, texts, strict=True):
            found[row["id"], times[row["id"]]] = (row, text)
            times[row["id"]] += 1
    return found


def change(mine, theirs):
    if theirs is None:
        return "only_one", mine[0], None, mine[0]["reason"]
    if mine is None:
        return "only_other", None, theirs[0], theirs[0]["reason"]
    one, other = mine[0]["reason"], theirs[0]["reason"]
    if one == other:
        return None, mine[0], theirs[0], None
    return (
        "newly_kept" if other is None else "newly_dropped" if one is None else "other_reason",
        mine[0],
        theirs[0],
        other,
    )


def reference(one, other):
    """Documents by change, source, languages and reasons; those with another text by whether both runs kept them."""
    mine, theirs = documents(one), documents(other)
    verdicts, texts = Counter(), Counter()
    for key in {**mine, **theirs}:
        kind, a, b, _ = change(mine.get(key), theirs.get(key))
        a, b = a or {}, b or {}
        if kind:
            source = a.get("source") or b.get("source")
            verdicts[kind, source, a.get("lang"), b.get("lang"), a.get("reason"), b.get("reason")] += 1
        if key in mine and key in theirs and mine[key][1] != theirs[key][1]:
            texts[b["source"], b["lang"], a["kept"] and b["kept"]] += 1
    return verdicts, texts


def counted(rows, *keys):
    return Counter({tuple(row[key] for key in keys): row["documents"] for row in rows})


@pytest.mark.parametrize("name", ["bound", "surrogates", "seed", "lines", "documents", "entities"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_comparison_counts_what_a_plain_join_counts(one, others, name, turned, monkeypatch):
    """Whatever differs, and whichever run stands first; shards that do not align go through small parts."""
    monkeypatch.setattr(paired_documents, "PART_ROWS", 7)
    pair = (others[name], one) if turned else (one, others[name])

    found = compare(*pair)

    verdicts, texts = reference(*pair)
    keys = ("change", "source", "lang_one", "lang_other", "reason_one", "reason_other")
    assert counted(found.verdicts, *keys) == verdicts
    assert counted(found.texts, "source", "lang", "both_kept") == texts
    assert verdicts or texts
    for side, root in zip((found.one, found.other), pair, strict=True):
        content = manifest.read(root)
        assert (side["documents"], side["kept"]) == (content.documents, content.kept)
    sizes = found.documents
    assert sizes["both"] + sizes["only_one"] == found.one["documents"]
    assert sizes["both"] + sizes["only_other"] == found.other["documents"]
    same = sum(found.unchanged.values())
    assert same + sum(row["documents"] for row in found.verdicts) == sum(sizes.values())


@pytest.mark.parametrize("name", ["same", "again"])
def test_a_run_and_itself_differ_in_nothing(one, data, folder, name):
    """The same folder, or another run of the same recipe; the counts are the manifest's."""
    other = one if name == "same" else run_over(data, folder / "again")

    found = compare(one, other)

    assert found.same
    assert (found.settings, found.inputs, found.versions, found.verdicts, found.texts, found.samples) == (
        [],
    ) * 6
    assert {row["differ"] + row["only_one"] + row["only_other"] for row in found.folders} == {0}
    content = manifest.read(one)
    assert found.one == {**found.other, "run": one}
    assert (found.one["documents"], found.one["kept"]) == (content.documents, content.kept)
    assert found.unchanged == {"kept": content.kept, "dropped": content.documents - content.kept}
    assert found.documents == {"both": content.documents, "only_one": 0, "only_other": 0}


def test_settings_are_named_by_their_path(one, others):
    """A moved bound is one line, and so is a preset's; where the data lie is none."""
    assert compare(one, others["bound"]).settings == [{"setting": LOW, "one": 20, "other": 120}]
    assert compare(one, others["documents"]).settings == []
    assert compare(one, others["seed"]).settings == [
        {"setting": "stages.mask_pii.style", "one": "placeholder", "other": "surrogate"},
        {"setting": "stages.mask_pii.seed", "one": 0, "other": 5},
    ]


def test_a_stage_that_was_taken_out_and_a_preset_are_written_out(small_recipe):
    """The preset's own numbers stand beside those of a recipe that changes one."""
    from chejil.curation.comparison.settings_changes import settings

    preset = small_recipe()
    own = small_recipe("stages.filter.bounds.ko={preset: koen, num_words: {low: 7}}")
    short = preset.model_copy(update={"stages": preset.stages[:-2] + preset.stages[-1:]})

    (moved,) = settings(preset, own)
    assert moved["setting"] == LOW
    assert moved["other"] == 7
    gone = settings(preset, short)
    assert gone[0] == {
        "setting": "stages",
        "one": ["normalise", "score", "filter", "exact_dedup", "near_dedup", "write"],
        "other": ["normalise", "score", "filter", "exact_dedup", "write"],
    }
    assert {row["other"] for row in gone[1:]} == {None}


def test_inputs_are_told_apart_by_their_hash(one, others):
    """Both files have the same name and other bytes."""
    found = compare(one, others["documents"]).inputs

    assert [row["file"] for row in found] == ["web/0.json.gz", "web/1.json.gz"]
    assert all(row["one"] != row["other"] for row in found)


def test_a_sample_says_what_moved(one, others):
    """The bound for the same value; of every change and reason so many documents as were asked for."""
    found = compare(one, others["bound"], samples=2)

    dropped = [s for s in found.samples if s["change"] == "newly_dropped"]
    assert len(dropped) == 2
    for sample in dropped:
        value = sample["other"]["reasons"][0]["value"]
        assert f"num_words {value}: low 20 → 120" in sample["why"]
        assert sample["one"]["kept"]
        assert not sample["other"]["kept"]


def test_samples_follow_from_ids_and_seed(one, others):
    """The same whichever run stands first, and others with another seed."""
    there, back = compare(one, others["bound"], 3, 1), compare(others["bound"], one, 3, 1)

    def ids(found, kind):
        return [sample["id"] for sample in found.samples if sample["change"] == kind]

    assert ids(there, "newly_dropped") == ids(back, "newly_kept")
    assert ids(there, "newly_dropped") != ids(compare(one, others["bound"], 3, 2), "newly_dropped")
    assert compare(one, others["bound"], samples=0).samples == []


def test_changed_texts_are_shown_as_spans_with_their_rules(one, others):
    """What each run put there, and in what place; a changed source text shows as normalising's or the source's."""
    (first, *_) = [s for s in compare(one, others["surrogates"]).samples if s["change"] == "text"]

    assert {rule for span in first["spans"] for rule in span["rules"]} >= {"mask_pii:phone"}
    assert {(span["in"], span["after"]) for span in first["spans"]} >= {("one", "<PHONE>")}
    befores = {
        side: [span["before"] for span in first["spans"] if span["in"] == side] for side in ("one", "other")
    }
    assert befores["one"] == befores["other"]


def test_one_run_shows_its_own_changes(one):
    """Counts of the manifest, documents with any edit, and samples with what stood there before."""
    found = own_changes(one, samples=2)

    said = manifest.read(one).edited
    assert Counter({(r["transform"], r["rule"]): r["spans"] for r in found.edited}) == Counter(
        {(name, rule): count for name, entry in said.items() for rule, count in entry["spans"].items()}
    )
    rows = {
        (shard, row)
        for shard in SHARDS
        for name in said
        for row in pl.read_parquet(f"{one}/edits/{name}/{shard}.parquet")["row"]
    }
    assert found.changed == len(rows)
    shown = {sample["change"] for sample in found.samples}
    assert shown == {"strip_boilerplate", "decontaminate", "line_dedup", "mask_pii"}
    assert all(sample["spans"] for sample in found.samples)


# The way back.


def test_every_document_is_restored_from_its_clean_text(one):
    """Clean shards and edits/ give the kept documents as they were before all transforms, byte for byte."""
    transforms, num = lookup.recipe_of(one).transforms(), 0
    for shard in SHARDS:
        was = pl.read_parquet(f"{one}/documents/{shard}.parquet")
        decisions = pl.read_parquet(f"{one}/decisions/{shard}.parquet")
        for lang in decisions["lang"].unique().drop_nulls():
            rows = np.flatnonzero((decisions["kept"] & (decisions["lang"] == lang)).to_numpy())
            if len(rows):
                clean = pl.read_parquet(
                    f"{one}/clean/{shard.split('/')[0]}/{lang}/{shard.split('/')[1]}.parquet"
                )
                found = restored(one, shard, rows, clean["text"].to_arrow(), transforms)
                assert found.to_pylist() == was["text"].gather(rows).to_list()
                num += len(rows)
    assert num == manifest.read(one).kept


def test_every_document_is_restored_before_each_transform(others):
    """One transform after the other, of all documents, dropped ones too; and from origins/ as it was read."""
    every = {record["id"]: record["text"] for record in records()}
    for root in (others["surrogates"], others["lines"]):
        transforms = lookup.recipe_of(root).transforms()
        for shard in SHARDS:
            rows = np.arange(len(pl.read_parquet(f"{root}/decisions/{shard}.parquet")))
            for number in range(len(transforms) + 1):
                wanted = texts_of(root, shard, transforms[:number])
                found = restored(root, shard, rows, texts_of(root, shard, transforms), transforms[number:])
                assert found.equals(wanted.combine_chunks())
            origins = pl.read_parquet(f"{root}/origins/{shard}.parquet")
            read = origins["original"].zip_with(
                origins["original"].is_not_null(), pl.Series(pl.from_arrow(found))
            )
            assert (
                dict(zip(origins["id"], wanted_of(root, shard, origins, read), strict=True)).items()
                <= every.items()
            )


def wanted_of(root, shard, origins, read):
    before = pl.Series(pl.from_arrow(texts_of(root, shard, []).combine_chunks()))
    return origins["original"].zip_with(origins["original"].is_not_null(), before).to_list()


def texts_of(root, shard, transforms):
    tables = [table["text"] for table in edits.row_groups(root, shard, ["text"], transforms)]
    return pa.chunked_array([chunk for column in tables for chunk in column.chunks], pa.large_string())


def test_a_text_that_is_not_the_runs_is_refused(one):
    """Rather than spoilt."""
    transforms = lookup.recipe_of(one).transforms()
    texts = texts_of(one, SHARDS[0], transforms).to_pylist()
    row = next(n for n, text in enumerate(texts) if "<PHONE>" in text)

    for wrong in (texts[row].replace("<PHONE>", "<phone>"), "짧다"):  # "it is short"
        with pytest.raises(RunError, match="has something else there"):
            restored(one, SHARDS[0], np.array([row]), pa.array([wrong]), transforms)


# The command.


def chejil(*arguments):
    done = CliRunner().invoke(cli.app, ["diff", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.mark.parametrize("name", ["bound", "surrogates", "lines", "documents", "entities"])
def test_the_command_prints_what_it_found(one, others, name):
    """A table for people, the same as JSON; and no control character of a document."""
    found = compare(one, others[name])

    printed, written = chejil(one, others[name]), chejil(one, others[name], "--json")

    assert json.loads(written) == json.loads(json.dumps(found.as_dict()))
    assert f"{found.unchanged['kept']:,} kept" in printed
    for text in (printed, written):
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_the_command_shows_one_run(one):
    """Before and after."""
    assert "{+<PHONE>+}" in chejil(one)
    assert json.loads(chejil(one, "--json"))["changed"] == own_changes(one).changed
    assert "nothing differs" in chejil(one, one)


def test_what_is_no_run_is_an_error(one, tmp_path):
    """On either side."""
    for pair in ((one, tmp_path), (tmp_path, one)):
        with pytest.raises(ChejilError, match="no finished run here"):
            compare(*map(str, pair))


def test_runs_without_a_filter_or_scores_are_compared(folder, data, tmp_path):
    """Languages and reasons are null there; a document is one all the same."""
    from chejil.curation import check, marked_yaml
    from chejil.curation.run import run

    recipe = f"{{name: bare, data: {data}, sources: {{web: {{format: jsonl, paths: web/*.json.gz}}}}, stages: [%s]}}"
    roots = []
    for name, stages in (("plain", "normalise, write"), ("masked", "normalise, mask_pii, write")):
        roots.append(str(tmp_path / name))
        run(check.check(marked_yaml.read(recipe % stages, "bare.yaml"), []), roots[-1])

    found = compare(*roots)

    verdicts, texts = reference(*roots)
    assert not verdicts
    assert not found.verdicts
    assert counted(found.texts, "source", "lang", "both_kept") == texts
    assert Path(roots[0]).name == "plain"


def test_runs_on_object_storage_are_compared_and_read(one, others):
    """By their URLs; what stands there is the same run."""
    files = fsspec.filesystem("memory")
    files.put(one, "/diff-one", recursive=True)
    try:
        assert compare("memory://diff-one", one).same
        assert (
            compare("memory://diff-one", others["bound"]).verdicts == compare(one, others["bound"]).verdicts
        )
        kept = documents_of("memory://diff-one").read(Selection(kept=True))
        assert len(list(kept)) == manifest.read(one).kept
    finally:
        files.rm("/diff-one", recursive=True)
