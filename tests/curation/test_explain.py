"""`explain` gives the answer that the run gave, and everything behind it."""

import json
import shutil
import unicodedata
from pathlib import Path

import polars as pl
import pytest

from chejil import terminal
from chejil.curation import check, marked_yaml, views
from chejil.curation.explain import MAX_MATES, changed_spans, explain
from chejil.curation.run import run
from chejil.errors import RunError
from chejil.filters.catalogue import SIGNALS


def decisions(root):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, "decisions").rglob("*.parquet"))])


def run_of(folder, files, *stages):
    """A run over files of one source `w`, each a list of records."""
    for name, records in files.items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        path.write_text("\n".join(lines) + "\n")
    recipe = {
        "name": "tiny",
        "data": str(folder / "data"),
        "sources": {"w": {"format": "jsonl", "paths": "**/*.jsonl"}},
        "stages": ["normalise", *stages, "write"],
    }
    root = str(folder / "run")
    run(check.check(marked_yaml.read(json.dumps(recipe), "tiny.yaml"), []), root)
    return root


def test_every_document_is_explained_as_it_was_decided(small_run):
    """Verdict, first reason and all reasons are those of the run, for each document."""
    for row in decisions(small_run).to_dicts():
        found = explain(small_run, f"{row['source']}:{row['file']}#{row['line']}")

        assert dict(found.decision) == row
        failing = {f"{m.signal}" for m in found.signals if m.verdict == "fails"}
        assert failing == {r.split(":")[0] for r in row["reasons"] if r.split(":")[0] in SIGNALS} or row[
            "reasons"
        ] == ["empty"]


def test_what_failed_is_shown_first(tmp_path, capsys):
    """Signals that no bound judges are counted and not shown."""
    bounds = dict.fromkeys(("en", "mixed", "other", "unknown"), "drop")
    bounds["ko"] = {"num_chars": {"low": 5}, "mean_word_chars": {"high": 1}, "digit_share": {"high": 0.5}}
    record = {"text": "바람이 잔잔하다."}  # the wind is calm
    root = run_of(tmp_path, {"a.jsonl": [record]}, "score", {"filter": {"bounds": bounds}})

    terminal.show(explain(root, "w:a.jsonl#0"), False, views.explanation)

    lines = [line.split() for line in capsys.readouterr().out.split("\n") if line.split()]
    judged = [(line[0], line[-1]) for line in lines if line[-1] in ("fails", "passes")]
    assert judged == [("mean_word_chars", "fails"), ("num_chars", "passes"), ("digit_share", "passes")]
    assert any("more signals, which no bound judges here" in " ".join(line) for line in lines)


def test_a_signal_stands_beside_its_bounds_unit_and_margin(small_run):
    """The margin is the distance to the nearer bound."""
    kept = decisions(small_run).filter("kept", pl.col("lang") == "ko").row(0, named=True)
    found = {m.signal: m for m in explain(small_run, kept["id"]).signals}["mean_word_chars"]

    assert found.unit == "eojeol"
    assert found.verdict == "passes"
    assert found.margin == pytest.approx(min(found.value - found.low, found.high - found.value))


def test_duplicates_are_listed_with_their_true_similarity(small_run):
    """Mates are those of the cluster; the similarity is computed from the texts."""
    dropped = decisions(small_run).filter(pl.col("reason") == "duplicate:near").row(0, named=True)

    mates = {mate.id: mate for mate in explain(small_run, dropped["id"]).mates}

    assert dropped["duplicate_of"] in mates
    assert 0.7 < mates[dropped["duplicate_of"]].similarity <= 1
    assert mates[dropped["duplicate_of"]].kept


def test_a_copy_that_is_spaced_otherwise_has_similarity_1(tmp_path):
    """Exact copies are equal but for white space, so their words may all differ."""
    copies = [{"text": "이른 아침 바닷가"}, {"text": "이른아침 바닷 가"}]  # early morning at the seaside
    root = run_of(tmp_path, {"x.jsonl": copies}, "exact_dedup")

    (mate,) = explain(root, "w:x.jsonl#1").mates

    assert (mate.id, mate.cluster, mate.similarity, mate.kept) == ("w/x.jsonl#0", "exact", 1.0, True)


def test_the_survivor_of_a_large_cluster_is_always_shown(tmp_path):
    """It stands first, however many copies come before it in the run."""
    copies = [{"text": "이른 아침 바닷가"}] * (MAX_MATES + 2)  # early morning at the seaside
    longest = {"text": "이른  아침  바닷가"}  # more spaces, so the longest, which survives
    root = run_of(tmp_path, {"x.jsonl": [*copies, longest]}, "exact_dedup")

    mates = explain(root, "w:x.jsonl#1").mates

    assert (mates[0].id, mates[0].kept) == (f"w/x.jsonl#{MAX_MATES + 2}", True)
    assert len({mate.id for mate in mates} - {"w/x.jsonl#1"}) == MAX_MATES
    assert not any(mate.kept for mate in explain(root, mates[0].id).mates)


def test_the_document_it_is_a_duplicate_of_stands_first_even_if_dropped(tmp_path):
    """The longest of exact copies stands in for them, though it is itself a near duplicate of a longer text."""
    text = " ".join(f"낱말{number}" for number in range(200))  # word 0, word 1, …
    records = [
        {"text": text},
        {"text": text.replace(" ", "  ", 1)},
        {"text": text + " 그리고 끝"},
    ]  # and the end
    root = run_of(tmp_path, {"x.jsonl": [*records[:1] * MAX_MATES, *records]}, "exact_dedup", "near_dedup")

    mates = explain(root, "w:x.jsonl#0").mates[:2]

    assert [(mate.id, mate.cluster, mate.kept) for mate in mates] == [
        (f"w/x.jsonl#{MAX_MATES + 1}", "exact", False),
        (f"w/x.jsonl#{MAX_MATES + 2}", "near", True),
    ]


def test_a_rule_is_shown_with_its_condition_and_verdict(small_run):
    """The rule that dropped a document does not pass, and says what it asked."""
    dropped = decisions(small_run).filter(pl.col("reason") == "rule:no_advertising").row(0, named=True)

    assert explain(small_run, dropped["id"]).rules == [
        {"rule": "no_advertising", "drop": "url LIKE '%/ad/%'", "passes": False}
    ]


def test_a_quarantined_record_is_explained_too(small_run):
    """It has no decision; its reason, place and beginning are shown."""
    rows = explain(small_run, "mc4-ko/c4-ko.00000.json.gz#15")

    assert [(row["reason"], row["line"], row["excerpt"]) for row in rows] == [
        ("bad_json", 15, '{"text": "torn')
    ]


@pytest.mark.parametrize("document", ["w:a/b.jsonl#1", "w/a/b.jsonl#1"])
def test_a_quarantined_record_goes_by_its_whole_place(tmp_path, document):
    """Both forms of a place are understood, and files of one name in two folders are told apart."""
    root = run_of(tmp_path, {name: [{"text": "가"}, "{torn"] for name in ("a/b.jsonl", "c/b.jsonl")})

    assert [(row["file"], row["line"]) for row in explain(root, document)] == [("a/b.jsonl", 1)]
    with pytest.raises(RunError, match="no document"):
        explain(root, document.replace("a/b", "b"))


def test_a_run_without_its_recipe_says_how_to_mend_it(small_run, tmp_path):
    """The bounds stand in recipe.yaml; where it is gone, the error says what to do."""
    root = shutil.copytree(small_run, tmp_path / "run")
    (root / "recipe.yaml").unlink()

    with pytest.raises(RunError, match=r"recipe.yaml is missing\n  mend: run the recipe again with --out"):
        explain(str(root), "mc4-ko/c4-ko.00000.json.gz#0")


def test_an_unknown_id_gets_near_ones(small_run):
    """The error names ids that exist."""
    with pytest.raises(RunError, match=r"did you mean 'mc4-ko/c4-ko.0000\d.json.gz#\d+'"):
        explain(small_run, "mc4-ko/c4-ko.00000.json.gz#9999")
    with pytest.raises(RunError, match=r"did you mean 'mc4-ko/c4-ko.0000\d.json.gz#\d+'"):
        explain(small_run, "mc4-ko:c4-ko.00000.json.gz#9999")
    with pytest.raises(RunError, match="did you mean 'mc4-ko'"):
        explain(small_run, "mc4-kr/x#1")


def test_a_run_whose_tables_disagree_is_not_explained(small_run, tmp_path):
    """If the stored signals do not give the stored decision, that is an error of the run."""
    root = shutil.copytree(small_run, tmp_path / "run")
    path = sorted((root / "signals/mc4-ko").glob("*.parquet"))[0]
    pl.read_parquet(path).with_columns(num_words=pl.lit(1, pl.Int64)).write_parquet(path)

    with pytest.raises(RunError, match="the run says kept, its signals and recipe say"):
        explain(str(root), "mc4-ko/c4-ko.00000.json.gz#0")


def test_changed_spans_show_what_stood_there_and_what_stands_there_now():
    """Line by line, only the lines that differ."""
    assert list(changed_spans("a\u00a0b\nc\r\nd", "a b\nc\nd")) == [("a\u00a0b\nc\r", "a b\nc")]


def test_changed_spans_show_the_difference_in_a_long_line():
    """A word in NFD behind 200 characters is within what is shown; … stands where the line was cut."""
    word = "각"  # each
    line = "a" * 200 + "{}" + "b" * 200

    ((before, after),) = changed_spans(line.format(unicodedata.normalize("NFD", word)), line.format(word))

    assert before == "…" + "a" * 20 + unicodedata.normalize("NFD", word) + "b" * 37 + "…"
    assert after == "…" + "a" * 20 + word + "b" * 39 + "…"


def test_every_block_of_changed_lines_has_its_own_window():
    """Each is cut to its own first difference; a dropped end of line is one."""
    before = "\n".join(["x" * 100 + "\u00a0", "same", "y" * 100 + "\t"])

    spans = list(changed_spans(before, before.replace("\u00a0", " ").replace("\t", "")))

    assert spans == [
        ("…" + "x" * 20 + "\u00a0", "…" + "x" * 20 + " "),
        ("…" + "y" * 20 + "\t", "…" + "y" * 20),
    ]
