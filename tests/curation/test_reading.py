"""Files of a source, read to the end as batches of documents."""

from __future__ import annotations

import gzip
import os
import random
import re
import tracemalloc
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import layouts, streams
from chejil.curation.reading.documents import QUARANTINE, SCHEMA
from chejil.curation.reading.sources import Source, expand, read
from chejil.errors import SourceError

from .source_rows import batches, documents, lines, quarantine

# Reading

GOOD = {
    "text": "눈이 온다.",
    "url": "https://a.example/1",
    "timestamp": 1700000000,
    "title": "눈",
}  # It snows. / snow
BAD = [b'{"text": ', b"[1]", b'{"text": null}', b'{"text": 3}', b'{"title": "a"}', b'{"text": "\xb0\xa1"}']
REASONS = ["bad_json", "not_an_object", "null_text", "text_not_string", "missing_text", "invalid_utf8"]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Six bad lines, each between good ones."""
    content = b"".join(lines([GOOD]) + line + b"\n" for line in BAD) + lines([GOOD])
    (tmp_path / "00.jsonl.zst").write_bytes(zstandard.compress(content))
    return tmp_path


MIXED = Source(format="jsonl", paths="*.jsonl.zst")


def test_a_document_has_all_canonical_columns(mixed):
    """The columns are the schema's, and what has no column is in `meta`."""
    first = documents(mixed, MIXED)[0]
    assert list(first) == SCHEMA.names
    assert first == {
        "id": "web/00.jsonl.zst#0",
        "text": GOOD["text"],
        "source": "web",
        "lang": None,
        "url": GOOD["url"],
        "timestamp": "1700000000",
        "license": None,
        "meta": '{"title":"눈"}',
    }


def test_a_bad_row_keeps_its_number(mixed):
    """Records are numbered with the bad ones, which stand in the quarantine with their reason."""
    assert [row["id"] for row in documents(mixed, MIXED)] == [
        f"web/00.jsonl.zst#{n}" for n in range(0, 13, 2)
    ]
    rows = quarantine(mixed, MIXED)
    assert [(row["line"], row["reason"]) for row in rows] == list(zip(range(1, 13, 2), REASONS, strict=True))
    assert {(row["source"], row["file"]) for row in rows} == {("web", "00.jsonl.zst")}
    assert [row["bytes"] for row in rows] == [len(line) for line in BAD]


@given(st.lists(st.sampled_from([*BAD, b" ", *[lines([GOOD]).strip()] * 6])), st.integers(1, 5000))
def test_every_record_is_a_document_or_quarantined(tmp_path_factory, content, batch_bytes):
    """records = documents + quarantined, and their numbers are those of the lines, whatever the size of a batch."""
    folder = tmp_path_factory.mktemp("law")
    (folder / "a.jsonl").write_bytes(b"\n".join(content))
    found = batches(folder, Source(format="jsonl", paths="a.jsonl"), batch_bytes)
    numbers = [number for batch in found for number in batch.lines.to_pylist()]
    numbers += [number for batch in found for number in batch.quarantine["line"].to_pylist()]
    assert sorted(numbers) == [number for number, line in enumerate(content) if line != b" "]
    for batch in found:
        assert len(batch.lines) == batch.documents.num_rows
        assert batch.records == batch.documents.num_rows + batch.quarantine.num_rows


def test_a_line_keeps_its_number_behind_blank_lines(tmp_path):
    """In JSON lines the number is the line's own, from 0: blank lines are no records but are counted."""
    (tmp_path / "a.jsonl").write_bytes(b'\n{"text": "a"}\n\n \n{"text": "b"}\n[1]\n')
    source = Source(format="jsonl", paths="a.jsonl")
    assert [row["id"] for row in documents(tmp_path, source)] == ["web/a.jsonl#1", "web/a.jsonl#4"]
    assert [row["line"] for row in quarantine(tmp_path, source)] == [5]
    (batch,) = batches(tmp_path, source)
    assert (batch.lines.to_pylist(), batch.records) == ([1, 4], 3)


@pytest.mark.parametrize("batch_bytes", [1, 700, 1 << 20])
def test_the_size_of_a_batch_changes_nothing_else(mixed, batch_bytes):
    """Documents and their ids are the same in batches of any size."""
    assert documents(mixed, MIXED, batch_bytes) == documents(mixed, MIXED)
    for batch in batches(mixed, MIXED, batch_bytes):
        assert batch.documents.schema == SCHEMA
        assert batch.quarantine.schema == QUARANTINE


def test_a_batch_holds_at_most_its_size_of_text(tmp_path):
    """Only a document that is larger by itself makes a larger batch, and is alone in it."""
    sizes = [10, 3000, 900, 900, 5000, 0, 0, 999, 1]
    (tmp_path / "a.jsonl").write_bytes(lines([{"text": "x" * size} for size in sizes]))
    found = batches(tmp_path, Source(format="jsonl", paths="a.jsonl"), 2000)
    held = [[len(text) for text in batch.documents["text"].to_pylist()] for batch in found]
    assert list(chain.from_iterable(held)) == sizes
    assert all(sum(batch) <= 2000 or len(batch) == 1 for batch in held)


def test_a_million_empty_documents_are_several_batches(tmp_path):
    """A batch is bounded in rows, too, where there is no text to bound it."""
    (tmp_path / "a.jsonl").write_bytes(b'{"text": ""}\n' * 20_000)
    assert len(batches(tmp_path, Source(format="jsonl", paths="a.jsonl"), 1 << 20)) > 2


def test_a_batch_ends_at_its_number_of_rows(tmp_path, monkeypatch):
    """Documents and bad rows together are bounded, however small they are."""
    monkeypatch.setattr("chejil.curation.reading.documents.MAX_BATCH_ROWS", 4)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n[1]\n' * 5)
    found = batches(tmp_path, Source(format="jsonl", paths="a.jsonl"))
    assert [batch.records for batch in found] == [4, 4, 2]
    assert [batch.documents.num_rows + batch.quarantine.num_rows for batch in found] == [4, 4, 2]


@pytest.mark.parametrize("content", [b"", b"\n", lines([GOOD]), gzip.compress(lines([GOOD] * 50))[:-30]])
def test_the_last_batch_has_the_hash_of_the_file(tmp_path, content):
    """One hash a file, over its bytes as they lie there, also where there is nothing to read or a tear."""
    (tmp_path / "a").write_bytes(content)
    found = batches(tmp_path, Source(format="jsonl", paths="a"), 100)
    assert [batch.file_hash for batch in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1].file_hash == xxhash.xxh3_128_hexdigest(content)
    assert found[-1].bytes_read == len(content)


def test_a_torn_file_keeps_the_rows_before_the_tear(tmp_path):
    """The tear is one row of the quarantine, numbered after the last whole record."""
    (tmp_path / "a.json.gz").write_bytes(
        gzip.compress(lines([GOOD | {"n": n * 7919} for n in range(900)]))[:-400]
    )
    source = Source(format="c4", paths="a.json.gz")
    kept, (tear,) = documents(tmp_path, source), quarantine(tmp_path, source)
    assert 100 < len(kept) < 900
    assert (tear["line"], tear["reason"]) == (len(kept), "torn_stream")


@pytest.mark.parametrize("change", ["missing", "forbidden", "folder"])
def test_a_file_that_cannot_be_opened_stops_with_its_name(tmp_path, change):
    """A file that went away, may not be read or became a folder is a `SourceError` with its URL."""
    path = tmp_path / "00.jsonl"
    path.touch()
    source = Source(format="jsonl", paths="*.jsonl")
    (file,) = expand(source, str(tmp_path))
    path.unlink()
    if change == "forbidden":
        path.touch(mode=0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read every file")
    if change == "folder":
        path.mkdir()
    with pytest.raises(SourceError, match=re.escape(file.url)):
        list(read("web", source, file))


def test_plain_text_by_unit(tmp_path):
    """`unit` says what a document of plain text is; a folder may hold JSON lines beside it."""
    (tmp_path / "a.txt").write_text("하나\n둘\n\n셋\n", "utf-8")  # one, two, three
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines([{"text": "넷", "id": 4}])))  # four
    for unit, expected in [
        (None, ["하나\n둘\n\n셋\n", "넷"]),
        ("paragraph", ["하나\n둘", "셋", "넷"]),
        ("line", ["하나", "둘", "셋", "넷"]),
    ]:
        found = documents(tmp_path, Source(format="jikji", paths="*", unit=unit))
        assert [row["text"] for row in found] == expected
        assert found[-1]["id"] == "4"


def test_columns_of_a_source_override_those_of_its_format(tmp_path):
    """Any table is read by naming its fields; several fields become one text."""
    (tmp_path / "a.csv").write_text("key,제목,본문,원문\n7,가,나,u\n", "utf-8")  # title, body, original
    columns = {"id": "key", "text": ["제목", "본문"], "url": "원문"}
    (row,) = documents(tmp_path, Source(format="csv", paths="a.csv", columns=columns))
    assert (row["id"], row["text"], row["url"], row["meta"]) == ("7", "가\n나", "u", None)


def test_shards_of_a_drifting_schema_read_as_one(tmp_path):
    """Missing, extra, reordered, dictionary, list, large and view columns, int and float: columns stay."""
    texts = pa.array(["가", "나"])
    shards = {
        "0": pa.table({"id": [1, 2], "text": texts, "score": [1, 2]}),
        "1": pa.table({"score": [0.5, None], "text": texts.cast(pa.large_string()), "id": [3.0, 4.0]}),
        "2": pa.table({"text": texts.dictionary_encode(), "id": pa.array(["5", "6"], pa.string_view())}),
        "3": pa.table({"text": texts, "tags": [["a"], None], "id": pa.array([7, 8], pa.uint8())}),
        "4": pa.table({"id": ["9", "10"], "text": pa.array([["가"], ["나"]])}),
    }
    for name, table in shards.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    source = Source(format="parquet", paths="*.parquet")
    found = documents(tmp_path, source)
    assert [row["id"] for row in found] == [str(n) for n in range(1, 9)]
    assert [row["text"] for row in found] == ["가", "나"] * 4
    metas = [
        '{"score":1}',
        '{"score":2}',
        '{"score":0.5}',
        '{"score":null}',
        None,
        None,
        '{"tags":["a"]}',
        '{"tags":null}',
    ]
    assert [row["meta"] for row in found] == metas
    assert [row["reason"] for row in quarantine(tmp_path, source)] == ["text_not_string"] * 2


def test_memory_follows_the_batch_and_not_the_file(tmp_path):
    """A file of 60 MB of text passes through less than a sixth of it."""
    noise = random.Random(0).randbytes(1_000_000).hex()
    record = lines(
        [{"text": noise[start : start + 4000], "n": start} for start in range(0, len(noise), 4000)]
    )
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(record * 30, compresslevel=1))
    source = Source(format="jsonl", paths="a.json.gz")
    (file,) = expand(source, str(tmp_path))
    tracemalloc.start()
    num_bytes = sum(batch.documents["text"].nbytes for batch in read("web", source, file, 1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_bytes > 60_000_000
    assert peak < 10_000_000


def test_too_large_a_record_is_one_row_of_the_quarantine(tmp_path, monkeypatch):
    """A record above the limit is named with its size, in JSON lines as in Parquet."""
    monkeypatch.setattr(streams, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(layouts, "MAX_RECORD_BYTES", 1000)
    texts = ["a", "x" * 2000, "b"]
    (tmp_path / "a.jsonl").write_bytes(lines([{"text": text} for text in texts]))
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    for name in ("jsonl", "parquet"):
        source = Source(format=name, paths=f"a.{name}")
        assert [row["text"] for row in documents(tmp_path, source)] == ["a", "b"]
        (row,) = quarantine(tmp_path, source)
        assert (row["reason"], row["line"]) == ("record_too_large", 1)
        assert row["bytes"] > 2000


# Real shards


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("format_name", "path", "columns"),
    [
        ("mc4", "mc4-ko/*.json.gz", {}),
        ("mc4", "other-lang/*.json.gz", {}),
        ("c4", "c4-en/*.json.gz", {}),
        ("pile", "pile/*.jsonl.zst", {}),
        ("redpajama", "redpajama/*/*.jsonl.zst", {}),
        ("jsonl", "law-ko/*.jsonl.zst", {}),
        ("wikipedia", "wiki-ko/*.parquet", {}),
        ("parquet", "bills-ko/kobill.parquet", {"text": ["bill_name", "propose_reason"], "id": "bill_id"}),
        ("klue", "klue/klue-nli-v1.1/*.json", {}),
        ("klue", "klue/klue-sts-v1.1/*.json", {}),
        ("tsv", "klue/kornlu/xnli*.tsv", {"text": ["sentence1", "sentence2"]}),
        ("tsv", "kobest/BoolQ/*.tsv", {"text": "Text", "id": "ID"}),
    ],
)
def test_real_shards_hold_the_documents_that_they_are_said_to(format_name, path, columns, corpus):
    """The number of documents is the one in the corpus' own table, and nothing is quarantined."""
    stated = _stated_documents(corpus)
    source = Source(format=format_name, paths=path, columns=columns)
    for file in expand(source, str(corpus)):
        found = list(read("real", source, file))
        assert sum(batch.quarantine.num_rows for batch in found) == 0
        name = str(Path(file.url).relative_to(corpus))
        assert sum(batch.documents.num_rows for batch in found) == stated[name], name


def _stated_documents(corpus: Path) -> dict[str, int]:
    table = re.findall(
        r"^\| (\S+) \|[^|]*\| (\d+) \|", (corpus / "README.md").read_text("utf-8"), re.MULTILINE
    )
    return {name: int(number) for name, number in table}


@pytest.mark.corpus
def test_real_sentences_of_klue_are_read_whole(corpus):
    """NER and DP hold the numbers of sentences that the KLUE paper states (table 1)."""
    for path, number in (("klue/klue-ner-v1.1/*.tsv", 5000), ("klue/klue-dp-v1.1/*.tsv", 2000)):
        found = documents(corpus, Source(format="klue", paths=path))
        assert len(found) == len({row["id"] for row in found}) == number
