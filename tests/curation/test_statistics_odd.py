"""Statistics of what is odd: a run beside other shards, columns of any name and type, files that are torn."""

import gzip
import json
import shutil

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from typer.testing import CliRunner

from chejil.cli import app
from chejil.curation import manifest
from chejil.curation.statistics import tallies, view
from chejil.curation.statistics.counting import Settings
from chejil.curation.statistics.statistics import collect
from chejil.errors import ChejilError


def write_lines(path, *records):
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), "utf-8")
    return str(path)


def write_table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return str(path)


def groups_of(found, name):
    return {group.values[name]: group for group in found.groups}


def test_a_run_may_be_grouped_by_what_it_kept(small_run):
    """What fell is not counted as kept."""
    found = groups_of(collect([small_run], Settings(by=("kept",))), "kept")

    assert (found["true"].kept, found["true"].documents) == (manifest.read(small_run).kept,) * 2
    assert (found["false"].kept, found["false"].kept_bytes) == (0, 0)
    assert found["false"].documents > 0


@pytest.mark.parametrize("kept", [[True, False, None], [1, 0, 1], ["yes", "no", "no"]])
def test_a_column_that_is_called_kept_makes_no_run(tmp_path, kept):
    """It is a column as any other, to group by and to count."""
    path = write_table(tmp_path / "a.parquet", text=["a", "b", "b"], kept=kept)

    found = collect([path], Settings(by=("kept",)))

    assert (found.kind, found.is_run, found.total.kept) == ("shards", False, None)
    assert sum(group.documents for group in found.groups) == 3
    assert found.duplicates["exact"]["copies"] == 1


def test_a_run_beside_other_shards_is_told_apart(small_run, tmp_path):
    """Duplicates of each by themselves, shares of what was compared, kept of what was judged."""
    path = write_lines(tmp_path / "a.jsonl", *[{"text": "등대", "lang": "sea"}] * 3)  # "lighthouse"
    alone, run, both = collect([path]), collect([small_run]), collect([small_run, path])

    assert alone.duplicates["exact"]["copies"] == 2
    assert both.duplicates["exact_of_shards"] == alone.duplicates["exact"]
    assert both.duplicates["exact_of_shards"]["share"] == 2 / 3
    assert {kind: both.duplicates[kind] for kind in run.duplicates} == run.duplicates
    assert (both.total.judged, both.total.kept) == (run.documents, run.total.kept)
    assert groups_of(both, "lang")["sea"].kept is None
    assert f"{run.total.kept:,} kept of {run.documents:,} in runs" in view.headline(both)


def test_a_torn_file_of_records_is_named(tmp_path, capsys):
    """What stands before the tear counts; the exit code is that of `run`."""
    lines = b"".join(orjson.dumps({"text": f"{i} {hash_of(i)}"}) + b"\n" for i in range(1000))
    whole = gzip.compress(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    done = CliRunner().invoke(app, ["stats", str(tmp_path), "--workers", "1"])
    found = collect([str(tmp_path)])

    assert done.exit_code == 3
    assert "torn: a.jsonl.gz" in done.stdout
    assert "torn_stream" in done.stdout
    assert 0 < found.documents < 1000
    assert found.as_dict()["torn"] == ["a.jsonl.gz"]


def hash_of(number):
    return xxhash.xxh3_64_hexdigest(str(number).encode())


@pytest.mark.parametrize(
    "content", [b"\x00\xff\x12", b'[\n {\n  "text": "a"\n }\n]', b'[{"text": "a"}]', b"plain"]
)
def test_what_holds_no_records_could_not_be_read(tmp_path, content):
    """Not a file of one flawed record; the others are counted."""
    (tmp_path / "a.jsonl").write_bytes(content)
    write_lines(tmp_path / "b.jsonl", {"text": "b"})

    found = collect([str(tmp_path)])

    assert [row["file"] for row in found.failed] == ["a.jsonl"]
    assert "jq" in found.failed[0]["mend"]
    assert found.documents == 1
    assert not found.part.quarantined


def test_a_record_whose_text_is_null_is_a_record(tmp_path):
    """A file of such alone was read."""
    found = collect([write_lines(tmp_path / "a.jsonl", {"text": None})])

    assert (found.failed, found.documents, found.part.quarantined) == ([], 0, {"null_text": 1})


def test_a_run_without_a_table_that_it_names_is_not_whole(small_run, tmp_path):
    """Its signals are not taken for signals that were never measured."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    gone = min((root / "signals").rglob("*.parquet"))
    rows = pq.read_metadata(gone).num_rows
    gone.unlink()

    found = collect([str(root)])

    assert [row["where"] for row in found.failed] == [str(gone)]
    assert "gone" in found.failed[0]["what"]
    assert found.documents == collect([small_run]).documents - rows


@pytest.mark.parametrize("name", ["my field", "my-field", "a.b", "it's", "필드"])  # "field"
def test_any_field_of_records_can_be_grouped_by(tmp_path, name):
    """Whatever it is called; each row by itself, and an unknown one is refused."""
    records = [{"text": str(i), name: ["x", "y"][i % 2]} for i in range(4)]
    path = write_lines(tmp_path / "a.jsonl", *records)

    found = groups_of(collect([path], Settings(by=(name,))), name)

    assert {value: group.documents for value, group in found.items()} == {"x": 2, "y": 2}
    with pytest.raises(ChejilError, match=r"no record has 'nosuch'.*\n  mend:"):
        collect([path], Settings(by=(name, "nosuch")))


def test_a_date_is_looked_for_in_each_record(tmp_path):
    """Not in the column that has one anywhere in the batch."""
    records = [{"text": "a", "timestamp": "2024-05-01"}, {"text": "b", "date": "2023-01-02"}]
    path = write_lines(tmp_path / "a.jsonl", *records)

    assert collect([path]).part.tallies["month"] == {"2024-05": 1, "2023-01": 1}


@pytest.mark.parametrize(
    ("column", "kept", "reasons"),
    [
        (pa.array(["a", None, "b"]), 2, {"null_text": 1}),
        (pa.nulls(3), 0, {"null_text": 3}),
        (pa.array([1, 2, None]), 0, {"null_text": 1, "text_not_string": 2}),
        (pa.array([["a"], ["b"], ["c"]]), 0, {"text_not_string": 3}),
        (pa.array([{"a": 1}] * 3), 0, {"text_not_string": 3}),
        (pa.array([b"a", b"\xff", None]), 1, {"invalid_utf8": 1, "null_text": 1}),
        (pa.array(["a", None, "a"]).dictionary_encode(), 2, {"null_text": 1}),
        (pa.array(["a", None, "a"], pa.string_view()), 2, {"null_text": 1}),
        (pa.array([b"a", b"b", b"c"]), 3, {}),
    ],
)  # fmt: skip
def test_a_text_that_is_none_goes_to_the_quarantine(tmp_path, column, kept, reasons):
    """For the reason that a run gives; the other columns of its row are not counted either."""
    found = collect([write_table(tmp_path / "a.parquet", text=column, x=[1, 2, 3])])

    assert found.failed == []
    assert (found.documents, found.part.quarantined) == (kept, reasons)
    assert found.names == ["x", "num_bytes", "num_chars", "num_words"]
    assert found.summary("x").count == kept


@pytest.mark.parametrize("name", ["timestamp", "lang", "url", "license"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, None], pa.time64("us")),
        pa.array([1, 2, None], pa.duration("s")),
        pa.array([1, 2, None]),
        pa.array([b"\xff", b"ko", None]),
        pa.array([b"\xff", b"ko", None]).dictionary_encode(),
        pa.array([[1], None, []]),
    ],
)
def test_words_of_any_type_stop_nothing(tmp_path, name, column):
    """Neither tallied nor grouped by."""
    path = write_table(tmp_path / "a.parquet", text=["a", "b", "c"], **{name: column})

    found = collect([path], Settings(by=("source", "lang")))

    assert (found.failed, found.documents) == ([], 3)
    if name in ("timestamp", "url") and pa.types.is_integer(column.type):
        assert found.summary(name).high == 2
        assert name not in found.part.tallies


def test_a_column_that_stands_twice_stops_its_file(tmp_path):
    """None of the two is the one that is meant."""
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), tmp_path / "a.parquet")

    (failed,) = collect([str(tmp_path)]).failed

    assert failed["what"] == "column 'x' stands twice"
    assert failed["where"].endswith("a.parquet")


@pytest.mark.parametrize(
    ("values", "mean"), [([1e308] * 3, 1e308), ([-1e308] * 3, -1e308), ([-1e308, 1e308, 1e308, -1e308], 0)]
)
def test_sums_and_spans_beyond_the_largest_float(tmp_path, values, mean):
    """Their mean is within, and so are the bars."""
    summary = collect([write_table(tmp_path / "a.parquet", x=values)]).summary("x")

    assert summary.mean == mean
    assert sum(summary.drawn(16).counts) == len(values)


def test_infinities_are_told(tmp_path):
    """Beside the nulls."""
    found = collect([write_table(tmp_path / "a.parquet", x=[1.0, float("nan"), float("inf"), float("-inf")])])

    assert view.nulls(found.summary("x")) == "25.0%, ±∞ 50.0%"


def test_a_name_with_brackets_is_a_name(tmp_path):
    """The shell put it in the place of a `*`; beside it lies what it would match."""
    odd = write_lines(tmp_path / "br[1].jsonl", {"text": "a b"})
    assert collect([odd]).total.words == 2

    write_lines(tmp_path / "br1.jsonl", {"text": "a b c"})

    assert collect([odd]).total.words == 2
    assert collect([f"{tmp_path}/br[0-9].jsonl"]).total.words == 3


def test_what_is_no_address_has_no_host():
    """Scripts, schemes without one, numbers; an address in brackets is one."""
    urls = ["http://[::1]:80/x", "a.example:80/x", "//b.example"]
    none = ["http://", "javascript:alert(1)", "mailto:a@b.example", "17"]

    hosts = tallies.tally("url", pa.array([*urls, *none]))

    assert hosts == {"[::1]": 1, "a.example": 1, "b.example": 1, None: 4}
