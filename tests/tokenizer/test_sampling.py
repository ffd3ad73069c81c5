"""Samples: exactly what was asked for, the same for any cut of the corpus, any order and any number of workers."""

import shutil

import orjson
import polars as pl
import pytest
import xxhash
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil.cli import app
from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer.sampling import sampling
from chejil.tokenizer.sampling.quotas import SampleSettings

TEXTS = ("가나다 하나 둘 셋", "한 줄\n두 줄", "plain words", "漢字 혼용 🙂", "ㅋㅋㅋ", "e\u0301 café")
"""Numbers and lines in Korean, Hanja in mixed script, laughter, a combining accent."""


def documents(num, sources=("web", "law"), langs=("ko", "en", None)):
    rows = [
        {
            "id": f"doc-{n}",
            "text": TEXTS[n % len(TEXTS)] * (n % 7 + 1),
            "source": sources[n % len(sources)],
            "lang": langs[n % len(langs)],
        }
        for n in range(num)
    ]
    return pl.DataFrame(
        rows, schema={"id": pl.String, "text": pl.String, "source": pl.String, "lang": pl.String}
    )


def corpus_of(frame, folder, files=3):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    step = max(1, -(-len(frame) // files))
    for number, first in enumerate(range(0, max(1, len(frame)), step)):
        frame[first : first + step].write_parquet(folder / f"{number}.parquet", row_group_size=7)
    return str(folder)


def drawn(paths, out, workers=1, **values):
    content = sampling.sample([*paths], SampleSettings.model_validate(values), str(out), workers)
    files = [shards.join(str(out), file["path"]) for file in content["files"]]
    return content, pl.concat([pl.read_parquet(file) for file in files])


def expected(frame, seed, given, max_chars=10_000):
    """The slow reference: sort every stratum by the hash of its ids."""
    rows = frame.with_columns(
        pl.col("lang").fill_null("unknown").alias("stratum"),
        pl.col("id")
        .map_elements(lambda i: xxhash.xxh3_64_intdigest(i.encode(), seed), pl.UInt64)
        .alias("hash"),
    )
    taken = [
        part.sort("hash")[: given[source, lang]]
        for (source, lang), part in rows.group_by("source", "stratum", maintain_order=True)
    ]
    return {row["id"]: row["text"][:max_chars] for row in pl.concat(taken).to_dicts()}


@hypothesis_settings(max_examples=25, deadline=None)
@given(num=st.integers(6, 120), share=st.floats(0, 1), seed=st.integers(0, 2**40), files=st.integers(1, 4))
def test_the_smallest_hashes_of_each_stratum_are_taken(tmp_path_factory, num, share, seed, files):
    """As sorting the whole corpus would, and exactly as many as were asked for."""
    folder = tmp_path_factory.mktemp("sample")
    frame = documents(num)
    corpus = corpus_of(frame, folder / "corpus", files)

    docs = max(1, int(num * share))
    content, sample = drawn([corpus], folder / "out", docs=docs, seed=seed, max_chars=5)

    given = {(row["source"], row["lang"]): row["allotted"] for row in content["strata"]}
    assert len(sample) == docs == sum(row["docs"] for row in content["strata"])
    assert dict(zip(sample["id"], sample["text"], strict=True)) == expected(frame, seed, given, 5)


@pytest.mark.parametrize("unit", [{"docs": 40}, {"bytes": 900}])
def test_a_sample_does_not_depend_on_the_cut_of_the_corpus_or_the_workers(tmp_path, unit):
    """Other files, another order of the documents, two processes: the same documents."""
    frame = documents(200)
    one = corpus_of(frame, tmp_path / "one", files=1)
    many = corpus_of(frame.sample(fraction=1, shuffle=True, seed=3), tmp_path / "many", files=5)

    _, first = drawn([one], tmp_path / "a", **unit)
    content, second = drawn([many], tmp_path / "b", workers=2, **unit)

    assert first.sort("id").equals(second.sort("id"))
    assert sum(row["bytes"] for row in content["strata"]) == first["text"].str.len_bytes().sum()


def test_a_sample_in_bytes_is_as_large_as_was_asked_or_a_document_smaller(tmp_path):
    """Never larger."""
    frame = documents(300)
    longest = frame["text"].str.len_bytes().max()

    content, _ = drawn([corpus_of(frame, tmp_path / "c")], tmp_path / "out", bytes=4000)

    for row in content["strata"]:
        assert row["allotted"] - longest < row["bytes"] <= row["allotted"]


def test_documents_with_the_same_id_are_counted_one_by_one(tmp_path):
    """They are taken in the order of the files; none twice."""
    frame = documents(30, sources=["web"], langs=["ko"]).with_columns(pl.lit("same").alias("id"))

    _, sample = drawn([corpus_of(frame, tmp_path / "c")], tmp_path / "out", docs=11)

    assert sample["text"].to_list() == frame["text"].to_list()[:11]


def test_a_larger_sample_holds_the_smaller_one(tmp_path):
    """The same seed draws the same order."""
    corpus = corpus_of(documents(200), tmp_path / "c")

    _, small = drawn([corpus], tmp_path / "a", docs=20)
    _, large = drawn([corpus], tmp_path / "b", docs=90)
    _, other = drawn([corpus], tmp_path / "d", docs=20, seed=2)

    assert set(small["id"]) < set(large["id"])
    assert set(small["id"]) != set(other["id"])


def test_an_interrupted_sample_goes_on(tmp_path, monkeypatch):
    """What was written is not written again, and the files are those of a sample that was not interrupted."""
    corpus = corpus_of(documents(90), tmp_path / "c", files=4)
    _, whole = drawn([corpus], tmp_path / "whole", docs=50)
    written, write = [], sampling._write

    def stopping(root, name, *rest):
        if name == "00002" and not written.count("00002"):
            written.append(name)
            raise KeyboardInterrupt
        return write(root, name, *rest)

    monkeypatch.setattr(sampling, "_write", stopping)
    with pytest.raises(KeyboardInterrupt):
        drawn([corpus], tmp_path / "out", docs=50)
    assert not (tmp_path / "out" / "sample.json").exists()
    before = (tmp_path / "out" / "documents" / "00001.parquet").stat().st_mtime_ns

    content, sample = drawn([corpus], tmp_path / "out", docs=50)

    assert sample.equals(whole)
    assert (tmp_path / "out" / "documents" / "00001.parquet").stat().st_mtime_ns == before
    assert not (tmp_path / "out" / "work").exists()
    assert content["files"] == orjson.loads((tmp_path / "whole" / "sample.json").read_bytes())["files"]


def test_other_settings_or_files_make_another_sample(tmp_path):
    """The old files are removed: no half of one and half of another."""
    corpus = corpus_of(documents(60), tmp_path / "c", files=4)
    drawn([corpus], tmp_path / "out", docs=30)
    (tmp_path / "c" / "3.parquet").unlink()

    _, sample = drawn([corpus], tmp_path / "out", docs=20)

    assert len(sample) == 20
    assert len(list((tmp_path / "out" / "documents").iterdir())) == 3


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    """A mistyped --out costs nobody his files."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine", "utf-8")

    with pytest.raises(ChejilError, match="holds something else"):
        drawn([corpus_of(documents(9), tmp_path / "c")], tmp_path / "out", docs=3)


def test_null_texts_and_broken_lines_are_counted(tmp_path):
    """They are no documents, and the manifest says how many there were."""
    frame = documents(9).with_columns(
        pl.when(pl.int_range(9) == 4).then(None).otherwise("text").alias("text")
    )
    corpus = corpus_of(frame, tmp_path / "c")
    (tmp_path / "c" / "lines.jsonl").write_bytes(b'{"text": "\xed\x95\x98\xeb\x82\x98"}\n{"text": 3}\n{"te')

    content, sample = drawn([corpus], tmp_path / "out", docs=9)

    assert len(sample) == 9
    assert content["rejected"]["null text"] == 1
    assert sum(content["rejected"].values()) == 3


def test_an_empty_corpus_is_refused(tmp_path):
    """With what to do."""
    with pytest.raises(ChejilError, match="no documents"):
        drawn([corpus_of(documents(9)[:0].clear(), tmp_path / "c", files=1)], tmp_path / "out", docs=1)


def test_the_command_prints_what_was_asked_and_met(tmp_path):
    """As a table, and as JSON; a mistake in the settings has its line."""
    corpus = corpus_of(documents(60), tmp_path / "c")
    config = tmp_path / "sample.yaml"
    config.write_text("docs: 30\nquotas:\n  - {lang: ko, share: 0.5}\n", "utf-8")
    call = ["tokenizer", "sample", corpus, "--config", str(config), "--workers", "1"]

    table = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "a")])
    json = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "a"), "--json"])
    config.write_text("docs: 30\nquotas:\n  - {lang: ko, shere: 0.5}\n", "utf-8")
    wrong = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "b")])

    assert "law" in table.stdout
    assert {row["lang"] for row in orjson.loads(json.stdout)["strata"]} == {"ko", "en", "unknown"}
    assert isinstance(wrong.exception, ChejilError)
    assert "sample.yaml:3:16: 'shere' is not known here" in str(wrong.exception)
