"""Training a quality classifier: reproducible, split by content, honest about itself, refusing what cannot work."""

import gzip
import itertools
import json
import random
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation.progress import Silent
from chejil.curation.quality import examples, metrics, training
from chejil.curation.quality.training import Training, train
from chejil.errors import ChejilError
from chejil.filters.quality import Classifier, classifier

from ..quality_corpus import ENGLISH_NOISE, KOREAN_NOISE, KOREAN_PROSE, train_small, write_corpus, write_side


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def trained(corpus_folder):
    """Folder of a Korean model and its card."""
    return corpus_folder / "ko", train_small(corpus_folder, "ko", corpus_folder / "ko")


def gather(corpus_folder, seed=1, held_out=0.2, limit=10_000, **paths):
    both = {side: paths.get(side, [str(corpus_folder / f"ko-{side}.jsonl")]) for side in ("high", "low")}
    return examples.gather(both, "ko", seed, held_out, limit, Silent())


def test_the_same_training_gives_the_same_bytes(trained, corpus_folder, tmp_path):
    """Model, card and page; another seed gives another model."""
    folder, _ = trained
    train_small(corpus_folder, "ko", tmp_path / "again")
    train_small(corpus_folder, "ko", tmp_path / "other", seed=2)

    for name in ("model.ftz", "card.json", "card.html"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    assert (tmp_path / "other" / "model.ftz").read_bytes() != (folder / "model.ftz").read_bytes()


def test_the_card_says_what_was_done(trained):
    """Files with hashes, counts that add up, settings, versions, and how good the model is."""
    folder, card = trained

    assert card == json.loads((folder / "card.json").read_text("utf-8"))
    assert card["auc"] > 0.99
    assert card["train"] + card["held_out"] == 300
    assert card["data"]["high"]["documents"] == 150
    assert [file["name"] for file in card["data"]["low"]["files"]] == ["ko-low.jsonl"]
    assert re.fullmatch("[0-9a-f]{32}", card["data"]["low"]["files"][0]["hash"])
    assert card["settings"]["seed"] == 1
    assert set(card["models"]) == {"full", "quantised"}
    assert card["models"]["quantised"]["bytes"] < card["models"]["full"]["bytes"] / 10
    assert sum(row["documents"] for row in card["reliability"]) == card["held_out"]
    assert str(folder) not in (folder / "card.json").read_text("utf-8")


def test_the_page_stands_alone(trained):
    """No script, no request, and its drawings are in it."""
    page = (trained[0] / "card.html").read_text("utf-8")

    assert page.count("<svg") == 3
    assert not re.search(r"<script|src=|href=|https?://", page)


def test_the_model_scores_as_its_card_says(trained, corpus_folder):
    """The file that was written, loaded again, gives the card's AUC on the held-out examples."""
    folder, card = trained
    held_out = gather(corpus_folder).held_out

    scores = classifier(str(folder / card["model"]["file"]), "ko").scores([one.line for one in held_out])

    assert metrics.roc_auc(scores, np.array([one.side == "high" for one in held_out])) == card["auc"]


def test_telling_words_are_those_of_the_sides(trained):
    """Advertising words speak for the low side."""
    words = {row["word"] for row in trained[1]["features"]["low"]}

    assert words & {
        "!",
        "~",
        "★",
        "할인",
        "클릭",
        "싸다",
        "무료배송",
    }  # discount, click, cheap, free delivery
    assert "</s>" not in words


def test_examples_are_split_by_content(corpus_folder, tmp_path):
    """Copies are one example; what stands on both sides is none; both parts are balanced by the same rule."""
    write_side(tmp_path / "a.jsonl", KOREAN_PROSE)
    copy = tmp_path / "b.jsonl"
    copy.write_bytes((tmp_path / "a.jsonl").read_bytes())
    shared = tmp_path / "shared.jsonl"
    shared.write_bytes(b"".join((tmp_path / "a.jsonl").read_bytes().splitlines(keepends=True)[:5]))

    found = gather(
        corpus_folder,
        high=[str(tmp_path / "a.jsonl"), str(copy)],
        low=[str(corpus_folder / "ko-low.jsonl"), str(shared)],
    )

    assert found.sides[0].copies == 150
    assert found.both == 5
    keys = [one.key for one in (*found.train, *found.held_out)]
    assert len(keys) == len(set(keys)) == 290
    assert not {one.line for one in found.train} & {one.line for one in found.held_out}


def test_the_order_of_the_files_decides_nothing(corpus_folder, tmp_path):
    """One file or two, in any order, sampled or not: the same examples in the same order."""
    lines = (corpus_folder / "ko-high.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "1.jsonl").write_bytes(b"".join(lines[:40]))
    with gzip.open(tmp_path / "2.jsonl.gz", "wb") as stream:
        stream.write(b"".join(lines[40:]))
    parts = [str(tmp_path / "1.jsonl"), str(tmp_path / "2.jsonl.gz")]

    for limit in (10_000, 120):
        whole = gather(corpus_folder, limit=limit)
        orders = [gather(corpus_folder, limit=limit, high=list(o)) for o in itertools.permutations(parts)]
        assert all([e.line for e in o.train] == [e.line for e in whole.train] for o in orders)
    assert len(whole.train) + len(whole.held_out) == 240


def test_documents_in_another_language_are_left_out(corpus_folder, tmp_path):
    """And counted."""
    write_side(tmp_path / "en.jsonl", ENGLISH_NOISE, documents=20)

    found = gather(corpus_folder, low=[str(corpus_folder / "ko-low.jsonl"), str(tmp_path / "en.jsonl")])

    assert found.sides[1].other_language == 20
    assert all("cheap" not in one.line for one in found.train)


def test_parquet_text_and_formats_are_read(tmp_path):
    """By ending, or by the format's name before a colon."""
    rng = random.Random(1)
    texts = [" ".join(rng.choices(KOREAN_NOISE, k=9)) for _ in range(30)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text(texts[0], "utf-8")
    (tmp_path / "c.json").write_text(json.dumps([{"text": text} for text in texts]), "utf-8")

    sides = [
        examples.read_side("low", [path], "ko", 1, 100, Silent())
        for path in (f"{tmp_path}/a.parquet", f"{tmp_path}/*.txt", f"json:{tmp_path}/c.json")
    ]

    assert [side.documents for side in sides] == [30, 1, 30]
    assert sides[0].examples.keys() == sides[2].examples.keys()


def test_a_run_gives_its_clean_shards(small_run):
    """A run's folder stands for the documents that it kept."""
    side = examples.read_side("high", [small_run], "ko", 1, 10_000, Silent())

    clean = Path(small_run).glob("clean/**/*.parquet")
    assert side.documents == sum(pq.read_metadata(path).num_rows for path in clean)
    assert 0 < side.other_language < side.documents


@pytest.mark.parametrize(
    ("paths", "lang", "what"),
    [
        ({}, "jp", "no classifier can be for 'jp'"),
        ({"high": ["nothing-*.jsonl"]}, "ko", "no file matches 'nothing-"),
        ({"high": ["."]}, "ko", "not that of a finished run"),
        ({"high": ["empty.jsonl"]}, "ko", "--positive: no documents"),
        ({"low": ["few.jsonl"]}, "ko", "--negative: 20 different documents in 'ko', at least 100"),
        ({"low": ["en-low.jsonl"]}, "ko", "--negative: 0 of 150 documents are in 'ko'"),
        ({"low": ["ko-high.jsonl"]}, "ko", "--positive: 0 different documents"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(corpus_folder, monkeypatch, tmp_path, paths, lang, what):
    """No documents, too few, the wrong language, the same on both sides; nothing is written."""
    monkeypatch.chdir(corpus_folder)
    (corpus_folder / "empty.jsonl").write_bytes(b"")
    write_side(corpus_folder / "few.jsonl", KOREAN_NOISE, documents=20)
    both = {"high": ["ko-high.jsonl"], "low": ["ko-low.jsonl"], **paths}

    with pytest.raises(ChejilError, match=re.escape(what)) as raised:
        train(both, Training(lang), str(tmp_path / "out"))

    assert raised.value.mend
    assert not (tmp_path / "out").exists()


def test_a_process_that_has_freed_much_trains_the_same(trained, corpus_folder, tmp_path):
    """fastText leaves nine tenths of its matrix as malloc gives it: here 150 MB of large numbers, freed just before."""
    blocks = [np.full(12_500, 1e30) for _ in range(1500)]  # too small to be mapped one by one
    last = blocks.pop()  # on top of the heap: what lies below is not given back to the system
    del blocks
    train_small(corpus_folder, "ko", tmp_path)

    assert (tmp_path / "model.ftz").read_bytes() == (trained[0] / "model.ftz").read_bytes()
    assert last[0] == 1e30


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30])
def test_nan_in_a_matrix_is_an_error(corpus_folder, tmp_path, monkeypatch, wrong):
    """What comes of memory that was not zero is never written."""
    import fasttext

    monkeypatch.setattr(
        fasttext.FastText._FastText, "get_output_matrix", lambda _: np.full((2, 4), wrong, np.float32)
    )
    with pytest.raises(ChejilError, match="NaN"):
        train_small(corpus_folder, "ko", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dim", [2, 4, 16, 100, 300])
def test_the_matrix_is_above_32_mib(dim):
    """Below it, its memory need not be zero at the start."""
    assert Training("ko", dim=dim).buckets * dim * 4 > 34 << 20


def test_a_model_that_quantising_harms_stays_whole(corpus_folder, tmp_path, monkeypatch):
    """Then `model.bin` is written, and an earlier `model.ftz` is gone."""
    train_small(corpus_folder, "ko", tmp_path)
    assert (tmp_path / "model.ftz").exists()
    monkeypatch.setattr(training, "MAX_AUC_LOSS", -1.0)

    card = train_small(corpus_folder, "ko", tmp_path)

    assert card["model"]["file"] == "model.bin"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "card.json", "model.bin"]


def test_the_command_trains_and_prints_the_card(corpus_folder, tmp_path):
    """As JSON, alone on stdout."""
    arguments = ["quality", "train", "--lang", "en", "--out", str(tmp_path), "--dim", "4", "--json"]
    for side, option in (("high", "--positive"), ("low", "--negative")):
        arguments += [option, str(corpus_folder / f"en-{side}.jsonl")]

    done = CliRunner().invoke(cli.app, arguments)

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["slot"] == "quality_en"


scored = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 1.0]), st.booleans()), min_size=1)


@given(scored.filter(lambda pairs: len({high for _, high in pairs}) == 2))
def test_auc_is_the_chance_of_the_right_order(pairs):
    """Against all pairs of a good and a bad document, ties counting half."""
    high = [score for score, is_high in pairs if is_high]
    low = [score for score, is_high in pairs if not is_high]
    right = sum((h > other) + 0.5 * (h == other) for h in high for other in low) / (len(high) * len(low))
    scores, is_high = np.array([s for s, _ in pairs]), np.array([h for _, h in pairs])

    assert metrics.roc_auc(scores, is_high) == pytest.approx(right)
    x, y = metrics.roc_curve(scores, is_high)
    assert np.trapezoid(y, x) == pytest.approx(right)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_thresholds_and_reliability_count_what_they_say():
    """On five documents that can be counted by hand."""
    scores = np.array([0.05, 0.35, 0.95, 0.95, 1.0])
    is_high = np.array([False, True, True, False, True])

    rows = {row["threshold"]: row for row in metrics.at_thresholds(scores, is_high)}
    bins = metrics.reliability(scores, is_high)

    assert rows[0.5]["precision"] == pytest.approx(2 / 3)
    assert rows[0.5]["recall"] == pytest.approx(2 / 3)
    assert rows[0.3] == {"threshold": 0.3, "precision": 0.75, "recall": 1.0, "kept": 0.8}
    assert [(row["low"], row["documents"]) for row in bins] == [(0.0, 1), (0.3, 1), (0.9, 3)]
    assert metrics.calibration_error(bins) == pytest.approx((0.05 + 0.65 + 3 * 0.3) / 5)


def test_precision_of_nothing_is_unknown():
    """Not 0, and not 1."""
    rows = metrics.at_thresholds(np.array([0.1, 0.2]), np.array([True, False]))

    assert rows[-1]["precision"] is None


def test_scores_stay_within_0_and_1():
    """fastText's rounding gives up to 1.00005; a line that it knows nothing of has no score."""

    class Rounding:
        def predict(self, lines):
            return [["high"], ["low"], []], [np.array([1.00005]), np.array([1.00005]), np.array([])]

    scores = Classifier(Rounding(), "high").scores(["", "", ""])

    assert scores[:2].tolist() == [1, 0]
    assert np.isnan(scores[2])


@pytest.mark.corpus
def test_a_model_of_real_shards_generalises(corpus, tmp_path):
    """Encyclopedia and books against film reviews: documentation that it has never seen is above unseen petitions."""
    shard = f"{corpus}/mc4-ko/c4-ko.tfrecord-{{:05}}-of-00030.json.gz".format
    paths = {
        "high": [f"{corpus}/wiki-ko/*.parquet", *map(shard, (3, 7, 8, 9))],
        "low": [shard(26), shard(0)],
    }
    card = train(paths, Training("ko", dim=8, kept_rows=20_000), str(tmp_path))
    model = classifier(str(tmp_path / card["model"]["file"]), "ko")

    def median(number):
        side = examples.read_side("low", [shard(number)], "ko", 1, 300, Silent())
        return np.median(model.scores([one.line for one in side.examples.values()]))

    assert card["auc"] > 0.98
    assert min(map(median, (2, 4, 12))) > 0.5 > max(map(median, (1, 27)))
