"""Which fields of a published record are the text, the id, the url, and what goes into `meta`."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading.containers import Row, parse_json
from chejil.curation.reading.documents import Document, Flaw
from chejil.curation.reading.layouts import as_string, document, formats, look, without
from chejil.curation.reading.sources import CONTAINERS
from chejil.curation.reading.streams import RawFile

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers() | st.integers(-(2**200), 2**200) | st.floats(allow_infinity=False, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(name: str, record: dict) -> Document | Flaw:
    """A record as a line of a file of that format."""
    row = parse_json(json.dumps(record).encode())
    assert isinstance(row, Row)
    return document(formats()[name], row, "source/file#0")


def meta(found: Document | Flaw) -> dict:
    assert isinstance(found, Document), found
    return json.loads(found.meta or "{}")


# One record of each published shape, written for this test. (format, record, text, other columns, meta)
PUBLISHED = [
    (
        "mc4",
        {
            "text": "눈이 온다.",
            "timestamp": "2019-06-07T00:00:00Z",
            "url": "https://a.example/1",
        },  # It snows.
        "눈이 온다.",
        {"timestamp": "2019-06-07T00:00:00Z", "url": "https://a.example/1", "id": "source/file#0"},
        {},
    ),
    (
        "c4",
        {"text": "It snows.", "timestamp": "t", "url": "u"},
        "It snows.",
        {"timestamp": "t", "url": "u"},
        {},
    ),
    (
        "pile",
        {"text": "It snows.", "meta": {"pile_set_name": "Pile-CC"}},
        "It snows.",
        {"url": None, "timestamp": None, "license": None},
        {"pile_set_name": "Pile-CC"},
    ),
    (
        "redpajama",
        {
            "text": "a",
            "meta": {"url": "u", "timestamp": "t", "license": "mit", "source": "github", "size": "9"},
        },
        "a",
        {"url": "u", "timestamp": "t", "license": "mit"},
        {"source": "github", "size": "9"},
    ),
    (
        "redpajama",
        {"text": "a", "meta": '{"timestamp": "t", "yymm": "2001"}', "red_pajama_subset": "arxiv"},
        "a",
        {"timestamp": "t"},
        {"yymm": "2001", "red_pajama_subset": "arxiv"},
    ),
    ("redpajama", {"text": "a", "meta": "{'source': 'x'}"}, "a", {}, {"meta": "{'source': 'x'}"}),
    ("redpajama", {"text": "a", "meta": {"text": "b"}}, "a", {}, {"meta": {"text": "b"}}),
    (
        "redpajama2",
        {
            "url": "u",
            "date_download": "2023-01-01",
            "digest": "sha1:A",
            "raw_content": "a\nb",
            "bucket": "head",
        },
        "a\nb",
        {"url": "u", "timestamp": "2023-01-01", "id": "source/file#0"},
        {"digest": "sha1:A", "bucket": "head"},
    ),
    (
        "dolma",
        {
            "id": "d1",
            "text": "a",
            "source": "web",
            "added": "2",
            "created": "1",
            "metadata": {"url": "u", "n": 1},
        },
        "a",
        {"id": "d1", "timestamp": "1", "url": "u"},
        {"source": "web", "added": "2", "n": 1},
    ),
    (
        "fineweb2",
        {
            "text": "a",
            "id": "<urn:uuid:1>",
            "dump": "CC-MAIN-2024-10",
            "url": "u",
            "date": "2024-02-29",
            "file_path": "s3://a",
            "language": "kor",
            "language_score": 0.9,
            "language_script": "Hang",
            "minhash_cluster_size": 3,
            "top_langs": "{}",
        },
        "a",
        {"id": "<urn:uuid:1>", "url": "u", "timestamp": "2024-02-29"},
        {
            "dump": "CC-MAIN-2024-10",
            "file_path": "s3://a",
            "language": "kor",
            "language_score": 0.9,
            "language_script": "Hang",
            "minhash_cluster_size": 3,
            "top_langs": "{}",
        },
    ),
    (
        "wikipedia",
        {"id": "7", "url": "u", "title": "눈", "text": "a"},
        "a",
        {"id": "7"},
        {"title": "눈"},
    ),  # snow
    ("jikji", {"id": 3, "text": "a"}, "a", {"id": "3"}, {}),
    ("lbox", {"id": 1, "precedent": "판결문"}, "판결문", {"id": "1"}, {}),  # ruling
    (
        "lbox",
        {"id": 1, "casetype": "civil", "facts": "f", "casename": "c"},
        "f\n\nc",
        {},
        {"casetype": "civil"},
    ),
    (
        "lbox",
        {
            "id": 1,
            "casename": "c",
            "statutes": ["형법 제1조", "형법 제2조"],
            "facts": "f",
        },  # Criminal Act, articles
        "f\n\n형법 제1조\n\n형법 제2조",
        {},
        {"casename": "c"},
    ),
    (
        "lbox",
        {
            "id": 1,
            "facts": "f",
            "reason": "r",
            "label": {"fine_lv": 1},
            "ruling": {"text": "t", "parse": {"a": 1}},
        },
        "f\n\nr\n\nt",
        {},
        {"label": {"fine_lv": 1}, "ruling": {"parse": {"a": 1}}},
    ),
    (
        "lbox",
        {"id": 1, "facts": "f", "gist_of_claim": {"text": "g", "money": 5}, "ruling": {"text": "t"}},
        "f\n\ng\n\nt",
        {},
        {"gist_of_claim": {"money": 5}, "ruling": {}},
    ),
    ("lbox", {"id": 1, "summary": "s", "precedent": "p"}, "s\n\np", {}, {}),
    # a table of all tasks has every column; null is where a task has no such field
    (
        "lbox",
        {"id": 1, "summary": None, "precedent": "p", "facts": None},
        "p",
        {},
        {"summary": None, "facts": None},
    ),
    (
        "klue",
        {"guid": "n", "premise": "p", "hypothesis": "h", "gold_label": "x"},
        "p\nh",
        {"id": "n"},
        {"gold_label": "x"},
    ),
    (
        "klue",
        {"guid": "s", "sentence1": "a", "sentence2": "b", "labels": {"label": 4.9}},
        "a\nb",
        {},
        {"labels": {"label": 4.9}},
    ),
    ("klue", {"guid": "y", "title": "t", "label": 3}, "t", {"id": "y"}, {"label": 3}),
    (
        "klue",
        {"guid": "r", "sentence": "s", "subject_entity": {"word": "s"}},
        "s",
        {},
        {"subject_entity": {"word": "s"}},
    ),
    (
        "klue",
        {
            "title": "t",
            "source": "s",
            "paragraphs": [{"context": "c1", "qas": [{"question": "q"}]}, {"context": "c2"}],
        },
        "t\nc1\nc2",
        {},
        {"source": "s", "paragraphs": [{"qas": [{"question": "q"}]}, {}]},
    ),
    (
        "klue",
        {
            "guid": "w",
            "dialogue": [{"role": "user", "text": "네"}, {"role": "sys", "text": "예약했습니다"}],
        },  # yes; booked
        "네\n예약했습니다",
        {"id": "w"},
        {"dialogue": [{"role": "user"}, {"role": "sys"}]},
    ),
]


@pytest.mark.parametrize(("name", "record", "text", "columns", "rest"), PUBLISHED)
def test_a_published_record_is_read_as_its_format_says(name, record, text, columns, rest):
    """Text, id, url, timestamp and license come from where the format keeps them; the rest is in `meta`."""
    found = read(name, record)
    assert isinstance(found, Document), found
    assert found.text.decode() == text
    assert {column: getattr(found, column) for column in columns} == columns
    assert meta(found) == rest


def test_every_format_can_be_read():
    """Each entry of the table names known containers; all but those have examples above."""
    generic = {"parquet", "jsonl", "json", "csv", "tsv", "text"}
    generic |= {"html", "warc", "mediawiki"}  # whose readers have tests of their own
    assert generic | {name for name, *_ in PUBLISHED} == formats().keys()
    for layout in formats().values():
        names = {layout.container} if isinstance(layout.container, str) else set(layout.container.values())
        assert names <= {*CONTAINERS, "text"}


@given(text=TEXT, fields=st.dictionaries(TEXT, JSON, max_size=5))
def test_nothing_is_thrown_away(text, fields):
    """Text, canonical columns and `meta` together hold every field of the record, big integers included."""
    record = {name: value for name, value in fields.items() if "." not in name} | {"text": text}
    found = read("jsonl", record)
    assert isinstance(found, Document)
    canonical = {"id", "text", "url", "timestamp", "license"}
    assert found.text.decode() == text
    assert meta(found) == {name: value for name, value in record.items() if name not in canonical}


@given(st.dictionaries(TEXT, JSON))
def test_meta_is_the_same_whatever_the_order_of_the_fields(fields):
    """Equal records give equal bytes: keys are sorted."""
    record = {"text": ""} | fields
    backwards = dict(reversed(record.items()))
    assert read("jsonl", record) == read("jsonl", backwards)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "missing_text"),
        ({"body": "a"}, "missing_text"),
        ({"text": None}, "null_text"),
        ({"text": 3}, "text_not_string"),
        ({"text": ["a"]}, "text_not_string"),
        ({"text": {"ko": "a"}}, "text_not_string"),
        ({"text": "\ud800"}, "invalid_utf8"),
        ({"text": "a", "url": "\udcff"}, "invalid_utf8"),
        ({"text": "a", "id": "\udcff"}, "invalid_utf8"),
    ],
)
def test_a_record_without_text_says_why(record, reason):
    """The reason names the defect, the detail the field or type, and the excerpt shows the record."""
    flaw = read("jsonl", record)
    assert isinstance(flaw, Flaw)
    assert flaw.reason == reason
    assert flaw.num_bytes == len(json.dumps(record))


def test_a_missing_field_is_named_with_those_that_are_there():
    """The detail of `missing_text` is enough to mend `columns`."""
    flaw = read("jsonl", {"body": "a", "name": "b"})
    assert isinstance(flaw, Flaw)
    assert flaw.detail == "no field text, only: body, name"


@pytest.mark.parametrize(
    "text", ["", " ", "가", "\u1100\u1161", "ㅋㅋㅋ", "國會 국회 Assembly", "👩‍👩‍👧‍👦", "\ufffd", "a\0b"]
)
def test_any_text_stays_as_it_is(text):
    """Empty, blank, NFC and NFD Hangul, jamo, Hanja, mixed script, emoji: reading changes nothing."""
    found = read("jsonl", {"text": text})
    assert isinstance(found, Document)
    assert found.text == text.encode()


def test_half_a_surrogate_pair_in_meta_is_kept():
    """Only columns must be UTF-8; JSON can say the rest with escapes."""
    assert meta(read("jsonl", {"text": "a", "title": "\ud800"})) == {"title": "\ud800"}


def test_numbers_that_are_not_are_null():
    """NaN and infinities have no JSON; big integers keep every digit beside them."""
    found = read("jsonl", {"text": "a", "x": float("nan"), "y": [float("inf")], "z": 10**30})
    assert meta(found) == {"x": None, "y": [None], "z": 10**30}


@pytest.mark.parametrize("container", ["csv", "tsv"])
def test_what_looks_like_a_rounded_number_in_a_table_is_text(container):
    """A cell of a table that holds `,1e5,` is no JSON: its row is read once, as it stands."""
    content = {"csv": b'id,text,note\n1,a,"a,1e5,b"\n', "tsv": b"id\ttext\tnote\n1\ta\ta,1e5,b\n"}[container]
    (row,) = CONTAINERS[container](RawFile(io.BytesIO(content), "file"))
    found = document(formats()[container], row, "source/file#0")
    assert meta(found) == {"note": "a,1e5,b"}


def test_what_looks_like_a_rounded_number_in_a_string_of_json_is_kept():
    """The pattern of rounded numbers may match inside a string: the record comes out as it was."""
    assert meta(read("jsonl", {"text": "a", "note": "a,1e5,b"})) == {"note": "a,1e5,b"}


def test_a_big_id_keeps_its_digits():
    """An id above 64 bits is not rounded to a float."""
    found = read("jsonl", {"text": "a", "id": 123456789012345678901234567890})
    assert isinstance(found, Document)
    assert found.id == "123456789012345678901234567890"


@pytest.mark.parametrize("own_id", [None, "", float("nan")])
def test_a_record_without_an_id_is_called_after_its_place(own_id):
    """Null, empty and NaN are no ids."""
    found = read("jsonl", {"text": "a", "id": own_id})
    assert isinstance(found, Document)
    assert found.id == "source/file#0"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (1.0, "1"),  # Pandas' integers with a null among them
        (1.5, "1.5"),
        (-0.25, "-0.25"),
        (2**63, str(2**63)),
        (False, "false"),
        (float("inf"), None),
        ({"$oid": "a", "b": [1]}, '{"$oid":"a","b":[1]}'),
        (b"ab", "ab"),
        (b"\xff", "/w=="),
        ("한", "한"),
    ],
)
def test_a_column_that_is_no_string_becomes_one(value, expected):
    """Integers, floats, objects and bytes are written without loss."""
    assert as_string(value) == expected


def test_too_deep_a_record_is_a_flaw():
    """A record nested deeper than a JSON writer goes is quarantined, not a crash."""
    flaw = document(
        formats()["jsonl"], parse_json(b'{"text": "a", "x": ' + b"[" * 300 + b"]" * 300 + b"}"), "id"
    )
    assert isinstance(flaw, Flaw)
    assert flaw.reason == "bad_json"


def test_binary_text_is_decoded():
    """A Parquet column of bytes is text where it is UTF-8."""
    layout = formats()["parquet"]
    assert document(layout, Row({"text": "가".encode()}), "id").text.decode() == "가"
    assert document(layout, Row({"text": b"\xb0\xa1"}), "id").reason == "invalid_utf8"


def test_a_column_may_have_a_dot_in_its_name():
    """A flattened table calls its columns `meta.url`: the whole name goes before the path."""
    record = {"meta.url": "a", "meta": {"url": "b"}}
    assert look(record, "meta.url") == "a"
    assert without(record, ["meta.url"]) == {"meta": {"url": "b"}}


def test_without_leaves_the_record_as_it_is():
    """The record that was read is not changed by taking fields out of it."""
    record = {"a": [{"b": 1, "c": 2}]}
    assert without(record, ["a[].b"]) == {"a": [{"c": 2}]}
    assert record == {"a": [{"b": 1, "c": 2}]}
