"""How a file holds its records: JSON lines, JSON, plain text, sentence blocks."""

from __future__ import annotations

import gzip
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import containers, streams
from chejil.curation.reading.containers import Row
from chejil.curation.reading.documents import REASONS, Flaw
from chejil.curation.reading.sources import CONTAINERS
from chejil.curation.reading.streams import RawFile
from chejil.errors import SourceError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def numbered(container: str, content: bytes) -> list[Row | Flaw | None]:
    return list(CONTAINERS[container](RawFile(io.BytesIO(content), "file")))


def rows(container: str, content: bytes) -> list[Row | Flaw]:
    return [row for row in numbered(container, content) if row is not None]


def fields(container: str, content: bytes) -> list[dict | str]:
    """The records' fields, and the reasons where they have none."""
    return [row.reason if isinstance(row, Flaw) else row.fields for row in rows(container, content)]


# JSON lines


@given(st.lists(st.dictionaries(TEXT, JSON, max_size=4)))
def test_json_lines_are_read_back(records):
    """What `json.dumps` writes is read as it was, big integers apart."""
    lines = [json.dumps(record) for record in records]
    expected = [json.loads(line, parse_int=_as_orjson) for line in lines]
    assert fields("jsonl", "\n".join(lines).encode()) == expected


def _as_orjson(digits: str) -> int | float:
    return int(digits) if -(2**63) <= int(digits) < 2**64 else float(digits)


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes_are_rows_or_flaws_with_a_known_reason(lines):
    """No line is lost and none raises, whatever stands in it."""
    lines = [b"." + line.replace(b"\n", b"") for line in lines]
    found = rows("jsonl", b"\n".join(lines))
    assert len(found) == len(lines)
    assert all(row.reason in REASONS for row in found)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "a"', "bad_json"),
        (b"{'text': 'a'}", "bad_json"),
        (b'{"text": "a"} {"text": "b"}', "bad_json"),
        (b'{"text": "\x01"}', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"[" * 2000 + b"]" * 2000, "bad_json"),
        (b'["a"]', "not_an_object"),
        (b'"a"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b'{"text": "\xb0\xa1"}', "invalid_utf8"),  # CP949 bytes of a Hangul syllable
        (b'{"text": "\xed\xa0\x80"}', "invalid_utf8"),  # half a surrogate pair as bytes (CESU-8)
    ],
)
def test_a_bad_line_is_one_flaw_between_its_neighbours(line, reason):
    """A line that is no record costs itself only, and says why, with its size and beginning."""
    good = b'{"text": "a"}'
    before, flaw, after = rows("jsonl", b"\n".join([good, line, good]))
    assert before == after == Row({"text": "a"}, good, is_json=True)
    assert (flaw.reason, flaw.num_bytes) == (reason, len(line))
    assert line.startswith(flaw.excerpt[:9].encode("utf-8")) or reason == "invalid_utf8"
    assert len(flaw.excerpt) <= 200


def test_json_of_python_is_read():
    """NaN, Infinity and half surrogate pairs, which Python's own `json.dumps` writes, are no bad JSON."""
    line = json.dumps({"a": math.nan, "b": math.inf, "c": "\ud800"}).encode()
    (row,) = rows("jsonl", line)
    assert math.isnan(row.fields["a"])
    assert row.fields["b"] == math.inf
    assert row.fields["c"] == "\ud800"


def test_blank_lines_are_no_records():
    """Empty lines and lines of white space hold nothing; carriage returns before a newline do not matter."""
    assert fields("jsonl", b'\n{"a": 1}\r\n  \t\r\n{"a": 2}\n\n') == [{"a": 1}, {"a": 2}]


def test_blank_lines_are_counted_in_json_lines_alone():
    """The number of a JSON line is its place in the file; elsewhere records are counted."""
    content = b'\n{"a": 1}\n \n{"a": 2}\n'
    assert [row is not None for row in numbered("jsonl", content)] == [False, True, False, True]
    assert None not in numbered("line", content)


def test_an_empty_file_has_no_records():
    """Nothing is nothing, in every container but the one in which a file is a document."""
    for name in ("jsonl", "csv", "tsv", "line", "paragraph", "sentences"):
        assert rows(name, b"") == []
    assert fields("file", b"") == [{"text": ""}]


# JSON


@pytest.mark.parametrize(
    "content", ['[{"a": 1}, {"a": 2}]', '{"version": "1", "data": [{"a": 1}, {"a": 2}]}']
)
def test_a_json_list_is_its_objects(content):
    """A list of objects, or an object whose `data` is one."""
    assert fields("json", content.encode()) == [{"a": 1}, {"a": 2}]


def test_what_is_no_object_in_a_json_list_is_a_flaw():
    """An element that is no object keeps its place and its number."""
    content = f'[{{"a": 1}}, ["\\ud800", {10**30}], {{"a": 3}}]'.encode()
    assert fields("json", content) == [{"a": 1}, "not_an_object", {"a": 3}]


@pytest.mark.parametrize(
    "content", [b"[1, 2", b'{"relations": ["a"]}', b'"a"', b"\xb0\xa1", b"[" * 100_000, b""]
)
def test_json_without_records_is_unreadable(content):
    """A file that is not one JSON list stops with its name."""
    with pytest.raises(SourceError, match=r"^file: "):
        rows("json", content)


def test_json_above_the_limit_is_refused(monkeypatch):
    """One JSON value is held whole, so it has a limit; the error says how to turn it into lines."""
    monkeypatch.setattr(containers, "MAX_JSON_BYTES", 10)
    with pytest.raises(SourceError, match="jq -c"):
        rows("json", b'[{"text": "a"}]')


def test_torn_json_is_torn():
    """Of a torn JSON value nothing can be saved, and the tear is the one record."""
    assert _reasons("json", gzip.compress(json.dumps([{"a": i} for i in range(99)]).encode())[:-20]) == [
        "torn_stream"
    ]


# Plain text


def test_text_by_file_paragraph_or_line():
    """The same text as one document, as one a block, as one a line."""
    content = "\ufeff첫 줄\r\n둘째 줄\r\n \t\r\n\r\n셋째 줄".encode()  # first, second, third line
    assert fields("file", content) == [{"text": "첫 줄\r\n둘째 줄\r\n \t\r\n\r\n셋째 줄"}]
    assert fields("paragraph", content) == [{"text": "첫 줄\n둘째 줄"}, {"text": "셋째 줄"}]
    assert fields("line", content) == [{"text": "첫 줄"}, {"text": "둘째 줄"}, {"text": "셋째 줄"}]


@pytest.mark.parametrize("container", ["file", "paragraph", "line"])
def test_text_that_is_not_utf8_is_a_flaw(container):
    """The unit with the bad bytes is given up, and no other."""
    assert fields(container, b"\xb0\xa1") == ["invalid_utf8"]


def test_a_paragraph_above_the_limit_is_a_flaw(monkeypatch):
    """A paragraph is held up to the limit only; the next one is read as usual."""
    monkeypatch.setattr(streams, "MAX_RECORD_BYTES", 100)
    assert fields("paragraph", b"line\n" * 50 + b"\nnext") == ["record_too_large", {"text": "next"}]


# Sentence blocks

NER = "## 설명 : \\t\n## 이름 : CHAR\tTAG\n## ner_0\t<철수:PS>의 눈\n철\tB-PS\n수\tI-PS\n의\tO\n \tO\n눈\tO\n"
DP = "## dp_0\t눈이 온다.\n1\t눈이\t눈 이\tNNG+JKS\t2\tNP_SBJ\n2\t온다.\t오 ㄴ다 .\tVV+EF+SF\t0\tVP\n"


def test_a_sentence_of_ner_is_its_characters():
    """The text is what the characters spell (a person's snow), without the tags of the line on top."""
    (row,) = rows("sentences", NER.encode())
    assert row.fields["guid"] == "ner_0"
    assert row.fields["sentence"] == "철수의 눈"
    assert row.fields["tagged"] == "<철수:PS>의 눈"
    assert row.fields["rows"][3] == [" ", "O"]


def test_a_sentence_of_dp_is_the_line_on_top():
    """The words' rows stay as they are (it snows)."""
    first, second = rows("sentences", f"{DP}\n{DP}".replace("dp_0", "dp_1", 1).encode())
    assert (first.fields["guid"], second.fields["guid"]) == ("dp_1", "dp_0")
    assert first.fields["sentence"] == "눈이 온다."
    assert [len(cells) for cells in first.fields["rows"]] == [6, 6]


def test_a_block_without_a_name_is_a_flaw():
    """Rows that no sentence stands above are quarantined; remarks alone are no record."""
    assert fields("sentences", b"## a remark\n\n1\tword\n") == ["bad_row"]


def _reasons(container: str, content: bytes) -> list[str | None]:
    return [getattr(row, "reason", None) for row in rows(container, content)]
