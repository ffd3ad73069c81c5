"""Tables as containers: CSV, TSV, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import tables
from chejil.curation.reading.containers import Row
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.parquet_rows import parquet_rows
from chejil.curation.reading.sources import CONTAINERS
from chejil.curation.reading.streams import RawFile
from chejil.errors import SourceError


def rows(container: str, content: bytes) -> list[Row | Flaw]:
    return list(CONTAINERS[container](RawFile(io.BytesIO(content), "file")))


def fields(container: str, content: bytes) -> list[dict | str]:
    """The records' fields, and the reasons where they have none."""
    return [row.reason if isinstance(row, Flaw) else row.fields for row in rows(container, content)]


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
    expected = [
        {"text": "가", "label": "1"},
        reason,
        {"text": "나\n다", "label": "2"},
        {"text": "라", "label": "3"},
    ]
    assert fields("csv", content.encode()) == expected


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(monkeypatch):
    """Looking for the closing quote ends at the limit, and only the row with the quote is given up."""
    monkeypatch.setattr(tables, "MAX_RECORD_BYTES", 100_000)
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
    content = (
        '문장\t등급\r\n"정말 좋다\t5\r\n"그래"\t4\r\n하나\r\n'  # sentence, grade: "really good, "yes", one
    )
    expected = [{"문장": '"정말 좋다', "등급": "5"}, {"문장": '"그래"', "등급": "4"}, "bad_row"]
    assert fields("tsv", content.encode()) == expected


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
    assert parquet_fields(parquet(pa.table({"text": texts}))) == [
        {"text": "a"},
        "invalid_utf8",
        {"text": "나"},
    ]


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
    content = {
        "footer": whole[:-50],
        "page": whole[:40] + bytes(400) + whole[440:],
        "text": b"text\n" * 9,
        "empty": b"",
    }
    with pytest.raises(SourceError, match=r"^file: not a whole Parquet file"):
        parquet_fields(content[damage])


def test_parquet_without_rows_has_no_records():
    """A file of columns only is read as nothing."""
    assert parquet_fields(parquet(pa.table({"text": pa.array([], pa.string())}))) == []


@pytest.mark.parametrize("damaged_before", [False, True])
def test_a_struct_that_python_cannot_hold_stops_the_file(damaged_before):
    """Two fields of a struct with one name: the column is named, also where a bad string stands before it."""
    twice = pa.StructArray.from_arrays([pa.array(["a", "b"])] * 2, names=["k", "k"])
    text = pa.array([b"\xb0" if damaged_before else b"a", b"b"], pa.binary()).view(pa.string())
    with pytest.raises(SourceError, match=r"(?s)^file: column 'x'.*duplicate field names.*mend: "):
        parquet_fields(parquet(pa.table({"text": text, "x": twice})))


def test_a_value_that_arrow_cannot_write_stops_the_file():
    """A time in a zone that nobody knows has no text: the column is named, and the file is not called torn."""
    times = pa.array([1], pa.timestamp("s", "Asia/Nowhere"))
    with pytest.raises(SourceError, match=r"^file: column 'at', a timestamp"):
        parquet_fields(parquet(pa.table({"at": times})))


def test_parquet_with_a_column_twice_is_refused():
    """A field must be told by its name."""
    content = parquet(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]))
    with pytest.raises(SourceError, match="column 'text' stands twice"):
        parquet_fields(content)
