"""Whoever is asked gives the same counts: explain, stats, whatif, diff, the report and the card, as the manifest."""

import html
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from chejil.curation import manifest
from chejil.curation.data_card import data_card
from chejil.curation.explain import explain
from chejil.curation.run import run

from .conftest import ENGLISH, KOREAN
from .tokenizer_file import write_byte_tokenizer


def asked(*arguments):
    """What a command says, as JSON."""
    command = [sys.executable, "-m", "chejil", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def by_group(funnel):
    """Documents by source, language and first reason; an unknown language is null or called so."""
    counts = Counter()
    for row in funnel:
        counts[row["source"], row["lang"] or "unknown", row["reason"]] += row["documents"]
    return counts


def explained(root):
    """The funnel that comes out when every document is explained by itself."""
    counts = Counter()
    for row in pl.read_parquet(f"{root}/decisions/**/*.parquet").to_dicts():
        decision = explain(root, f"{row['source']}:{row['file']}#{row['line']}").decision
        counts[decision["source"], decision["lang"] or "unknown", decision["reason"]] += 1
    return counts


@pytest.fixture(scope="module")
def tokenized_run(small_recipe, tmp_path_factory):
    """The small run with a tokenizer, and what a clean shard of it has in tokens by the same tokenizer."""
    folder = tmp_path_factory.mktemp("tokenized")
    path = write_byte_tokenizer(folder / "tokenizer", [*KOREAN, *ENGLISH])
    recipe = small_recipe(f"stages.score.models={{tokenizer: {Path(path).parent}}}")
    run(recipe, str(folder / "run"), workers=1)
    return str(folder / "run"), path


def counted(rows, *, sizes=("tokens",), by=("source", "lang")):
    """Sums by source and language, without groups that have none."""
    counts = Counter()
    for row in rows:
        for size in sizes:
            counts[(*(row[name] or "unknown" for name in by), size)] += row[size] or 0
    return +counts


def test_all_agree_on_tokens(tokenized_run):
    """Of what was kept, by source and language: the text itself, stored columns, and everyone who tells them."""
    root, path = tokenized_run
    from tokenizers import Tokenizer

    texts = pl.read_parquet(f"{root}/clean/**/*.parquet")
    model = Tokenizer.from_file(path)
    told = Counter()
    for row in texts.to_dicts():
        told[row["source"], row["lang"], "tokens"] += len(model.encode(row["text"]).ids)
    every, num_bytes = told.total(), texts["text"].str.len_bytes().sum()
    each = f"{num_bytes / every:.2f}"

    stored, again = asked("stats", root), asked("stats", root, "--tokenizer", path)
    assert counted(stored["groups"]) == counted(again["groups"]) == told
    assert stored["total"]["tokens"] == every
    assert stored["total"]["bytes_per_token"] == again["total"]["bytes_per_token"] == num_bytes / every
    whatif = asked("whatif", root)
    assert counted(whatif["groups"], sizes=["tokens_after"]).total() == every
    assert counted(row for row in whatif["funnel_after"] if row["reason"] is None) == told
    assert whatif["total"]["tokens"] == pl.read_parquet(f"{root}/signals/**/*.parquet")["num_tokens"].sum()
    assert explained_tokens(root) == told
    card = data_card(root)
    assert f"{every:,} tokens, {each} bytes each" in card
    page = html.unescape(Path(root, "report.html").read_text("utf-8"))
    for (source, lang, _), number in told.items():
        row = re.search(rf"<tr><th scope=row>{source}</th><td>{lang}</td>.*</tr>", page).group()
        assert f">{number:,}<" in row
        assert re.search(rf"\| {source} \| {lang} .* \| {number:,} \|", card)
    assert f"<b>{every:,}</b>" in page
    assert f"{each} bytes each" in page


def explained_tokens(root):
    """Tokens of what was kept when every document is explained by itself."""
    counts = Counter()
    for row in pl.read_parquet(f"{root}/decisions/**/*.parquet").filter("kept").to_dicts():
        found = explain(root, f"{row['source']}:{row['file']}#{row['line']}")
        counts[row["source"], row["lang"], "tokens"] += next(
            one.value for one in found.signals if one.signal == "num_tokens"
        )
    return counts


def test_a_run_without_a_tokenizer_says_nothing_of_tokens(small_run):
    """No column, no tile, no table; only whatif says why."""
    assert asked("stats", small_run)["total"]["tokens"] is None
    whatif = asked("whatif", small_run)
    assert not [key for key in whatif["total"] if "tokens" in key]
    assert "tokens are not counted" in whatif["notes"][0]
    assert "token" not in data_card(small_run).replace("text-generation", "")
    assert "bytes a token" not in Path(small_run, "report.html").read_text("utf-8")


def test_all_that_can_be_asked_agree(small_run):
    """On every document, by source, language and first reason where they tell it."""
    content = manifest.read(small_run)
    told = by_group(content.funnel)
    stats, whatif, diff = (
        asked("stats", small_run),
        asked("whatif", small_run),
        asked("diff", small_run, small_run),
    )
    page = re.sub(r"<[^>]*>|\s+", " ", html.unescape(Path(small_run, "report.html").read_text("utf-8")))

    assert explained(small_run) == told
    assert by_group(stats["funnel"]) == told
    assert (stats["total"]["documents"], stats["total"]["kept"]) == (content.documents, content.kept)
    assert by_group(whatif["funnel_before"]) == by_group(whatif["funnel_after"]) == told
    assert (whatif["total"]["kept_after"], whatif["total"]["newly_dropped"]) == (content.kept, 0)
    assert diff["same"]
    assert diff["unchanged"] == {"kept": content.kept, "dropped": content.documents - content.kept}
    assert f"{content.kept:,}" in page
    for reason in {row["reason"] for row in content.funnel} - {None}:
        number = sum(row["documents"] for row in content.funnel if row["reason"] == reason)
        assert re.search(rf"{re.escape(reason)}\W+(\D*\W+)?{number:,}\b", page), (reason, number)
