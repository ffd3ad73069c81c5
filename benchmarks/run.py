"""The whole of `chejil run` on one core, from json.gz to clean Parquet, beside a datatrove pipeline of filters alone.

Ours reads, normalises, scores, filters, deduplicates exactly and nearly, and writes with hashes and a manifest; the
peer's pipeline reads, judges by its four heuristic filters, and writes. Compiled kernels are warm, as in any second
run; each of ours is a new process and a new folder.
"""

from __future__ import annotations

from _common import arguments, head, one_core, row, seconds, show, size_mb, texts  # isort: skip

one_core()

import gzip  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

from signals import PEER_MEGABYTES, peer_filters  # noqa: E402

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "demo.yaml"


def ours(documents: list[str], folder: Path) -> float:
    """MB/s of the demo recipe's stages over one shard, each run a new process."""
    write_shard(documents, folder / "data" / "mc4-ko" / "c4-ko.00000.json.gz")
    only_one = 'sources={web: {format: mc4, paths: "mc4-ko/*.json.gz", html_entities: true}}'
    runs = iter(range(100))

    def run() -> None:
        command = [sys.executable, "-m", "chejil", "run", str(RECIPE), "--workers", "1"]
        command += [
            "--set",
            f"data={folder / 'data'}",
            "--set",
            only_one,
            "--out",
            str(folder / f"run-{next(runs)}"),
        ]
        subprocess.run(command, check=True, capture_output=True)

    return size_mb(documents) / seconds(run, runs=3)


def datatrove(documents: list[str], folder: Path, language: str) -> float | None:
    """MB/s of reader, four filters and writer in this process, or None if datatrove is not installed."""
    try:
        from datatrove.executor import LocalPipelineExecutor
        from datatrove.pipeline.readers import JsonlReader
        from datatrove.pipeline.writers import JsonlWriter
    except ImportError:
        return None
    write_shard(documents, folder / "peer" / "00000.json.gz")
    filters = [keep.__self__ for keep in peer_filters(language)]

    def run() -> None:
        steps = [JsonlReader(str(folder / "peer")), *filters, JsonlWriter(str(folder / "out"))]
        LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(folder / "log")).run()

    return size_mb(documents) / seconds(run, runs=1, warm=False)


def write_shard(documents: list[str], path: Path) -> None:
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wb") as stream:
        for text in documents:
            record = {"text": text, "timestamp": "2024-01-01T00:00:00Z", "url": "https://a.example/"}
            stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    rows = []
    for language, shards in (("ko", "mc4-ko"), ("en", "c4-en")):
        documents = texts(options.corpus, shards, options.megabytes)
        with tempfile.TemporaryDirectory() as folder:
            peer = datatrove(head(documents, PEER_MEGABYTES), Path(folder), language)
            rows.append(
                row(f"json.gz to clean shards, {language}", ours(documents, Path(folder)), peer, "datatrove")
            )
    show("run", rows, options.json)


if __name__ == "__main__":
    main()
