"""A new dump against the runs before it: as if all had been deduplicated together, without doing the old ones again."""

import random
import shutil

import polars as pl
import pytest

from chejil.curation import check, manifest, marked_yaml
from chejil.curation.explain import explain
from chejil.curation.run import run
from chejil.curation.stage import Part
from chejil.errors import RecipeError, RunError

RECIPE = """
name: {name}
data: {data}
sources: {{web: {{format: jsonl, paths: {files}}}}}
stages:
  - normalise
  - score: {{signals: [num_words]}}
  - filter:
      bounds: {{ko: {{num_words: {{low: 10, unit: eojeol}}}}, en: keep, mixed: keep, other: keep, unknown: keep}}
  - exact_dedup: {{against: {against}}}
  - near_dedup: {{against: {against}, threshold: {threshold}}}
  - write
"""


def document(rng, words=80):
    """Words of two syllables."""
    return " ".join(
        chr(0xAC00 + rng.randrange(11172)) + chr(0xAC00 + rng.randrange(11172)) for _ in range(words)
    )


def write(path, texts):
    path.write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), "utf-8")


@pytest.fixture
def dumps(tmp_path):
    """Four old documents, one of them too short to be kept; four new ones: two copies, one of what was dropped."""
    rng = random.Random(3)
    old = [document(rng), document(rng), document(rng, 5), document(rng)]
    edited = old[1].split()
    edited[40] = "바꿈"  # "changed"
    new = [old[0], " ".join(edited), old[2], document(rng), document(rng)]
    new.append(new[-1])  # and a copy among themselves
    write(tmp_path / "old.jsonl", old)
    write(tmp_path / "new.jsonl", new)
    return tmp_path


def done(folder, name, files, against=(), threshold=0.7, workers=1):
    text = RECIPE.format(
        name=name, data=folder, files=files, against=list(map(str, against)), threshold=threshold
    )
    run(check.check(marked_yaml.read(text, f"{name}.yaml")), str(folder / name), workers)
    return folder / name


def decisions(root):
    return pl.concat([pl.read_parquet(path) for path in sorted((root / "decisions").rglob("*.parquet"))])


def test_what_an_earlier_run_kept_is_dropped_here(dumps):
    """For the old document, by its id; what the old run dropped itself stands in for nothing."""
    old = done(dumps, "old", "old.jsonl")
    new = done(dumps, "new", "new.jsonl", [old])

    rows = decisions(new)

    assert rows["reason"].to_list() == [
        "duplicate:exact", "duplicate:near", "num_words:low", None, None, "duplicate:exact",
    ]  # fmt: skip
    assert rows["duplicate_of"].to_list()[:2] == ["web/old.jsonl#0", "web/old.jsonl#1"]
    assert manifest.verify(str(new)) == []
    assert explain(str(new), "web/new.jsonl#1").decision["duplicate_of"] == "web/old.jsonl#1"


def test_it_is_as_if_both_had_been_one_run(dumps):
    """As many documents are kept, whichever way; the third dump is compared with both runs before it."""
    old = done(dumps, "old", "old.jsonl")
    new = done(dumps, "new", "new.jsonl", ["old"])
    both = decisions(done(dumps, "both", "[old.jsonl, new.jsonl]")).filter("kept")
    third = done(dumps, "third", "[old.jsonl, new.jsonl]", [old, new], workers=2)

    assert decisions(old)["kept"].sum() + decisions(new)["kept"].sum() == len(both) == 5
    assert decisions(third)["kept"].sum() == 0


def test_runs_that_overlap_both_count(dumps):
    """Two earlier runs that know nothing of one another keep two copies; what resembles either is dropped."""
    rng = random.Random(5)
    words = document(rng, 200).split()
    versions = [list(words) for _ in range(3)]
    for place in range(5, 9):
        versions[1][place], versions[2][place], versions[2][-place] = (
            "바꿈",
            "바꿈",
            "다름",
        )  # "changed", "other"
    for name, version in zip(("a", "b", "c"), versions, strict=True):
        write(dumps / f"{name}.jsonl", [" ".join(version)])
    first, second = done(dumps, "first", "a.jsonl"), done(dumps, "second", "b.jsonl")

    assert decisions(done(dumps, "one", "c.jsonl", [second]))["reason"].to_list() == ["duplicate:near"]
    assert decisions(done(dumps, "two", "c.jsonl", [first, second]))["reason"].to_list() == ["duplicate:near"]


def test_a_run_is_not_deduplicated_against_itself(dumps):
    """It would keep nothing, and say for each document that it stands in for itself."""
    own = done(dumps, "new", "new.jsonl")

    with pytest.raises(RunError, match="against itself"):
        done(dumps, "new", "new.jsonl", ["new"])

    assert decisions(own)["kept"].any()


def test_many_parts_are_as_one(dumps, monkeypatch):
    """Keys and clusters cut into 42 ranges give the decisions that one range gives."""
    old = done(dumps, "old", "old.jsonl")
    one = decisions(done(dumps, "new", "new.jsonl", [old]))
    monkeypatch.setattr(Part, "all", lambda rows, rows_a_part: tuple(Part(k, 42) for k in range(42)))

    many = done(dumps, "many", "new.jsonl", [old])

    assert decisions(many).equals(one)
    assert len(list((many / "work/near_dedup/edges").glob("*.parquet"))) == 42
    assert manifest.verify(str(many)) == []


def test_a_run_that_moved_is_the_same_run(dumps):
    """Where an earlier run lies is in no key; what it holds is."""
    old = done(dumps, "old", "old.jsonl")
    new = done(dumps, "new", "new.jsonl", ["old"])
    before = {path: path.stat().st_mtime_ns for path in new.rglob("*.parquet")}
    old.rename(dumps / "moved")

    done(dumps, "new", "new.jsonl", ["moved"])

    assert {path: path.stat().st_mtime_ns for path in new.rglob("*.parquet")} == before


def test_a_run_that_cannot_be_compared_with_is_refused(dumps):
    """Before anything runs, with its place in the recipe: one that is not there, one with other bands."""
    done(dumps, "old", "old.jsonl", threshold=0.9)
    text = RECIPE.format(name="cut", data=dumps, files="old.jsonl", against="[]", threshold=0.7)
    text = text.replace("  - normalise\n", "  - normalise\n  - strip_boilerplate\n")
    run(check.check(marked_yaml.read(text, "cut.yaml")), str(dumps / "cut"))

    with pytest.raises(RecipeError) as found:
        done(dumps, "new", "new.jsonl", ["old", "none", "cut"])

    text = str(found.value)
    assert "no finished run here" in text
    assert "its signatures differ from this recipe's: bands" in text
    assert "its text was made otherwise before near_dedup: strip_boilerplate" in text
    assert "new.yaml:10:36" in text
    assert "new.yaml:11:35" in text


@pytest.mark.parametrize("lost", ["work", "decisions", "recipe.yaml", "manifest.json"])
def test_an_earlier_run_that_lost_files_is_refused_before_anything_is_read(dumps, lost):
    """Named, with how to get it again; what cures must not destroy the earlier run."""
    old = done(dumps, "old", "old.jsonl")
    if lost == "manifest.json":
        (old / lost).write_text((old / lost).read_text()[:100])
    elif lost == "recipe.yaml":
        (old / lost).unlink()
    else:
        shutil.rmtree(old / lost)

    with pytest.raises(RecipeError) as found:
        done(dumps, "new", "new.jsonl", ["old"])

    text = str(found.value)
    assert f"{lost} is damaged" in text if lost == "manifest.json" else "is missing" in text and lost in text
    assert "restore it" in text
    assert "remove the file" not in text
    assert not (dumps / "new").exists()


def test_a_run_and_its_copy_count_once(dumps):
    """Each would make the clusters larger, and the weights."""
    old = done(dumps, "old", "old.jsonl")
    shutil.copytree(old, dumps / "copy")

    with pytest.raises(RecipeError, match="copy: the same run as old"):
        done(dumps, "new", "new.jsonl", ["old", "copy"])
