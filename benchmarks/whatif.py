"""`chejil whatif` on a generated signal table: seconds and peak memory, beside one Polars query with the same bounds.

The run-like folder is made here: shards of a million documents in row groups of 8,192, 30 bounded signals (the first
30 that the preset `koen` bounds for Korean and English), 1.5 % of the values outside each bound. Only `--different`
shards are drawn; the others are links to them, so the table fits on a small disk and into the page cache: what is
measured is decoding and counting, not the disk. With `--clustered 0.2` a fifth of the documents are in near-duplicate
clusters of two to four, with members and verdicts of their own in every shard, and survivors are chosen again.

The peer is one lazy Polars query over the same files: documents kept before and after, by language. It gives no
reasons, no bytes, no effect of each rule, no samples and no survivors.

    python benchmarks/whatif.py --documents 50_000_000 --workers 2 --folder /somewhere/with/8/GB
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import yaml

from chejil.curation import check, manifest, marked_yaml, shards
from chejil.curation.dedup.choices import MARKS
from chejil.curation.dedup.survivors import members_schema
from chejil.curation.executors.local import Executor
from chejil.curation.manifest import Manifest
from chejil.curation.side_tables import fixed_bytes
from chejil.curation.whatif import whatif
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.totals import funnel_rows
from chejil.filters import preset_bounds
from chejil.filters.bounds import Bound
from chejil.filters.catalogue import LANGUAGES, SIGNALS

ROWS, GROUP = 1_000_000, 8192
NUM_BOUNDS, OUTSIDE = 30, 0.015
CHANGE = ["stages.filter.bounds.ko.num_words.low=60", "stages.filter.bounds.en.mean_word_chars.high=9"]
SKETCH_WORDS = 8


def bounds() -> dict[str, dict[str, Bound]]:
    """Language -> signal -> bound."""
    preset = preset_bounds.preset("koen").languages
    names = [name for name in SIGNALS if name in preset["ko"] and name in preset["en"]][:NUM_BOUNDS]
    return {lang: {name: preset[lang][name] for name in names} for lang in ("ko", "en")}


def recipe(folder: Path, clustered: float) -> str:
    """The recipe of the run that is feigned."""
    limits = {
        lang: {name: {"low": b.low, "high": b.high} for name, b in by_signal.items()}
        for lang, by_signal in bounds().items()
    }
    wanted = {**limits, "mixed": "keep", "other": "drop", "unknown": "drop"}
    stages: list[Any] = [
        "normalise",
        {"score": {"signals": list(limits["ko"])}},
        {"filter": {"bounds": wanted}},
    ]
    stages += ["near_dedup"] if clustered else []
    source = {"format": "parquet", "paths": "*.parquet"}
    sources = {"web": source, "books": source}
    return yaml.safe_dump(
        {"name": "whatif", "data": str(folder), "sources": sources, "stages": [*stages, "write"]},
        sort_keys=False,
    )


def column(name: str, lang: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values of a signal: shares as quotients of counts, so that they compress as real ones do."""
    low, high = np.zeros(len(lang)), np.ones(len(lang))
    is_count = SIGNALS[name].kind == "count"
    for code, by_signal in enumerate(bounds().values()):
        bound, here = by_signal[name], lang == code
        top = 1.0 if SIGNALS[name].kind in ("share", "score") else 40 * (bound.low or 1)
        low[here] = bound.low or 0.0
        high[here] = top if bound.high is None else bound.high
    inside = low + (high - low) * rng.random(len(lang)) ** 2
    values = np.where(rng.random(len(lang)) < OUTSIDE, np.where(low > 0, low * 0.8, high * 1.2), inside)
    return np.ceil(values).astype(np.int64) if is_count else np.ceil(values * words) / words


def signals(rng: np.random.Generator) -> pa.Table:
    """A shard's signals."""
    lang = rng.choice(5, ROWS, p=[0.5, 0.42, 0.03, 0.03, 0.02])
    words = rng.integers(30, 1500, ROWS)
    columns = {name: pa.array(column(name, lang, words, rng), SIGNALS[name].type) for name in bounds()["ko"]}
    names = pa.array([*LANGUAGES[:4], None])
    columns |= {"num_chars": pa.array(words * 5), "lang": names.take(pa.array(lang)).cast(pa.string())}
    return pa.table(columns)


def write(root: str, path: str, table: pa.Table, group: int = GROUP) -> None:
    """A table in row groups, as a run writes them."""
    slices = (table.slice(start, group) for start in range(0, table.num_rows, group))
    shards.write_shard(root, path, slices, table.schema)


def draw(root: str, shard: str, number: int) -> None:
    """Signals, decisions and documents of one shard."""
    rng = np.random.default_rng(number)
    ids = pa.array([f"{shard}#{row:07}" for row in range(ROWS)])
    table = signals(rng)
    write(root, f"signals/{shard}.parquet", table.add_column(0, "id", ids))
    size = pa.array(rng.lognormal(7.5, 1, ROWS).astype(np.int64))
    none = pa.array([[]] * GROUP, pa.list_(pa.string()))
    reasons = pa.chunked_array([none.slice(0, min(GROUP, ROWS - s)) for s in range(0, ROWS, GROUP)])
    write(root, f"decisions/{shard}.parquet", pa.table({"id": ids, "num_bytes": size, "reasons": reasons}))
    text = pa.array([f"문서 {row}" for row in range(ROWS)], pa.large_string())  # "document 17"
    write(root, f"documents/{shard}.parquet", pa.table({"id": ids, "text": text}))


def cluster(root: str, shard: str, number: int, share: float, passes: np.ndarray) -> None:
    """Members and verdicts of a near-deduplication whose clusters lie within a shard."""
    rng = np.random.default_rng(10_000 + number)
    rows = np.sort(rng.choice(ROWS, int(share * ROWS), replace=False)).astype(np.int32)
    starts = np.cumsum(rng.integers(2, 5, len(rows)))
    group = np.searchsorted(starts, np.arange(len(rows)), "right")
    names = rng.integers(1, 1 << 63, group[-1] + 1, dtype=np.uint64)
    sketch = rng.integers(0, 1 << 63, (group[-1] + 1, SKETCH_WORDS), dtype=np.uint64)[group]
    table = pl.DataFrame({
        "cluster": names[group], "row": rows, "id": [f"{shard}#{row:07}" for row in rows], "alive": passes[rows],
        "worth": rng.lognormal(7.5, 1, len(rows)).round(),
    }).with_columns(cluster_size=pl.len().over("cluster").cast(pl.Int32))  # fmt: skip
    best = (
        pl.col("id").sort_by(["alive", "worth", "id"], descending=[True, True, False]).first().over("cluster")
    )
    table = table.with_columns(duplicate_of=pl.when(pl.col("alive") & (pl.col("id") != best)).then(best))
    order = np.argsort(table["cluster"].to_numpy(), kind="stable")
    members = table.to_arrow().append_column("sketch", fixed_bytes(sketch)).take(pa.array(order))
    schema = members_schema(SKETCH_WORDS)
    members = members.select(schema.names).cast(schema)
    shards.write_shard(root, f"work/near_dedup/members/{shard}.parquet", [members], schema, key="cluster")
    marks = table.with_columns(cluster=pl.col("cluster").cast(pl.String), similarity=pl.lit(1.0, pl.Float32))
    marks = marks.select(MARKS.names).to_arrow().cast(MARKS)
    shards.write_shard(root, f"work/near_dedup/verdicts/{shard}.parquet", [marks], MARKS)


def make(folder: Path, documents: int, different: int, clustered: float, workers: int) -> str:
    """The run-like folder; returns its path."""
    root = str(folder / f"run-{documents}-{different}-{clustered}")
    if Path(root, "made").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    names = [f"{'web' if n % 2 else 'books'}/{n:05}.parquet" for n in range(-(-documents // ROWS))]
    loaded = check.check(marked_yaml.read(recipe(folder, clustered), "whatif.yaml"), (), only=["filter"])
    shards.write_bytes(root, "recipe.yaml", loaded.resolved().encode())
    for number, shard in enumerate(names):
        if number < different:
            draw(root, shard, number)
            continue
        for kind in ("signals", "decisions", "documents"):
            link = Path(root, kind, f"{shard}.parquet")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(root, kind, f"{names[number % different]}.parquet"))
    inputs = [{"shard": shard, "documents": ROWS, "records": ROWS, "quarantined": {}} for shard in names]
    said = Manifest("whatif", "", {}, inputs, [], [], {}, [])
    shards.write_json(root, manifest.PATH, said.as_dict())
    question = Question.of(root)
    if clustered:
        passing: dict[int, np.ndarray] = {}
        for number, shard in enumerate(names):
            if number % different not in passing:
                batch = shards.read_shard(shards.join(root, f"signals/{shard}.parquet"))
                words = question.before.judge({n: batch[n] for n in batch.column_names}, shard.split("/")[0])
                passing[number % different] = ~words.any(axis=1)
            cluster(root, shard, number, clustered, passing[number % different])
    with Executor(workers) as executor:
        counts = whatif._counts(question, executor, None)
    said.funnel = funnel_rows(counts.funnels, (*question.before.reasons, *question.late), "before")
    shards.write_json(root, manifest.PATH, said.as_dict())
    Path(root, "made").touch()
    return root


def failing(by_language: dict[str, dict[str, Bound]]) -> pl.Expr:
    """The filter as one expression."""
    ways = [pl.col("lang").is_null() | (pl.col("lang") == "other")]
    for lang, by_signal in by_language.items():
        for name, bound in by_signal.items():
            outside = pl.col(name).is_null()
            outside |= pl.lit(False) if bound.low is None else pl.col(name) < bound.low
            outside |= pl.lit(False) if bound.high is None else pl.col(name) > bound.high
            ways.append((pl.col("lang") == lang) & outside)
    return pl.any_horizontal(*(way.fill_null(False) for way in ways))


def peer(root: str) -> list[dict[str, Any]]:
    """Kept before and after by language, in one lazy query."""
    changed = bounds()
    changed["ko"]["num_words"] = Bound(60, changed["ko"]["num_words"].high)
    changed["en"]["mean_word_chars"] = Bound(changed["en"]["mean_word_chars"].low, 9)
    scan = pl.scan_parquet(f"{root}/signals/*/*.parquet")
    rows = scan.with_columns(before=~failing(bounds()), after=~failing(changed))
    found = rows.group_by("lang").agg(pl.len(), pl.col("before").sum(), pl.col("after").sum())
    return found.sort("lang").collect(engine="streaming").to_dicts()


def measured(command: list[str]) -> dict[str, Any]:
    """Seconds on the clock and of the processors, and the peak memory of all processes together, from /proc."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{command[1:4]} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_GB": round(peak / 1e9, 2)}


def _resident(pid: int) -> int:
    """Bytes of a process and of all that it started, shared pages counted once each."""
    total = 0
    for child in _family(pid):
        try:
            text = Path(f"/proc/{child}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def _family(pid: int) -> list[int]:
    try:
        text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return [pid]
    return [pid, *(one for child in text.split() for one in _family(int(child)))]


def main() -> None:
    """Make the table if it is not there, measure, print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=50_000_000)
    parser.add_argument("--different", type=int, default=4)
    parser.add_argument("--clustered", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peer", action="store_true", help="Only the peer's query, in this process.")
    given = parser.parse_args()
    root = make(given.folder, given.documents, given.different, given.clustered, given.workers)
    if given.peer:
        print(json.dumps(peer(root)))
        return
    os.environ["POLARS_MAX_THREADS"] = str(given.workers)
    ours = [sys.executable, "-m", "chejil", "whatif", root, "--workers", str(given.workers)]
    for setting in CHANGE:
        ours += ["--set", setting]
    theirs = [sys.executable, __file__, *sys.argv[1:], "--peer"]
    print(json.dumps({"chejil": measured(ours), "polars": measured(theirs)}, indent=2))


if __name__ == "__main__":
    main()
