"""The sample corpus: its prose, its planted defects, its truth, and the score of a run."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import unicodedata
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.curation.demo import planting
from chejil.curation.demo.planted_truth import Truth, score
from chejil.curation.demo.sample_corpus import BAD_ROWS, word_jaccard, write_sample_corpus
from chejil.curation.demo.sample_prose import Writer, lines, polite, tables, write_prose
from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.errors import ChejilError

DOCUMENTS = 600
REGISTERS = [
    (lang, name) for lang in ("ko", "en") for name in ("news", "blog", "encyclopedia", "forum", "docs")
]
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return write_sample_corpus(tmp_path_factory.mktemp("demo") / "corpus", DOCUMENTS)


@pytest.fixture(scope="module")
def texts(truth: Truth) -> dict[tuple[str, int], str]:
    """Text by file and line, of the rows that are documents."""
    bad = {(row["file"], row["line"]) for row in truth.rows if row["op"] == "quarantine"}
    found = {}
    for file in {row["file"] for row in truth.rows}:
        for line, text in enumerate(read(truth.folder / file, bad)):
            if text is not None:
                found[file, line] = text
    return found


def read(path: Path, bad: set[tuple[str, int]]) -> list[str | None]:
    if path.suffix == ".parquet":
        return pq.read_table(path)["text"].to_pylist()
    if path.suffix == ".txt":
        return [path.read_text("utf-8")]
    with path.open("rb") as raw:
        stream = (
            gzip.GzipFile(fileobj=raw)
            if path.suffix == ".gz"
            else zstandard.ZstdDecompressor().stream_reader(raw)
        )
        records = stream.read().split(b"\n")[:-1]
    name = f"{path.parent.name}/{path.name}"
    return [None if (name, at) in bad else json.loads(record)["text"] for at, record in enumerate(records)]


def planted(truth: Truth, op: str, kind: str | None = None) -> list[dict]:
    return [row for row in truth.rows if row["op"] == op and kind in (None, row["kind"])]


# Prose


@given(seeds, st.sampled_from([*REGISTERS, ("ko", "law")]), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_prose_is_finished_prose(seed, register, sections):
    """Every document is in NFC, 250 to 5,000 characters, without a bracket or a particle left to choose."""
    prose = write_prose(random.Random(seed), *register, sections)
    assert unicodedata.is_normalized("NFC", prose.text)
    assert 250 <= len(prose.text) <= 5000
    assert not re.search(r"[\0{}|]|은는|을를|[가-힣]\((은|이|을|과|으)\)", prose.text)


@given(seeds, st.sampled_from(["news", "blog", "encyclopedia", "forum"]))
@settings(max_examples=80, deadline=None)
def test_particles_agree_with_the_syllable_before(seed, register):
    """After a word of the subject, 을 follows a final consonant and 를 a vowel."""
    subject = write_prose(random.Random(seed), "ko", register)
    words = [
        word
        for slot in ("thing", "act", "gain", "trouble")
        for word in tables("ko_subjects")[subject.subject][slot]
    ]
    for word in words:
        closed = (ord(word[-1]) - 0xAC00) % 28 > 0
        assert f"{word}{'를' if closed else '을'} " not in subject.text
        assert f"{word}{'는' if closed else '은'} " not in subject.text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("벌통", "벌통은 벌통이 벌통을 벌통과 벌통으로 '벌통'이란"),  # hive: ends in ㅇ
        ("기와", "기와는 기와가 기와를 기와와 기와로 '기와'란"),  # roof tile: ends in a vowel
        ("교실", "교실은 교실이 교실을 교실과 교실로 '교실'이란"),  # classroom: ㄹ takes 로
        (
            "양봉(養蜂)",
            "양봉(養蜂)은 양봉(養蜂)이 양봉(養蜂)을 양봉(養蜂)과 양봉(養蜂)으로 '양봉(養蜂)'이란",
        ),  # Hanja
        ("30", "30은 30이 30을 30과 30으로 '30'이란"),  # read 삼십
        ("2", "2는 2가 2를 2와 2로 '2'란"),  # read 이
        ("", "은 이 을 과 으로 ''이란"),  # nothing to agree with: left as written
    ],
)
def test_particles(words, expected):
    """A particle behind a bracket agrees with the last sound before it; quotes and Hanja are passed over."""
    writer = Writer(random.Random(0), {"x": [words]})
    assert writer.fill("{x}은 {x}이 {x}을 {x}과 {x}으로 '{x}'이란") == expected


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("벌이 줄어든다.", "벌이 줄어듭니다."),  # bees decrease
        ("물을 먹는다.", "물을 먹습니다."),  # drinks water
        ("낮은 곳이다.", "낮은 곳입니다."),  # it is a low place
        ("기온이 높다.", "기온이 높습니다."),  # the temperature is high
        ("색이 다르다.", "색이 다릅니다."),  # the colour differs
        ("많이 줄었다.", "많이 줄었습니다."),  # it fell a lot
        ("좋아요.", "좋아요."),  # good: polite already
    ],
)
def test_polite(plain, expected):
    """A plain sentence is conjugated into the polite style, a polite one stays."""
    assert polite(plain) == expected


def test_every_fact_is_in_the_plain_style():
    """Facts end as `polite` needs them: in -다 and a full stop, whatever alternative is chosen."""
    for stock in ("ko_subjects", "ko_software"):
        for subject in tables(stock).values():
            for fact in lines(subject["facts"]):
                assert re.search(r"다\]?\.$", fact), fact


# The corpus


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    """Two corpora of one seed are equal byte for byte, of two seeds not."""
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = write_sample_corpus(tmp_path / name, 100, seed).folder
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        digests.append([(str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).digest()) for p in paths])
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_truth_tells_every_row(truth, texts):
    """Every row of every file has its truth, with the hash and the length of the text that stands there."""
    assert len(truth.rows) == len(texts) + len(BAD_ROWS)
    for row in truth.rows:
        if row["op"] != "quarantine":
            text = texts[row["file"], row["line"]]
            assert (row["chars"], row["sha256"]) == (len(text), hashlib.sha256(text.encode()).hexdigest())


def test_every_defect_is_planted_even_in_a_small_corpus(tmp_path):
    """However small the corpus, each operation and kind of the table is in it."""
    found = {(row["op"], row["kind"]) for row in write_sample_corpus(tmp_path / "small", 10).rows}
    for entry in tables("planting"):
        assert {(entry["op"], kind) for kind in entry.get("kinds", [None])} <= found
    assert {("quarantine", kind) for kind in BAD_ROWS} <= found


def test_documents_are_no_accidental_duplicates(truth, texts):
    """No two documents that nobody copied share 0.3 of their word 5-grams."""
    rows = [row for row in truth.rows if row["op"] in ("clean", "original")]
    by_gram: dict[tuple[str, ...], list[int]] = {}
    for at, row in enumerate(rows):
        words = texts[row["file"], row["line"]].split()
        for gram in set(zip(*(words[start:] for start in range(5)), strict=False)):
            by_gram.setdefault(gram, []).append(at)
    shared = Counter((a, b) for docs in by_gram.values() for n, a in enumerate(docs) for b in docs[:n])
    for (a, b), _ in shared.most_common(50):
        one, other = (texts[rows[at]["file"], rows[at]["line"]] for at in (a, b))
        assert word_jaccard(one, other) < 0.3, (rows[a], rows[b])


def test_copies_are_as_near_as_they_say(truth, texts):
    """A copy of one original equals it, and word edits come down from it with their percentage."""
    for row in planted(truth, "exact_copy"):
        parent = row["parent"]
        assert texts[row["file"], row["line"]] == texts[parent["file"], parent["line"]]
    mean = {
        kind: sum(row["jaccard_word5"] for row in planted(truth, "near_dup_word_edit", f"{kind}_percent"))
        for kind in (1, 2, 5, 10)
    }
    assert mean[1] > mean[2] > mean[5] > mean[10] > 0


def test_what_can_be_restored_is_restored_by_normalising(truth, texts):
    """NFD, zero-width characters, entities and mojibake come back exactly; the lost kinds promise nothing."""
    rows = [row for row in truth.rows if row["expect"] == "repaired"]
    given_texts = [texts[row["file"], row["line"]] for row in rows]
    done = normalise(given_texts, Normalise(), html_entities=True).texts.to_pylist()
    for row, before, after in zip(rows, given_texts, done, strict=True):
        assert hashlib.sha256(before.encode()).hexdigest() != row["restored_sha256"], row
        assert hashlib.sha256(after.encode()).hexdigest() == row["restored_sha256"], row


def test_personal_data_stand_where_the_spans_say(truth, texts):
    """Each span is the value in the text, and decoys are told from data."""
    spans = [(row, span) for row in planted(truth, "planted_pii") for span in row["spans"]]
    assert {span["type"] for _, span in spans} == set(planting.PERSONAL)
    for row, span in spans:
        assert texts[row["file"], row["line"]][span["start"] : span["end"]] == span["value"]
        assert span["decoy"] == (span["type"] in planting.DECOYS)


@given(seeds)
@settings(max_examples=100)
def test_numbers_pass_their_checksums(seed):
    """Resident, business, card and book numbers satisfy their published check rules, computed another way."""
    rng = random.Random(seed)
    rrn, brn, card, isbn = (
        [int(char) for char in number if char.isdigit()]
        for number in (
            planting.resident_number(rng),
            planting.business_number(rng),
            planting.card_number(rng),
            planting.isbn(rng),
        )
    )
    assert (
        sum(d * w for d, w in zip(rrn, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=False)) + rrn[12]
    ) % 11 in (0, 1)
    weighted = sum(d * w for d, w in zip(brn[:8], (1, 3, 7, 1, 3, 7, 1, 3), strict=True))
    assert (weighted + sum(divmod(brn[8] * 5, 10)) + brn[9]) % 10 == 0
    assert sum(d if at % 2 else (d * 2 - 9 if d > 4 else d * 2) for at, d in enumerate(card)) % 10 == 0
    assert sum(d * (3 if at % 2 else 1) for at, d in enumerate(isbn)) % 10 == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    """A folder that is not a sample corpus is refused; a sample corpus is replaced, old files gone."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChejilError, match="something else than a sample corpus"):
        write_sample_corpus(tmp_path, 10)
    folder = write_sample_corpus(tmp_path / "corpus", 300).folder
    (folder / "jikji/jikji-9999.txt").write_text("left over")
    write_sample_corpus(folder, 10)
    assert not (folder / "jikji/jikji-9999.txt").exists()
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_no_truth_says_how_to_write_one(tmp_path):
    """A folder without truth.jsonl is named, with the command that writes one."""
    with pytest.raises(ChejilError, match=r"no truth\.jsonl") as error:
        Truth.read(tmp_path)
    assert error.value.mend == "chejil demo writes a sample corpus"


# The score


def perfect(
    truth: Truth, texts: dict[tuple[str, int], str]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decisions, documents and final texts of a run that does everything right, read off the truth."""
    decisions, documents, final = [], [], []
    for row in truth.rows:
        if row["op"] == "quarantine":
            continue
        name = f"{row['file']}#{row['line']}"
        kept = row["expect"] in ("kept", "repaired")
        decisions.append(
            {
                "id": name, "source": row["file"].split("/")[0], "file": row["file"], "line": row["line"],
                "kept": kept, "reason": None if kept else "x", "lang": row["lang"],
                "exact_cluster": None, "near_cluster": None,
            }
        )  # fmt: skip
        text = texts[row["file"], row["line"]]
        [text] = normalise([text], Normalise(), html_entities=True).texts.to_pylist()
        documents.append({"id": name, "text": text})
        for span in row.get("spans") or ():
            text = text if span["decoy"] else text.replace(span["value"], "")
        final.append({"id": name, "text": text})
    return pl.DataFrame(decisions, infer_schema_length=None), pl.DataFrame(documents), pl.DataFrame(final)


def caught(rows: list[dict], kind: str) -> tuple[int, int | None]:
    [row] = [row for row in rows if row["kind"] == kind]
    return row["planted"], row["caught"]


def test_a_perfect_run_scores_everything(truth, texts):
    """Where the right thing became of every document, all that is scored is caught."""
    rows = score(truth, *perfect(truth, texts))
    for row in rows:
        assert row["caught"] == row["planted"], row
    documents = [row for row in rows if not row["kind"].startswith(("personal data", "look-alike"))]
    apart = len(planted(truth, "original")) + len(planted(truth, "planted_pii"))
    assert sum(row["planted"] for row in documents) + apart == len(truth.rows)
    assert rows[-1]["kind"] == "clean documents kept"


def test_a_run_that_keeps_everything_scores_nothing(truth, texts):
    """Where all is kept as it came and called Korean, nothing is caught but what needs no doing."""
    decisions, documents, _ = perfect(truth, texts)
    decisions = decisions.with_columns(kept=pl.lit(True), reason=pl.lit(None, pl.String), lang=pl.lit("ko"))
    raw = pl.DataFrame({"id": decisions["id"], "text": list(texts.values())[:1] * len(decisions)})
    nowhere = pl.DataFrame({"file": [], "line": []})
    rows = {row["kind"]: row for row in score(truth, decisions, raw, documents, nowhere)}
    clean = rows.pop("clean documents kept")
    assert clean["caught"] == clean["planted"]
    found = {kind: row["caught"] for kind, row in rows.items() if row["caught"]}
    assert all(kind.startswith("look-alike") for kind in found)


def test_a_cluster_catches_what_another_stage_dropped(truth, texts):
    """A copy and its original in one cluster are caught even if both were dropped; Arrow is read too."""
    decisions, documents, final = perfect(truth, texts)
    decisions = decisions.with_columns(kept=pl.lit(False))
    assert caught(score(truth, decisions, documents, final), "exact_copy")[1] == 0
    together = decisions.with_columns(near_cluster=pl.lit("one"))
    rows = score(truth, together.to_arrow(), documents.to_arrow(), final.to_arrow())
    assert caught(rows, "exact_copy") == (len(planted(truth, "exact_copy")),) * 2


def test_the_note_on_clean_documents_names_what_dropped_them(truth, texts):
    """The last row says which reasons dropped clean documents, most frequent first."""
    decisions, documents, final = perfect(truth, texts)
    decisions = decisions.with_columns(kept=pl.lit(False), reason=pl.lit("num_words"))
    last = score(truth, decisions, documents, final)[-1]
    assert last["caught"] == 0
    assert last["note"] == f"num_words dropped {last['planted']}"
