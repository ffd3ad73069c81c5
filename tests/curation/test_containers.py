"""How a file holds its records: JSON lines, JSON, CSV, TSV, plain text, sentence blocks, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import containers, streams
from chejil.curation.containers import CONTAINERS, Row
from chejil.curation.documents import REASONS, Flaw
from chejil.curation.parquet_rows import parquet_rows
from chejil.curation.streams import RawFile
from chejil.errors import SourceError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def rows(container: str, content: bytes) -> list[Row | Flaw]:
    return list(CONTAINERS[container](RawFile(io.BytesIO(content), "file")))


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
    assert before == after == Row({"text": "a"}, good)
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
    """Empty lines and lines of white space do not count; carriage returns before a newline do not matter."""
    assert fields("jsonl", b'\n{"a": 1}\r\n  \t\r\n{"a": 2}\n\n') == [{"a": 1}, {"a": 2}]


def test_an_empty_file_has_no_records():
    """Nothing is nothing, in every container but the one in which a file is a document."""
    for name in ("jsonl", "csv", "tsv", "line", "paragraph", "sentences"):
        assert rows(name, b"") == []
    assert fields("file", b"") == [{"text": ""}]


# JSON


@pytest.mark.parametrize("content", ['[{"a": 1}, {"a": 2}]', '{"version": "1", "data": [{"a": 1}, {"a": 2}]}'])
def test_a_json_list_is_its_objects(content):
    """A list of objects, or an object whose `data` is one."""
    assert fields("json", content.encode()) == [{"a": 1}, {"a": 2}]


def test_what_is_no_object_in_a_json_list_is_a_flaw():
    """An element that is no object keeps its place and its number."""
    assert fields("json", b'[{"a": 1}, "b", {"a": 3}]') == [{"a": 1}, "not_an_object", {"a": 3}]


@pytest.mark.parametrize("content", [b"[1, 2", b'{"relations": ["a"]}', b'"a"', b"\xb0\xa1", b"[" * 100_000, b""])
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
    assert _reasons("json", gzip.compress(json.dumps([{"a": i} for i in range(99)]).encode())[:-20]) == ["torn_stream"]


# CSV and TSV

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS)), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_csv_is_read_back(table, line_end, quoted):
    """What the standard library writes is read as it was: commas, quotes and newlines inside fields."""
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, lineterminator=line_end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerows([("text", "label"), *table])
    expected = [{"text": text, "label": label} for text, label in table]
    assert fields("csv", stream.getvalue().encode()) == expected


def test_line_ends_inside_quotes_are_kept():
    """A quoted field keeps its line ends as they are, also the carriage returns."""
    assert fields("csv", b'text\r\n"a\r\nb\rc\nd"\r\n') == [{"text": "a\r\nb\rc\nd"}]


def test_a_field_may_be_longer_than_the_library_allows():
    """A field of 1 MB, eight times the limit of Python's csv, is a field."""
    long = "가" * 350_000
    assert fields("csv", f'text\n"{long}"\n'.encode()) == [{"text": long}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,b,c", "bad_row"),
        ("a", "bad_row"),
        ('"a" b,c', "bad_row"),
        ('"never closed,b', "bad_row"),
        ('a,"never closed', "bad_row"),
    ],
)
def test_a_broken_csv_row_costs_itself_only(line, reason):
    """Too many fields, too few, or a stray quote: the rows before and after are whole."""
    content = f'text,label\n가,1\n{line}\n"나\n다",2\n라,3\n'
    expected = [{"text": "가", "label": "1"}, reason, {"text": "나\n다", "label": "2"}, {"text": "라", "label": "3"}]
    assert fields("csv", content.encode()) == expected


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(monkeypatch):
    """Looking for the closing quote ends at the limit, and only the row with the quote is given up."""
    monkeypatch.setattr(containers, "MAX_RECORD_BYTES", 100_000)
    content = b'text\n"open\n' + b"row\n" * 5000
    assert Counter(map(str, fields("csv", content))) == {"bad_row": 1, "{'text': 'row'}": 5000}


def test_an_open_row_at_a_tear_is_the_torn_one():
    """The lines of a quoted field that the tear cut are not taken for rows."""
    content = "text,label\nwhole,1\n" + '"' + "\n".join(f"line {i * i * 7919}" for i in range(400)) + '",2\n'
    *kept, tear = rows("csv", gzip.compress(content.encode())[:-200])
    assert [row.fields["text"] for row in kept] == ["whole"]
    assert (tear.reason, tear.excerpt[:8]) == ("torn_stream", '"line 0\n')
    assert 1000 < tear.num_bytes < len(content)


def test_a_csv_row_that_is_not_utf8_is_a_flaw():
    """Bytes that are not UTF-8 cost their row."""
    assert fields("csv", b"text\na\n\xb0\xa1\nb\n") == [{"text": "a"}, "invalid_utf8", {"text": "b"}]


@pytest.mark.parametrize("container", ["csv", "tsv"])
def test_a_header_in_cp949_says_how_to_recode_the_file(container):
    """A table in the old Korean encoding is refused with the command that mends it."""
    with pytest.raises(SourceError, match="iconv -f CP949"):
        rows(container, "본문\n글\n".encode("cp949"))  # "body" / "text"


@pytest.mark.parametrize("container", ["csv", "tsv"])
def test_a_column_that_stands_twice_is_refused(container):
    """A field must be told by its name."""
    with pytest.raises(SourceError, match="column 'text' stands twice"):
        rows(container, b"text,text\na,b\n".replace(b",", b"," if container == "csv" else b"\t"))


def test_tsv_takes_quotes_as_characters():
    """A lone quote in a Korean comment is text, and a field is never unquoted."""
    content = '문장\t등급\r\n"정말 좋다\t5\r\n"그래"\t4\r\n하나\r\n'  # sentence, grade: "really good, "yes", one
    expected = [{"문장": '"정말 좋다', "등급": "5"}, {"문장": '"그래"', "등급": "4"}, "bad_row"]
    assert fields("tsv", content.encode()) == expected


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


# Parquet


def parquet(table: pa.Table, **options) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def parquet_fields(content: bytes) -> list[dict | str]:
    found = parquet_rows(RawFile(io.BytesIO(content), "file"))
    return [row.reason if isinstance(row, Flaw) else row.fields for row in found]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_text_of_any_arrow_type_is_text(kind):
    """Shards of one corpus differ in the type of a column; its values do not."""
    table = pa.table({"text": pa.array(["가", None, "", "가"], pa.string()).cast(kind)})
    assert parquet_fields(parquet(table)) == [{"text": text} for text in ("가", None, "", "가")]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1_700_000_000_123_456_789, pa.timestamp("ns", "Asia/Seoul"), "2023-11-15 07:13:20.123456789+0900"),
        (datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), pa.timestamp("ms", "UTC"), "2024-02-29 01:02:03.000Z"),
        (date(2024, 2, 29), pa.date32(), "2024-02-29"),
        (Decimal("12345678901234567890.10"), pa.decimal128(22, 2), "12345678901234567890.10"),
        (2**64 - 1, pa.uint64(), 2**64 - 1),
        (b"\xff", pa.binary(), b"\xff"),
        ([1, None], pa.list_(pa.int64()), [1, None]),
        ([date(2024, 2, 29)], pa.large_list(pa.date32()), ["2024-02-29"]),
        ({"at": 1}, pa.struct([("at", pa.timestamp("ns"))]), {"at": "1970-01-01 00:00:00.000000001"}),
        ([("a", 1)], pa.map_(pa.string(), pa.int32()), [("a", 1)]),
    ],
    ids=str,
)
def test_values_come_in_types_that_json_knows(value, kind, expected):
    """Times and decimals become text without loss, also inside lists and structs; numbers stay numbers."""
    assert parquet_fields(parquet(pa.table({"value": pa.array([value, None], kind)}))) == [
        {"value": expected},
        {"value": None},
    ]


def test_bytes_that_are_not_utf8_cost_their_row():
    """Writers do not check strings: the one bad row is found."""
    texts = pa.array([b"a", b"\xb0\xa1", "나".encode()], pa.binary()).view(pa.string())
    assert parquet_fields(parquet(pa.table({"text": texts}))) == [{"text": "a"}, "invalid_utf8", {"text": "나"}]


def test_one_giant_row_group_is_read_in_steps():
    """Memory follows a few MiB of rows and not the row group."""
    table = pa.table({"text": [str(i) * 50_000 for i in range(1, 400)]})
    content = parquet(table, row_group_size=len(table), use_dictionary=False, write_batch_size=4)
    raw = RawFile(io.BytesIO(content), "file")
    before, seen = pa.total_allocated_bytes(), []
    for row in parquet_rows(raw):
        seen.append(row.fields["text"][:3])
        assert pa.total_allocated_bytes() - before < 24 << 20
    assert table.nbytes > 50 << 20
    assert len(seen) == 399


def test_a_parquet_file_reports_how_far_it_has_come():
    """Progress is the share of rows times the size; at the end the file stands at its start, to be hashed."""
    content = parquet(pa.table({"text": ["x" * 1000] * 9000}))
    raw = RawFile(io.BytesIO(content), "file")
    progress = [raw.num_bytes for _ in parquet_rows(raw)]
    assert 0 < progress[0] < progress[-1] == len(content)
    raw.hash()
    assert raw.num_bytes == len(content)


@pytest.mark.parametrize("damage", ["footer", "page", "text", "empty"])
def test_a_damaged_parquet_file_stops_with_its_name(damage):
    """A torn footer, a broken page, another format or no bytes at all: the file is named."""
    whole = parquet(pa.table({"text": [f"row {i}" for i in range(1000)]}), compression="zstd")
    content = {"footer": whole[:-50], "page": whole[:40] + bytes(400) + whole[440:], "text": b"text\n" * 9, "empty": b""}
    with pytest.raises(SourceError, match=r"^file: not a whole Parquet file"):
        parquet_fields(content[damage])


def test_parquet_without_rows_has_no_records():
    """A file of columns only is read as nothing."""
    assert parquet_fields(parquet(pa.table({"text": pa.array([], pa.string())}))) == []


def test_parquet_with_a_column_twice_is_refused():
    """A field must be told by its name."""
    content = parquet(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]))
    with pytest.raises(SourceError, match="column 'text' stands twice"):
        parquet_fields(content)


def _reasons(container: str, content: bytes) -> list[str | None]:
    return [getattr(row, "reason", None) for row in rows(container, content)]
