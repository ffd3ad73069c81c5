"""Statistics of what is odd: a run beside other shards, columns of any name and type, files that are torn."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chejil.curation import manifest
from chejil.curation.statistics import view
from chejil.curation.statistics.counting import Settings
from chejil.curation.statistics.statistics import collect


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
