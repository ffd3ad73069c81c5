"""Near-deduplication of millions of short documents: seconds and peak memory by stage, and bytes of disk a document.

The documents are made here, a shard at a time, and not stored in the repository: sentences of 20 to 60 words from a
vocabulary whose ranks follow Zipf's law; of every ten documents three are copies of an earlier one of their shard or of
another, with one word in fifty changed. There is no peer: at this size they run for days or not at all.

    python benchmarks/scale.py --documents 10_000_000 --workers 2 --folder /somewhere/with/40/GB
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chejil.curation import check, marked_yaml
from chejil.curation.run import run

WORDS, COPIES, CHANGED = 200_000, 0.3, 0.02
RECIPE = """
name: scale
data: {folder}/shards
sources: {{made: {{format: parquet, paths: "*.parquet"}}}}
stages: [normalise, near_dedup, write]
"""


def vocabulary() -> pa.Array:
    """Different Hangul words of two to four syllables."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0xAC00, 0xD7A4, (WORDS, 4))
    lengths = rng.integers(2, 5, WORDS)
    return pa.array(["".join(map(chr, row[:size])) for row, size in zip(codes, lengths, strict=True)])


def write_shard(path: Path, number: int, documents: int, words: pa.Array) -> None:
    """A shard of documents; those that are copies are copies of documents of shard 0 or of this one."""
    rng, common = np.random.default_rng(number + 1), np.random.default_rng(1)
    lengths = rng.integers(20, 61, documents)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ranks = _zipf(rng, int(starts[-1]))
    shared = _zipf(common, 60 * 1000).reshape(1000, 60)  # a thousand pages that every shard has copies of
    for doc in np.flatnonzero(rng.random(documents) < COPIES):
        place = slice(starts[doc], starts[doc + 1])
        if doc % 10 == 0:
            ranks[place] = shared[rng.integers(1000), : lengths[doc]]
        else:
            other = int(rng.integers(documents))
            size = min(lengths[doc], lengths[other])
            ranks[starts[doc] : starts[doc] + size] = ranks[starts[other] : starts[other] + size]
        changed = rng.random(lengths[doc]) < CHANGED
        ranks[place] = np.where(changed, _zipf(rng, int(lengths[doc])), ranks[place])
    lists = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), words.take(pa.array(ranks)))
    pq.write_table(
        pa.table({"text": pa.compute.binary_join(lists, " ")}),
        path,
        compression="zstd",
        row_group_size=50_000,
    )


def _zipf(rng: np.random.Generator, size: int) -> np.ndarray:
    """Ranks below WORDS, the first as often as all of a decade of later ones."""
    return np.minimum(WORDS * rng.random(size) ** 3, WORDS - 1).astype(np.int64)


class Clock:
    """Progress that keeps each stage's seconds, and the most memory that this process and its workers held in it."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self, stage: str, units: int, done: int, weights: object = None) -> None:
        """A stage begins."""
        self.rows.append({"stage": stage, "units": units, "seconds": time.perf_counter(), "peak_mb": 0.0})

    def advance(self, stage: str, name: str, error: str | None = None, work: object = None) -> None:
        """A unit is done."""
        if error:
            raise SystemExit(f"{stage} {name}: {error}")

    def finish(self, stage: str) -> None:
        """A stage ends."""
        row = self.rows[-1]
        row["seconds"] = round(time.perf_counter() - row["seconds"], 1)
        print(
            f"{row['stage']:24} {row['units']:5} units {row['seconds']:9.1f} s {row['peak_mb']:9.0f} MB",
            flush=True,
        )

    def say(self, text: str) -> None:
        """What one should know meanwhile."""
        print(text, flush=True)

    def _watch(self) -> None:
        while True:
            if self.rows:
                own = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
                self.rows[-1]["peak_mb"] = max(self.rows[-1]["peak_mb"], sum(map(_resident_mb, own)))
            time.sleep(0.2)


def _resident_mb(pid: int) -> float:
    """Memory of a process that is not shared with a file."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Make the shards that are not there yet, run, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--shard", type=int, default=250_000, help="documents of a shard")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("scale"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder, words = options.folder.resolve(), vocabulary()
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    for number in range(-(-options.documents // options.shard)):
        path = folder / "shards" / f"{number:05}.parquet"
        if not path.exists():
            size = min(options.shard, options.documents - number * options.shard)
            write_shard(path.with_suffix(".tmp"), number, size, words)
            path.with_suffix(".tmp").rename(path)
    shutil.rmtree(folder / "run", ignore_errors=True)
    clock = Clock()
    found = run(
        check.check(marked_yaml.read(RECIPE.format(folder=folder), "scale.yaml")),
        str(folder / "run"), options.workers, clock,
    )  # fmt: skip
    sizes = {"input": _bytes(folder / "shards"), "work": _bytes(folder / "run" / "work" / "near_dedup")}
    total = {"documents": found.documents, "kept": found.kept, **sizes}
    print(total)
    if options.json:
        rows = [
            {"case": row["stage"], "ours": row["seconds"], "peer": None, "peer_name": "", "unit": "s", "ratio": None,
             "peak_mb": row["peak_mb"]}
            for row in clock.rows
        ]  # fmt: skip
        print(json.dumps({"name": "scale", "rows": rows, **total}))


if __name__ == "__main__":
    main()
