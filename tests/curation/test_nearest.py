"""`chejil near`: the nearest documents, by true similarity, and what differs in words."""

import io
import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, marked_yaml, shards
from chejil.curation.dedup import nearest_view
from chejil.curation.dedup.key_tables import SCHEMA, rows_with
from chejil.curation.dedup.nearest import nearest
from chejil.curation.dedup.shingles import shingle_set
from chejil.curation.dedup.word_diff import MAX_WORDS, Change, word_diff
from chejil.curation.run import run
from chejil.errors import ChejilError, RunError

WORDS = st.lists(st.sampled_from(["가", "나", "다", "a", "b", "漢"]), max_size=12)


def documents(root):
    """Id -> text of every document of a run."""
    paths = sorted(Path(root, "documents").rglob("*.parquet"))
    return dict(pl.concat([pl.read_parquet(path, columns=["id", "text"]) for path in paths]).iter_rows())


def brute_force(texts, text, itself=None):
    """(similarity, id) of all documents that have a shingle in common with a text, the most similar first."""
    own = shingle_set(text, 5)
    found = []
    for id_, other in texts.items():
        shingles = shingle_set(other, 5)
        if id_ != itself and own & shingles:
            found.append((-len(own & shingles) / len(own | shingles), id_))
    return [(-alike, id_) for alike, id_ in sorted(found)]


@given(WORDS, WORDS, st.sampled_from([" ", "\n", "  \t"]))
def test_applying_the_changes_makes_the_other_text(one, other, space):
    """What lies between the changes is the same in both, word for word."""
    text, wanted = space.join(one), " ".join(other)
    diff = word_diff(text, wanted)

    made, at = [], 0
    for change in diff.changes:
        assert text[change.start : change.end] == change.removed
        assert wanted[change.other_start : change.other_end] == change.added
        made += [text[at : change.start], change.added]
        at = change.end
    made.append(text[at:])
    assert " ".join(made).split() == other
    assert diff.num_added_words - diff.num_removed_words == len(other) - len(one)


def test_of_long_texts_the_first_words_are_compared():
    """And the diff says so."""
    one = " ".join(f"a{i}" for i in range(MAX_WORDS + 5))

    assert word_diff(one, one + " b").complete
    assert not word_diff(one, one.replace("a", "b")).complete


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.sets(st.integers(0, 40), max_size=5))
def test_rows_with_a_key_are_those_of_a_filter(tmp_path_factory, keys, wanted):
    """Whatever row groups they lie in."""
    folder = str(tmp_path_factory.mktemp("keys"))
    table = pa.table(
        {"key": pa.array(sorted(keys), pa.uint64()), "row": pa.array(range(len(keys)), pa.int32())}
    )
    groups = [table.slice(start, 7) for start in range(0, len(keys), 7)]
    shards.write_shard(folder, "k.parquet", groups, SCHEMA, key="key")

    found = rows_with(f"{folder}/k.parquet", np.array(sorted(wanted), np.uint64))

    assert found.tolist() == [row for row, key in enumerate(sorted(keys)) if key in wanted]


@pytest.mark.parametrize("top", [1, 3, 10])
def test_the_nearest_of_a_document_are_those_of_brute_force(small_run, top):
    """True similarities, in their order; the document itself is not among them."""
    texts = documents(small_run)
    for id_ in list(texts)[::17]:
        if not texts[id_]:
            continue
        found = nearest(small_run, id_, top)

        expected = brute_force(texts, texts[id_], id_)[:top]
        alike = [n.similarity for n in found.neighbours]
        assert alike == sorted(alike, reverse=True)
        assert {n.id: n.similarity for n in found.neighbours}.items() <= {
            name: value for value, name in brute_force(texts, texts[id_], id_)
        }.items()
        assert [n.id for n in found.neighbours if n.similarity > 0.5] == [n for v, n in expected if v > 0.5]
        # All documents are made of the same sentences: their sketches cannot tell which of them is nearest by a hair.
        assert alike == pytest.approx([value for value, _ in expected], abs=0.05)
        assert found.document == id_


def test_an_edited_text_finds_its_original_by_band_keys(small_run):
    """With case, punctuation and composition as they come: the query goes through the run's normalising."""
    texts = documents(small_run)
    text = next(text for id_, text in texts.items() if id_.startswith("mc4-ko") and text)
    edited = text.replace("회의를", "모임을", 1)  # "meeting" -> "gathering"

    found = nearest(small_run, edited, 1)
    again = nearest(small_run, unicodedata.normalize("NFD", edited).upper() + "!!", 1)

    best = found.neighbours[0]
    assert found.by == "band keys"
    assert texts[best.id] == text
    assert [(change.removed, change.added) for change in best.diff.changes] == [("모임을", "회의를")]
    assert again.neighbours[0].id == best.id
    assert again.neighbours[0].similarity == best.similarity
    assert abs(best.estimate - best.similarity) < 0.15


def tiny(
    folder, *stages, texts=("하나 둘 셋 넷 다섯 여섯", "하나 둘 셋 넷 다섯 일곱", "")
):  # one two three …
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    recipe = {
        "name": "tiny", "data": str(folder), "sources": {"w": {"format": "jsonl", "paths": "a.jsonl"}},
        "stages": ["normalise", *stages, "write"],
    }  # fmt: skip
    root = str(folder / "run")
    run(check.check(marked_yaml.read(json.dumps(recipe), "tiny.yaml")), root)
    return root


@pytest.mark.parametrize("stages", [(), ("near_dedup",), ("exact_dedup",)])
def test_a_run_without_signatures_is_asked_through_datasketch(tmp_path, stages):
    """The same answer as from signatures."""
    if "near_dedup" not in stages:
        pytest.importorskip("datasketch")
    root = tiny(tmp_path, *stages)

    found = nearest(root, "w/a.jsonl#0")

    assert found.by == ("all sketches" if "near_dedup" in stages else "datasketch")
    assert [(n.id, n.similarity) for n in found.neighbours] == [("w/a.jsonl#1", pytest.approx(1 / 3))]


def test_datasketch_finds_what_brute_force_finds(small_recipe, tmp_path):
    """The three nearest of a document, in a run of 114 without deduplication."""
    pytest.importorskip("datasketch")
    recipe = small_recipe()
    recipe = recipe.model_copy(update={"stages": [recipe.stages[0], recipe.stages[-1]]})
    root = str(tmp_path / "run")
    run(recipe, root)
    texts = documents(root)
    id_ = next(id_ for id_, text in texts.items() if text)

    assert [n.id for n in nearest(root, id_, 3).neighbours] == [
        name for _, name in brute_force(texts, texts[id_], id_)[:3]
    ]


def test_datasketch_that_is_absent_is_an_error_with_a_cure(tmp_path, monkeypatch):
    """Two cures: install it, or let the run sign."""
    root = tiny(tmp_path)

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr("chejil.curation.dedup.nearest.importlib.import_module", refuse)
    with pytest.raises(RunError, match="no datasketch") as caught:
        nearest(root, "하나 둘 셋")
    assert "chejil[near]" in str(caught.value.mend)


def test_errors_say_how_to_mend_them(small_run, tmp_path):
    """An id that nobody has, a text without words, a run without documents, no run."""
    with pytest.raises(RunError, match="no document") as caught:
        nearest(small_run, "mc4-ko/c4-ko.00000.json.gz#99")
    assert "did you mean" in str(caught.value.mend)
    with pytest.raises(ChejilError, match="no words to compare"):
        nearest(small_run, "!? …")
    with pytest.raises(RunError, match="no documents"):
        nearest(tiny(tmp_path, "near_dedup", texts=()), "하나 둘 셋")
    with pytest.raises(RunError):
        nearest(str(tmp_path / "nothing"), "하나 둘 셋")


@pytest.mark.parametrize("lost", ["work", "decisions", "documents"])
def test_a_run_that_lost_files_says_which(tmp_path, lost):
    """And how to get them again."""
    root = tiny(tmp_path, "near_dedup")
    shutil.rmtree(f"{root}/{lost}")

    with pytest.raises(RunError, match=f"{lost}/.* is missing") as caught:
        nearest(root, "하나 둘 셋")
    assert "restore it" in str(caught.value.mend)


def test_signatures_of_another_version_are_refused(tmp_path):
    """Nothing of them would meet today's: what came back would be chance."""
    root = Path(tiny(tmp_path, "near_dedup"))
    place = root / "manifest.json"
    content = json.loads(place.read_text("utf-8"))
    stage = next(one for one in content["stages"] if one["name"] == "near_dedup/signatures")
    stage["version"] -= 1
    place.write_text(json.dumps(content), "utf-8")

    with pytest.raises(RunError, match="another version of Chejil") as caught:
        nearest(str(root), "하나 둘 셋")
    assert caught.value.mend == "run its recipe again"


def test_a_place_with_a_space_is_no_text(small_run):
    """File names have spaces: "page 1", of no source."""
    with pytest.raises(RunError, match=r"no document '페이지 1\.jsonl#3'") as caught:
        nearest(small_run, "페이지 1.jsonl#3")
    assert "sources:" in str(caught.value.mend)


def test_nothing_in_common_is_an_answer(small_run):
    """Not an error, and no neighbour of similarity 0."""
    found = nearest(small_run, "전혀 다른 말 여섯 개 뿐이다")  # "only six quite other words"

    assert found.neighbours == []
    assert "no document of 114" in next(iter(nearest_view.nearest(found)))


def test_the_terminal_marks_words_and_breaks_wide_lines(tmp_path):
    """Marks where there are no colours; a line of Hangul takes two columns a syllable and stays within the width."""
    long = "가나다라마바사아자차카타파하 " * 3
    root = tiny(tmp_path, "near_dedup", texts=(f"{long} 하나 둘 셋 넷 다섯", f"{long} 하나 둘 셋 넷 일곱"))
    console = Console(width=60, record=True, color_system=None, file=io.StringIO())

    for part in nearest_view.nearest(nearest(root, "w/a.jsonl#0")):
        console.print(part)
    shown = console.export_text()

    assert "[-다섯-]{+일곱+}" in shown.replace("\n", "")
    width = {"W": 2, "F": 2}
    lines = [sum(width.get(unicodedata.east_asian_width(c), 1) for c in line) for line in shown.splitlines()]
    assert max(lines) <= 60


def test_a_document_does_not_steer_the_terminal():
    """Escape sequences are shown, not sent, and long insertions are cut in the middle."""
    change = Change(0, 7, "a\x1b[31mb", 0, 999, "가" * 999)

    shown = nearest_view.change_line(change).plain

    assert "[-a\ufffd[31mb-]" in shown
    assert len(shown) < 300


@pytest.mark.parametrize("way", ["id", "text", "@file", "-"])
def test_the_command_takes_an_id_a_text_a_file_or_stdin(small_run, tmp_path, way):
    """One JSON object, whatever the way."""
    texts = documents(small_run)
    id_ = next(id_ for id_, text in texts.items() if text and id_.startswith("c4-en"))
    (tmp_path / "text.txt").write_text(texts[id_])
    argument = {"id": id_, "text": texts[id_], "@file": f"@{tmp_path / 'text.txt'}", "-": "-"}[way]

    done = CliRunner().invoke(
        cli.app, ["near", small_run, argument, "--top", "2", "--json"], input=texts[id_]
    )
    found = json.loads(done.stdout)

    assert len(found["neighbours"]) == 2
    assert found["document"] == (id_ if way == "id" else None)
    assert (found["neighbours"][0]["id"] == id_) == (way != "id")
    assert set(found["neighbours"][1]["diff"]["changes"][0]) >= {"start", "end", "removed", "added"}
