"""Packing and loading: padding and cuts beside nanochat's cropping, the cost of the index, tokens a second.

    python benchmarks/packing.py --tokens tokens/       # any folder of token shards

Nanochat's packer is written here from its description (nanochat/dataloader.py: of a buffer of 1,000 documents the
longest that fits; where none fits the shortest is cropped), over the same documents in the same order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from typing import Any

import numpy as np

from chejil.training.data import shuffling
from chejil.training.data.batches import Batches
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.packing import num_cut, num_rows
from chejil.training.data.row_index import windows_of
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.data.token_streams import Stream

WINDOWS = (1 << 20, 1 << 22, 1 << 24, 1 << 26)
INDEX_DOCUMENTS = 2_000_000


def lengths_of(corpus: TokenCorpus) -> dict[str, np.ndarray]:
    """Lengths of the documents of each stream, and of all, shuffled."""
    found = {
        "/".join(name): np.concatenate([np.diff(shard.offsets) for shard in shards])
        for name, shards in corpus.groups.items()
    }
    found["all"] = np.concatenate(list(found.values()))
    return {
        name: one[shuffling.order(len(one), shuffling.key_of("benchmark"))] for name, one in found.items()
    }


def nanochat(lengths: np.ndarray, row_tokens: int, buffer: int = 1000) -> dict[str, float]:
    """Shares of tokens cropped and documents cut by nanochat's packer, rows of row_tokens + 1.

    Its buffer fills with long documents, so the documents are read again and again until 60,000 are in rows; the first
    half is not counted.
    """
    stream, held, taken = itertools.cycle(lengths.tolist()), [], []
    while len(taken) < 60_000:
        free = row_tokens + 1
        while free:
            held += itertools.islice(stream, buffer - len(held))
            fitting = [one for one in held if one <= free]
            one = max(fitting) if fitting else min(held)
            held.remove(one)
            taken.append((one, max(0, one - free)))
            free -= min(one, free)
    sizes, cropped = np.array(taken[30_000:]).T
    return {"cropped": cropped.sum() / sizes.sum(), "cut": float((cropped > 0).mean()), "padded": 0.0}


def ours(lengths: np.ndarray, row_tokens: int, policy: str, window: int) -> dict[str, float]:
    """The same shares of ours, in windows of so many tokens."""
    place = np.cumsum(lengths) // window
    parts = np.split(lengths, np.flatnonzero(np.diff(place)) + 1)
    rows = sum(num_rows(part, row_tokens, policy) for part in parts)
    cut = sum(num_cut(part, row_tokens, policy) for part in parts)
    padded = 1 - int(lengths.sum()) / (rows * row_tokens)
    return {"cropped": 0.0, "cut": cut / len(lengths), "padded": padded}


def packings(corpus: TokenCorpus) -> list[dict[str, Any]]:
    """A row a stream, length of row and packer."""
    found = []
    for name, lengths in lengths_of(corpus).items():
        for row_tokens in (2048, 4096):
            said = {"stream": name, "tokens": int(lengths.sum()), "row": row_tokens}
            found.append({**said, "packer": "nanochat", **nanochat(lengths, row_tokens)})
            found.append({**said, "packer": "concat", **ours(lengths, row_tokens, "concat", WINDOWS[-1])})
            found += [
                {
                    **said,
                    "packer": f"best-fit {window >> 20}M",
                    **ours(lengths, row_tokens, "best-fit", window),
                }
                for window in WINDOWS
            ]
    return found


def loading(corpus: TokenCorpus) -> dict[str, float]:
    """Tokens a second of CPU, the best of five runs of 16 batches of 1 M tokens."""
    batches, best = Batches(DataSettings(), corpus, 256, kept=None), 0.0
    batches.batch(0)
    for run in range(5):
        start = time.process_time()
        for step in range(run * 16, run * 16 + 16):
            batches.batch(step)
        best = max(best, 16 * 256 * 4096 / (time.process_time() - start))
    return {"tokens_per_second": best}


class _Lengths:
    """A shard of which only the lengths of documents are known."""

    def __init__(self, number: int, lengths: np.ndarray) -> None:
        self.root, self.path, self.source, self.lang = "", str(number), "synthetic", "ko"
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.num_documents, self.num_tokens, self.num_bytes = len(lengths), int(lengths.sum()), 0


def index() -> dict[str, float]:
    """Seconds of CPU to count the rows of synthetic documents, log-normal of median 400, in shards of 50,000."""
    random, size = np.random.default_rng(1), 50_000
    shards: Any = [
        _Lengths(number, random.lognormal(6, 1.2, size).astype(np.int64) + 1)
        for number in range(INDEX_DOCUMENTS // size)
    ]
    stream, settings = Stream(shards, 1, 1 << 26), DataSettings()
    windows_of([Stream(shards[:1], 1, 1 << 26)], 4096, settings.packing, "", None)  # compiles
    start = time.process_time()
    windows = windows_of([stream], 4096, settings.packing, "", None)[0]
    seconds = time.process_time() - start
    scale = 1.4e12 / windows.num_tokens
    return {
        "seconds": seconds, "tokens": windows.num_tokens, "windows": len(windows.rows),
        "padded": windows.padded(4096), "seconds_for_1.4T": seconds * scale,
        "windows_for_1.4T": len(windows.rows) * scale,
    }  # fmt: skip


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", nargs="*", default=[], help="folders of token shards")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    found: dict[str, Any] = {"index": index()}
    if given.tokens:
        corpus = TokenCorpus(given.tokens)
        found |= {"loading": loading(corpus), "packing": packings(corpus)}
    if given.json:
        json.dump(found, sys.stdout)
        return
    for row in found.pop("packing", []):
        print(
            f"{row['stream']:20} {row['tokens']:>12,} {row['row']:5} {row['packer']:14} "
            f"cropped {row['cropped']:7.2%}  cut {row['cut']:6.2%}  padded {row['padded']:9.4%}"
        )
    for name, values in found.items():
        print(name, {key: round(value, 5) for key, value in values.items()})


if __name__ == "__main__":
    main()
