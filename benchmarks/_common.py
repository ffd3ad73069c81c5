"""What all benchmarks share: the texts, the clock, and the printing of a table or one JSON object."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arguments(about: str) -> argparse.Namespace:
    """`--json`, `--corpus`, `--megabytes`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    default = os.environ.get("CHEJIL_CORPUS", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument(
        "--corpus", default=default, help="folder with mc4-ko/ and c4-en/ shards in mC4's shape"
    )
    parser.add_argument("--megabytes", type=float, default=20, help="text of each language that ours reads")
    return parser.parse_args()


def texts(corpus: str, folder: str, megabytes: float) -> list[str]:
    """Shuffled documents of all shards of a folder, up to that many megabytes of UTF-8."""
    documents = []
    for path in sorted(Path(corpus, folder).glob("*.json.gz")):
        with gzip.open(path, "rb") as stream:
            documents += [json.loads(line)["text"] for line in stream]
    if not documents:
        sys.exit(f"no shards in {corpus}/{folder}: give --corpus")
    random.Random(1).shuffle(documents)
    return head(documents, megabytes)


def head(documents: list[str], megabytes: float) -> list[str]:
    """The first documents, up to that many megabytes of UTF-8."""
    chosen, left = [], megabytes * 1e6
    for text in documents:
        left -= len(text.encode())
        if left < 0 and chosen:
            break
        chosen.append(text)
    return chosen


def size_mb(documents: list[str]) -> float:
    """Megabytes of UTF-8."""
    return sum(len(text.encode()) for text in documents) / 1e6


def seconds(
    action: Callable[[], Any], runs: int, warm: bool = True, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median of several runs, after one that is not counted.

    `clock`: time.process_time where all work is done in this process, so that other work of the machine counts less.
    """
    if warm:
        action()
    times = []
    for _ in range(runs):
        start = clock()
        action()
        times.append(clock() - start)
    return statistics.median(times)


def row(case: str, ours: float, peer: float | None, peer_name: str, unit: str = "MB/s") -> dict[str, Any]:
    """One line of the table; without a peer there is no ratio."""
    ratio = None if peer is None else ours / peer
    return {"case": case, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "ratio": ratio}


def show(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print the table, or the JSON object."""
    if as_json:
        print(json.dumps({"name": name, "rows": rows}, ensure_ascii=False))
        return
    print(f"{'case':<44}{'ours':>10}{'peer':>10}{'ratio':>9}  unit   peer")
    for r in rows:
        peer = "–" if r["peer"] is None else f"{r['peer']:.3g}"
        ratio = "–" if r["ratio"] is None else f"{r['ratio']:.3g}"
        print(f"{r['case']:<44}{r['ours']:>10.4g}{peer:>10}{ratio:>9}  {r['unit']:<6} {r['peer_name']}")


def one_core() -> None:
    """Pin this process to one core, before any library has started its threads."""
    for name in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
