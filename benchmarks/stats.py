"""`chejil stats` over a table of signals, beside what gives the same numbers for Parquet: DuckDB and Polars.

The table is made here, in the form of a run's signals/: 30 columns (20 float64, 10 int64) of the kinds that real runs
have (shares that are quotients of counts, many of them 0, means, heavy-tailed counts), `source` and `lang`, in row
groups of 65,536 rows, compressed as a run does it, without dictionaries for numbers. Ours gives, by source and
language and for all, counts, nulls, extremes, means, seven quantiles and a histogram a column. DuckDB's SUMMARIZE gives
them once for the whole table (approximate quantiles, no histogram); Polars gives exact quantiles of the whole table,
which it holds in memory. One core; `--rows 50000000 --workers 2` is the run that docs/log.md tells of. MB are those of
the file; a value is 8 bytes decoded and 3.2 in the file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _common import one_core, row, show  # isort: skip

_parser = argparse.ArgumentParser(description=__doc__)
_parser.add_argument("--json", action="store_true", help="print one JSON object")
_parser.add_argument("--rows", type=int, default=2_000_000)
_parser.add_argument("--workers", type=int, default=1, help="of ours; peers are left out above one")
_parser.add_argument("--folder", help="keep the table here, and take it from here")
_arguments = _parser.parse_args() if __name__ == "__main__" else _parser.parse_args([])
if _arguments.workers == 1:
    one_core()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

FILE_ROWS, GROUP_ROWS = 1 << 21, 1 << 16
FLOATS, INTEGERS = 20, 10
SOURCES = np.array(["web-ko", "web-en", "law-ko", "bills-ko", "wiki-ko", "books-en"])
LANGS = np.array(["ko", "en", "mixed", "other"])


def signals(seed: int, rows: int) -> pa.Table:
    """A row group: words of each document first, and counts and shares of them, as signals are made."""
    rng = np.random.default_rng(seed)
    words = 1 + rng.lognormal(5, 1.2, rows).astype(np.int64)
    columns = {}
    for number in range(INTEGERS):
        columns[f"count_{number}"] = words if number == 0 else rng.binomial(words, 0.3 / 2**number)
    for number in range(FLOATS):
        part = rng.binomial(words, 0.9 / (number + 1) ** 2)
        columns[f"share_{number}"] = part / words if number % 5 else np.sqrt(part + 1.0) * 3.7
    columns["share_7"][rng.random(rows) < 0.02] = np.nan
    table = pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
    table = table.append_column("source", pa.array(SOURCES[rng.integers(0, len(SOURCES), rows)]))
    return table.append_column("lang", pa.array(LANGS[rng.integers(0, len(LANGS), rows)]))


def write_table(folder: str, rows: int) -> None:
    """Files of two million rows; drawing numbers takes longer than all else, so 16 row groups take turns."""
    from chejil.curation import shards
    from chejil.curation.scoring import COMPRESSION

    some = [signals(seed, GROUP_ROWS) for seed in range(16)]
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        left = min(FILE_ROWS, rows - first)
        groups = [
            some[(place + number) % 16].slice(0, min(GROUP_ROWS, left - place * GROUP_ROWS))
            for place in range(-(-left // GROUP_ROWS))
        ]
        name = f"signals-{number:03}.parquet"
        shards.write_shard(folder, name, groups, some[0].schema, compression=COMPRESSION)


def ours(folder: str, workers: int) -> None:
    from chejil.curation.statistics.counting import Settings
    from chejil.curation.statistics.statistics import collect

    found = collect([folder], Settings(text=False), workers)
    found.as_dict()


def duckdb(folder: str) -> None:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"SUMMARIZE SELECT * FROM '{folder}/*.parquet'").fetchall()


def polars(folder: str) -> None:
    import polars as pl

    numbers = pl.selectors.numeric()
    quantiles = [numbers.quantile(q).name.suffix(f"_{q}") for q in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)]
    others = [
        getattr(numbers, name)().name.suffix(f"_{name}") for name in ("null_count", "min", "max", "mean")
    ]
    pl.scan_parquet(f"{folder}/*.parquet").select(*quantiles, *others).collect()


def best(action: Callable[[], None], clock: Callable[[], float], runs: int = 3) -> float | None:
    """Least seconds of some runs; None where a package is missing."""
    times = []
    try:
        for _ in range(runs):
            start = clock()
            action()
            times.append(clock() - start)
    except ImportError as error:
        print(f"no peer: {error}", file=sys.stderr)
        return None
    return min(times)


def measure(folder: str) -> None:
    rows, workers = _arguments.rows, _arguments.workers
    if not any(Path(folder).glob("*.parquet")):
        write_table(folder, rows)
    size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet")) / 1e6
    if workers > 1:
        seconds = best(lambda: ours(folder, workers), time.perf_counter, runs=1)
        assert seconds is not None
        case = f"{rows / 1e6:g} million rows, 30 columns, {workers} workers"
        show("stats", [row(case, seconds, None, "", "s")], _arguments.json)
        return
    ours(folder, 1)  # compiles
    mine = best(lambda: ours(folder, 1), time.process_time)
    assert mine is not None
    table = []
    for name, peer in (("DuckDB SUMMARIZE", duckdb), ("Polars, exact quantiles", polars)):
        theirs = best(lambda peer=peer: peer(folder), time.process_time)
        table.append(row(f"signals, {size:.0f} MB of Parquet", size / mine, theirs and size / theirs, name))
        table.append(row("the same", rows / mine / 1e6, theirs and rows / theirs / 1e6, name, "Mrow/s"))
    show("stats", table, _arguments.json)


if __name__ == "__main__":
    if _arguments.folder:
        measure(_arguments.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="chejil-stats-") as made:
            measure(made)
