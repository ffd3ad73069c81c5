"""Documents repeated by weight: the law of counts, sampled shards of a run, and that encoding reads them."""

import json
import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
import xxhash
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, shards
from chejil.curation.id_hashes import id_hashes
from chejil.curation.run import run
from chejil.curation.writing import CLEAN
from chejil.errors import ChejilError
from chejil.tokenizer import corpus
from chejil.training.mixing import sampled_shards
from chejil.training.mixing.document_weights import DocumentWeights, by_steps, copies
from chejil.training.mixing.law_of_counts import CountLaw


def slow_copies(weight, name, seed):
    """One document, in exact fractions of 2**53."""
    uniform = Fraction(xxhash.xxh3_64_intdigest(name.encode(), seed) >> 11, 2**53)
    whole = math.floor(weight)
    return whole + (uniform < Fraction(weight) - whole)


names = st.lists(st.text(min_size=1, max_size=8).filter(lambda s: s.isprintable()), min_size=1, max_size=20)


@given(names, st.lists(st.floats(0, 50), min_size=20, max_size=20), st.integers(0, 2**63 - 1))
def test_copies_are_a_pure_function_of_id_seed_and_weight(ids, weights, seed):
    """As one at a time, in any order; the floor or one more."""
    weights = np.array(weights[: len(ids)])

    found = copies(weights, id_hashes(ids, seed))

    assert found.tolist() == [slow_copies(w, i, seed) for w, i in zip(weights.tolist(), ids, strict=True)]
    assert copies(weights[::-1], id_hashes(ids[::-1], seed)).tolist() == found[::-1].tolist()


@given(st.floats(0, 9))
def test_the_mean_of_the_copies_is_the_weight(weight):
    """20,000 ids: within 5 standard deviations, and more weight never means fewer copies."""
    hashes = id_hashes([f"문서-{n}" for n in range(20_000)], 7)  # "document"

    found = copies(np.full(20_000, weight), hashes)

    part = weight - math.floor(weight)
    assert abs(found.sum() - 20_000 * weight) <= 5 * math.sqrt(20_000 * part * (1 - part)) + 1e-6
    assert (copies(np.full(20_000, weight + 0.3), hashes) >= found).all()


def test_weights_multiply_and_are_capped():
    """Source, cluster, quality; a value below the first step has the first, none has its own."""
    settings = DocumentWeights.model_validate(
        {
            "run": "r", "rehydration": {1: 1, 3: 2},
            "quality": {"column": "q", "steps": {0: 0.5, 0.5: 3}},
            "sources": {"web-*/ko": 2, "web-*": 0}, "max_copies": 5,
        }
    )  # fmt: skip
    sizes, quality = np.array([1, 3, 9, 2]), np.array([-1, 0.2, 0.9, np.nan])

    assert settings.weights("web-a", "ko", sizes, quality).tolist() == [1, 2, 5, 2]
    assert settings.weights("law", "ko", sizes, quality).tolist() == [0.5, 1, 5, 1]
    assert settings.weights("web-a", "en", sizes, quality).tolist() == [0, 0, 0, 0]


@given(st.floats(allow_nan=False), st.dictionaries(st.floats(-9, 9), st.floats(0, 9), min_size=1, max_size=5))
def test_steps_are_the_last_at_or_below(value, steps):
    """Against the plain loop."""
    below = [edge for edge in sorted(steps) if edge <= value]

    assert by_steps(np.array([value]), steps, 1.0).tolist() == [steps[below[-1] if below else min(steps)]]


@pytest.mark.parametrize("more", [{"rehydration": "fineweb2-kr"}, {"rehydration": {2: 1}}, {"max_copies": 0}])
def test_settings_that_cannot_be(more):
    """A table that is not known or says nothing of single documents."""
    with pytest.raises(ValueError, match=r"fineweb2-ko|sizes begin at 1|greater than"):
        DocumentWeights.model_validate({"run": "r", **more})


def test_laws_add_up():
    """Of two halves the whole, through JSON."""
    weights, num, length = np.array([0.5, 2.0, 1.25]), np.array([1, 2, 1]), np.array([10, 20, 30])
    whole, parts = CountLaw(), CountLaw()
    whole.add(weights, num, length)
    for at in range(3):
        one = CountLaw()
        one.add(weights[at : at + 1], num[at : at + 1], length[at : at + 1])
        parts.join(CountLaw.of(one.as_dict()))

    assert parts.as_dict() == whole.as_dict()
    told = whole.told()
    assert (told["documents"], told["copies"], told["expected_copies"]) == (3, 4, 3.75)
    assert told["standard_deviation"] == round(math.sqrt(0.25 + 0.1875), 3)
    assert (told["bytes"], told["copied_bytes"], told["documents_by_copies"]) == (60, 80, {1: 2, 2: 1})


def documents(source, num):
    """JSON lines; every tenth document stands there four times, but for a word."""
    random = np.random.default_rng(num)
    words = [f"낱말{n}" for n in range(400)]  # "word"
    rows = []
    for n in range(num):
        text = random.choice(words, int(random.integers(40, 160))).tolist()
        for twin in range(4 if n % 10 == 0 else 1):
            said = " ".join([*text, f"끝{twin}"] if twin else text)  # "end"
            rows.append(json.dumps({"id": f"{source}-{n}-{twin}", "text": said}))
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    """A small run of two sources, with near-duplicates and a signal."""
    root = tmp_path_factory.mktemp("curated")
    for source, num in (("wiki-ko", 60), ("web", 90)):
        (root / f"{source}.jsonl").write_text(documents(source, num), "utf-8")
    recipe = {
        "name": "small", "data": str(root),
        "sources": {
            one: {"format": "jsonl", "paths": f"{one}.jsonl", "columns": {"text": "text", "id": "id"}}
            for one in ("wiki-ko", "web")
        },
        "stages": ["normalise", "score", {"near_dedup": {"threshold": 0.7}}, "write"],
    }  # fmt: skip
    (root / "small.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    run(check.load(str(root / "small.yaml")), str(root / "run"))
    return str(root / "run")


def clean(root):
    found = [path for path in shards.below(root, "clean") if path.endswith(".parquet")]
    return pl.concat([pl.read_parquet(f"{root}/{path}") for path in found])


def sampled(root):
    return pl.concat([pl.read_parquet(f"{root}/{path}") for path in shards.below(root, "shards")])


def weights_of(curated, **more):
    return DocumentWeights.model_validate({"run": curated, **more})


def test_a_sample_has_each_document_as_often_as_its_weight_says(curated, tmp_path):
    """Against a loop over the run's clean documents; copies are numbered, all else is as it was."""
    settings = weights_of(curated, rehydration={1: 0.5, 2: 2.5}, sources={"wiki-ko": 2}, seed=3)

    content = sampled_shards.sample(settings, str(tmp_path / "out"), 2)

    before, found = clean(curated), sampled(str(tmp_path / "out"))
    wanted = {}
    for one in before.iter_rows(named=True):
        weight = (2 if one["source"] == "wiki-ko" else 1) * (2.5 if one["cluster_size"] >= 2 else 0.5)
        wanted[one["source"], one["id"]] = slow_copies(weight, one["id"], 3)
    counted = {tuple(key): len(rows) for key, rows in found.group_by("source", "id")}
    assert counted == {key: often for key, often in wanted.items() if often}
    assert (
        found.group_by("source", "id")
        .agg(pl.col("copy").sort())
        .select(
            (pl.col("copy").list.eval(pl.element() == pl.int_range(pl.len(), dtype=pl.Int32)))
            .list.all()
            .all()
        )
        .item()
    )
    firsts = found.filter(pl.col("copy") == 0).select(CLEAN.names)
    assert firsts.equals(before.join(firsts, on=["source", "id"], how="semi").select(CLEAN.names))
    assert content["law"]["documents"] == len(before)
    assert content["law"]["copies"] == len(found)
    assert abs(content["law"]["z"]) < 5
    assert yaml.safe_load((tmp_path / "out" / "mixing.yaml").read_text("utf-8")) == content


def test_bytes_do_not_depend_on_threads_and_are_hashed(curated, tmp_path):
    """Nor on what stood there before; another seed gives others."""
    settings = weights_of(curated, rehydration={1: 0.7, 2: 1.6})
    one = sampled_shards.sample(settings, str(tmp_path / "one"), 1)
    sampled_shards.sample(weights_of(curated, sources={"*": 3}), str(tmp_path / "two"), 3)
    two = sampled_shards.sample(settings, str(tmp_path / "two"), 3)

    assert one == two
    for path, entry in one["files"].items():
        assert shards.file_hash(f"{tmp_path}/two/{path}") == entry["hash"]
    other = sampled_shards.sample(
        weights_of(curated, rehydration={1: 0.7, 2: 1.6}, seed=2), str(tmp_path / "3"), 1
    )
    assert other["files"] != one["files"]


def test_what_is_done_is_not_done_again(curated, tmp_path, monkeypatch):
    """A shard that is gone is written again, the others are not read."""
    out, settings = str(tmp_path / "out"), weights_of(curated)
    before = sampled_shards.sample(settings, out, 1)
    (gone, *_) = before["files"]
    shards.remove(f"{out}/{gone}")
    read = []
    own = sampled_shards._tables
    monkeypatch.setattr(
        sampled_shards, "_tables", lambda unit, *more: read.append(unit.out) or own(unit, *more)
    )

    assert sampled_shards.sample(settings, out, 1) == before
    assert read == [gone]


def test_quality_is_that_of_the_document(curated, tmp_path):
    """Documents of above and below 100 words, by the run's own signal."""
    quality = {"column": "num_words", "steps": {0: 0, 100: 2}}
    sampled_shards.sample(weights_of(curated, quality=quality), str(tmp_path / "out"), 1)

    signals = pl.concat(
        [
            pl.read_parquet(f"{curated}/{path}", columns=["id", "num_words"])
            for path in shards.below(curated, "signals")
        ]
    )
    found = sampled(str(tmp_path / "out"))
    long = set(signals.filter(pl.col("num_words") >= 100)["id"]) & set(clean(curated)["id"])
    assert 0 < len(long) < len(clean(curated))
    assert set(found["id"]) == long
    assert set(found["copy"]) == {0, 1}


def test_faults_of_the_run_and_the_folder_are_said(curated, tmp_path):
    """No such column, no such source, a folder with something else, no run."""
    with pytest.raises(ChejilError, match="no number 'num_wrds'") as raised:
        sampled_shards.sample(
            weights_of(curated, quality={"column": "num_wrds", "steps": {0: 1}}), str(tmp_path / "o"), 1
        )
    assert "num_words" in raised.value.mend
    with pytest.raises(ChejilError, match="no source 'wiki-kr'"):
        sampled_shards.sample(weights_of(curated, sources={"wiki-kr": 2}), str(tmp_path / "p"), 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x", "utf-8")
    with pytest.raises(ChejilError, match=r"something else: mine\.txt"):
        sampled_shards.sample(weights_of(curated), str(tmp_path / "full"), 1)
    with pytest.raises(ChejilError, match="no finished run"):
        sampled_shards.sample(weights_of(str(tmp_path)), str(tmp_path / "q"), 1)


def test_what_encodes_reads_the_folder_as_it_stands(curated, tmp_path, monkeypatch):
    """Only the shards: neither the law nor the records are taken for documents; and the command says what it did."""
    monkeypatch.chdir(tmp_path)
    written = {
        "expected": {"wiki-ko/ko": {"tokens": 1000, "bytes_per_token": 4}}, "total_tokens": 1000, "row_tokens": 10,
        "documents": {"run": curated},
    }  # fmt: skip
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(written), "utf-8")
    shown = CliRunner().invoke(cli.app, ["mix", "m.yaml", "--shards", "out"])

    pieces = corpus.pieces([str(tmp_path / "out")])

    assert shown.exit_code == 0, shown.output
    assert "copies" in shown.stdout
    assert {piece.kind for piece in pieces} == {"parquet"}
    assert len(pieces) == len(shards.below(str(tmp_path / "out"), "shards"))
