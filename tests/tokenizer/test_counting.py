"""Word counts equal those of a plain count over `tokenizers`' own words, however they are counted."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from chejil.curation.progress import Silent
from chejil.errors import ChejilError
from chejil.tokenizer.counting import counting, word_counts, word_runs, word_source
from chejil.tokenizer.counting.counting import Settings, count
from chejil.tokenizer.counting.word_table import OVERLONG, OVERLONG_BYTES, WHOLE, WordTable
from chejil.tokenizer.pretokens import patterns
from chejil.tokenizer.pretokens.unicode_classes import classes

SMALL = 1 << 20  # the least table: 22,000 words fill it


def texts(seed, documents=60, words=2500):
    """Made-up words of Hangul and Latin with numbers and marks, frequent and rare; most are different ones."""
    rng = random.Random(seed)
    letters = ["가나다라마바사아자차카타파하", "abcdefghij", "漢字大小", "0123456789"]

    def word():
        script = rng.choice(letters[: 2 if rng.random() < 0.9 else 4])
        return "".join(rng.choices(script, k=rng.randrange(1, 9))) + rng.choice(
            ["", "", ".", ",\n", "'s", "  "]
        )

    common = [word() for _ in range(50)]
    return [
        " ".join(rng.choice(common) if rng.random() < 0.4 else word() for _ in range(words))
        for _ in range(documents)
    ]


def plain(documents, name="koen"):
    """The reference: Python strings in a Counter."""
    split = pre_tokenizers.Split(Regex(patterns.pattern(name).regex), "isolated")
    return Counter(word.encode() for text in documents for word, _ in split.pre_tokenize_str(text))


def write(folder, documents, files=1, rows=20):
    """Parquet files of small row groups."""
    folder.mkdir(exist_ok=True)
    for number in range(files):
        table = pa.table({"text": pa.array(documents[number::files], pa.large_string())})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=rows)
    return [str(folder)]


def words_of(table):
    starts, sizes, counts = table.words()
    return word_counts.in_order(table.arena, starts, sizes, counts).as_dict()


@pytest.fixture(scope="module")
def corpus_of_words(tmp_path_factory):
    documents = texts(1)
    return documents, write(tmp_path_factory.mktemp("words"), documents, 3)


@pytest.mark.parametrize("name", ["koen", "gpt2", "gpt4", "o200k", "qwen2", r"regex:\w+|\W"])
def test_counts_are_those_of_a_plain_count(name, corpus_of_words, tmp_path):
    """For named patterns, and for a regex of one's own, which `tokenizers` itself does."""
    documents, paths = corpus_of_words
    found = count(paths, name, str(tmp_path))
    words, expected = word_counts.read(found.words), plain(documents, name)
    assert words.as_dict() == dict(expected)
    assert words.as_table()["word"].to_pylist() == sorted(expected)
    assert found.manifest["occurrences"] == expected.total()
    assert found.manifest["bytes"] == sum(len(text.encode()) for text in documents)
    assert found.manifest["documents"] == len(documents)


def test_neither_workers_nor_files_nor_memory_change_a_byte(corpus_of_words, tmp_path, monkeypatch):
    """Two processes, other files in another order, a table that is full many times, a merge of merges."""
    documents, paths = corpus_of_words
    expected = Path(count(paths, "koen", str(tmp_path / "a")).words).read_bytes()
    other = write(tmp_path / "other", documents[::-1], 2, 7)
    monkeypatch.setattr(word_runs, "MOST_RUNS", 2)
    spilled = count(other, "koen", str(tmp_path / "b"), settings=Settings(table_bytes=SMALL))
    assert Path(spilled.words).read_bytes() == expected
    two = count(paths, "koen", str(tmp_path / "c"), 2, Settings(table_bytes=SMALL))
    assert Path(two.words).read_bytes() == expected
    assert not (tmp_path / "c" / "work" / "words").exists()


def test_a_full_table_spills(corpus_of_words, monkeypatch, tmp_path):
    """So that the test above sees what it says."""
    written = []
    write_run = word_runs.write
    monkeypatch.setattr(word_runs, "write", lambda *run: written.append(len(run[2])) or write_run(*run))
    count(corpus_of_words[1], "koen", str(tmp_path), settings=Settings(table_bytes=SMALL))
    assert len(written) > 3  # pieces
    assert max(written) < 0.71 * (1 << 15)


def test_a_killed_count_goes_on_with_what_is_missing(corpus_of_words, tmp_path, monkeypatch):
    """Records of finished pieces are believed while their runs are there; another pattern asks for others."""
    documents, paths = corpus_of_words
    count_piece, done = counting._count_piece, []

    def killed(piece, *arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(piece.name)
        return count_piece(piece, *arguments)

    monkeypatch.setattr(counting, "_count_piece", killed)
    with pytest.raises(KeyboardInterrupt):
        count(paths, "koen", str(tmp_path))
    assert not (tmp_path / "words.parquet").exists()
    again = []
    monkeypatch.setattr(
        counting, "_count_piece", lambda piece, *a: again.append(piece.name) or count_piece(piece, *a)
    )
    found = count(paths, "koen", str(tmp_path))
    assert len(again) == 1
    assert not {*again} & {*done}
    assert word_counts.read(found.words).as_dict() == dict(plain(documents))
    assert count(paths, "koen", str(tmp_path)) == found
    assert len(again) == 1  # all is there
    count(paths, "gpt4", str(tmp_path))
    assert len(again) == 4


def test_a_file_that_changed_is_counted_again(tmp_path):
    """Its size and time are in the key."""
    paths = write(tmp_path / "in", ["하나 둘"])  # one two
    count(paths, "koen", str(tmp_path / "out"))
    write(tmp_path / "in", ["하나 둘 셋"])  # one two three
    found = count(paths, "koen", str(tmp_path / "out"))
    assert word_counts.read(found.words).as_dict() == {
        "하나".encode(): 1,
        " 둘".encode(): 1,
        " 셋".encode(): 1,
    }


def test_rare_and_overlong_words_are_left_out_and_told(tmp_path):
    """Both with what they took."""
    paths = write(tmp_path / "in", ["aa bb aa", " aa " + "x" * 50])
    found = count(paths, "koen", str(tmp_path / "out"), settings=Settings(min_count=2, max_word_bytes=20))
    assert word_counts.read(found.words).as_dict() == {b" aa": 2}
    assert found.manifest["rare"] == {"types": 2, "occurrences": 2, "bytes": 5}  # "aa", " bb"
    assert found.manifest["overlong"] == {"occurrences": 1, "bytes": 51}
    assert found.manifest["types"] == 1


def test_a_line_of_16_mb_is_one_word_that_is_left_out(tmp_path):
    """And what stands around it is counted."""
    paths = write(tmp_path / "in", ["하나 " + "가" * (16 << 20 >> 1) + " 둘"])  # one … two
    found = count(paths, "koen", str(tmp_path / "out"))
    assert word_counts.read(found.words).as_dict() == {"하나".encode(): 1, " 둘".encode(): 1}
    assert found.manifest["overlong"] == {"occurrences": 1, "bytes": 3 * (16 << 20 >> 1) + 1}


def test_a_torn_file_is_named_and_the_others_are_counted(tmp_path):
    """Nothing of it is silently lost."""
    paths = write(tmp_path / "in", ["하나 둘"] * 40, 2)  # one two
    torn = tmp_path / "in" / "0.parquet"
    content = bytearray(torn.read_bytes())
    content[4:60] = b"\xff" * 56
    torn.write_bytes(content)
    found = count(paths, "koen", str(tmp_path / "out"))
    assert [Path(row["file"]).name.split("#")[0] for row in found.manifest["failed"]] == ["0.parquet"]
    assert found.manifest["documents"] == 20


def test_records_without_a_text_are_counted_by_reason(tmp_path):
    """In the manifest and in what a tokenizer says of its words; without any document it is an error."""
    lines, out = tmp_path / "in.jsonl", str(tmp_path / "out")
    lines.write_text('{"text": "the ferry"}\n{"body": "the ferry"}\n{"text": nothing\n', "utf-8")

    counted = word_source.count([str(lines)], patterns.pattern("koen"), out, 1, Settings(), Silent())
    assert counted.provenance["counted"]["documents"] == 1
    assert sum(counted.rejected.values()) == 2
    assert len(counted.rejected) == 2
    lines.write_text('{"body": "the ferry"}\n', "utf-8")
    with pytest.raises(ChejilError, match="no documents: 1 "):
        count([str(lines)], "koen", out)


def test_a_corpus_without_words_is_refused(tmp_path):
    """Before anything is written under the file's name."""
    with pytest.raises(ChejilError, match="no words"):
        count(write(tmp_path / "in", ["", ""]), "koen", str(tmp_path / "out"))
    assert not (tmp_path / "out" / "words.parquet").exists()


def test_oniguruma_that_gives_up_is_told(tmp_path):
    """A regex of one's own may step back too often; a panic of Rust is no message."""
    paths = write(tmp_path / "in", ["ab" * 30 + "xc"])
    with pytest.raises(ChejilError, match="retry-limit"):
        count(paths, r"regex:(?:a|ab|b)*c", str(tmp_path / "out"))


@given(words=st.lists(st.binary(min_size=1, max_size=30) | st.text("가a\x00", min_size=1).map(str.encode)))
def test_a_table_counts_and_sorts_any_bytes(words):
    """Zeros at a word's end are bytes like others; equal beginnings of eight and sixteen bytes are told apart."""
    words = [
        *words,
        *words[::2],
        *(b"12345678" + word for word in words),
        *(b"1234567812345678" + word for word in words),
    ]
    data = np.frombuffer(b"".join(words), np.uint8)
    table = WordTable(SMALL, 1024)
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    assert list(table.add(WHOLE, data, offsets, classes())) == []
    assert list(words_of(table).items()) == sorted(Counter(words).items())


@given(tables=st.lists(st.dictionaries(st.binary(min_size=1, max_size=12), st.integers(1, 1 << 60))))
def test_runs_are_summed_in_64_bits(tables, tmp_path_factory):
    """The merge of sorted runs is the sum of their counts, in order; a count may pass 2^31."""
    root = str(tmp_path_factory.mktemp("runs"))
    runs = [f"{number}.parquet" for number in range(len(tables))]
    for name, table in zip(runs, tables, strict=True):
        word_runs.write(root, name, word_counts.WordCounts.from_words(table))
    merged = [row for block in word_runs.merge(root, runs, "merged") for row in block.as_dict().items()]
    expected = sum((Counter(table) for table in tables), Counter())
    assert merged == sorted(expected.items())


def test_a_table_counts_what_it_leaves_out():
    """Occurrences and bytes of words that are too long."""
    table = WordTable(SMALL, 3)
    data = np.frombuffer(b"abcdabc", np.uint8)
    list(table.add(WHOLE, data, np.array([0, 4, 7]), classes()))
    assert words_of(table) == {b"abc": 1}
    assert table.state[[OVERLONG, OVERLONG_BYTES]].tolist() == [1, 4]
