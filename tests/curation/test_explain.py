"""`explain` gives the answer that the run gave, and everything behind it."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from chejil.curation.explain import changed_spans, explain
from chejil.errors import RunError
from chejil.filters.catalogue import SIGNALS


def decisions(root):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, "decisions").rglob("*.parquet"))])


def test_every_document_is_explained_as_it_was_decided(small_run):
    """Verdict, first reason and all reasons are those of the run, for each document."""
    for row in decisions(small_run).to_dicts():
        found = explain(small_run, f"{row['source']}:{row['file']}#{row['line']}")

        assert dict(found.decision) == row
        failing = {f"{m.signal}" for m in found.signals if m.verdict == "fails"}
        assert failing == {r.split(":")[0] for r in row["reasons"] if r.split(":")[0] in SIGNALS} or row[
            "reasons"
        ] == ["empty"]


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


def test_an_unknown_id_gets_near_ones(small_run):
    """The error names ids that exist."""
    with pytest.raises(RunError, match=r"did you mean 'mc4-ko/c4-ko.0000\d.json.gz#\d+'"):
        explain(small_run, "mc4-ko/c4-ko.00000.json.gz#9999")
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
