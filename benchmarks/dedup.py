"""Near-deduplication a core: text to signatures, and the whole of it, beside rensa, datasketch, text-dedup, datatrove.

**Signatures**: the same documents, 128 lanes, the same shingles: five words without case and punctuation. Ours reads
text that lies in Arrow, peers are given shingles as cheap as Python makes them; each of their interfaces is tried, and
the fastest shown. They take turns, and what is measured is CPU time, so that a busy machine slows all alike. Two more
rows: with the sketches and band keys that a run makes of signatures, and peers with punctuation left in, which saves
them a regular expression and keeps copies apart that differ in a comma.

**Whole**: 20,000 documents of 100 to 400 words, a quarter of them planted copies, half of these exact and half with up
to 15 % of the words replaced; all programs at a threshold of 0.7, in one process. Ours is a run from Parquet to clean
shards; what reading, normalising and writing take is given apart, since peers do not normalise.

**Accuracy** of the same: recall of planted pairs whose true Jaccard similarity is at least 0.8, and the share of
removed documents that resemble the one that stands for them (0.6 at least, a tenth below the threshold).

datatrove splits words at white space here: its own tokenisers are slower, and its Korean one cannot be opened. It needs
xxhash < 4. text-dedup needs an environment of its own: `pip install 'chejil[text-dedup,bench]'`.
"""

from __future__ import annotations

from _common import arguments, head, one_core, row, show, size_mb, texts  # isort: skip

one_core()

import contextlib  # noqa: E402
import importlib  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
from _dedup_peers import (  # noqa: E402
    LANES,
    SIZE,
    THRESHOLD,
    Groups,
    Shingler,
    datasketch_ways,
    datatrove_minhash,
    rensa_deduplicator,
    rensa_ways,
    shingles_of,
    text_dedup_minhash,
    with_marks,
)

from chejil.curation import check, marked_yaml  # noqa: E402
from chejil.curation.dedup.shingles import shingle_set, signatures  # noqa: E402
from chejil.curation.dedup.sketches import band_keys, bands_for, sketches  # noqa: E402
from chejil.curation.run import run  # noqa: E402
from chejil.filters.buffers import TextBuffers  # noqa: E402

MEGABYTES, ROUNDS = 4, 5
DOCUMENTS, COPIES, MOST_CHANGED = 20_000, 0.25, 0.15


def ours(documents: list[str], whole: bool = False) -> Callable[[], Any]:
    """From Arrow to signatures, and if it is the whole to sketches and keys."""
    batch = pa.array(documents, pa.large_string())

    def act() -> None:
        signature = signatures(TextBuffers.of(batch), SIZE, LANES)
        if whole:
            sketches(signature)
            band_keys(signature, *bands_for(THRESHOLD, LANES))

    return act


PEERS: dict[str, Callable[[list[str], Shingler], dict[str, Callable[[], Any]]]] = {
    "rensa": rensa_ways,
    "datasketch": datasketch_ways,
}


def ways(documents: list[str]) -> dict[str, Callable[[], Any]]:
    """All that is timed, by `who/how`; a peer that is not installed is left out."""
    found = {"ours/signatures": ours(documents), "ours/with keys": ours(documents, whole=True)}
    for peer, make in PEERS.items():
        for kind, cut in (("same", shingles_of), ("marks", with_marks)):
            try:
                found |= {f"{peer}/{kind}/{name}": act for name, act in make(documents, cut).items()}
            except ImportError as error:
                print(f"no peer: {error}", file=sys.stderr)
    return found


def in_turns(acts: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each, after a round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds + 1):
        for name, act in acts.items():
            start = time.process_time()
            act()
            if number:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def planted(corpus: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Documents in any order, and the pairs (original, copy) among them."""
    rng = random.Random(1)
    pieces = []
    for folder in ("mc4-ko", "c4-en"):
        own = []
        for text in texts(corpus, folder, 1000):
            words, at = text.split(" "), 0
            while at < len(words):
                size = rng.randrange(100, 401)
                own.append(" ".join(words[at : at + size]))
                at += size
        rng.shuffle(own)
        pieces += own[: int(DOCUMENTS * (1 - COPIES) / 2)]
    rng.shuffle(pieces)
    words = [word for text in pieces[:200] for word in text.split(" ")]
    originals = rng.sample(range(len(pieces)), DOCUMENTS - len(pieces))
    pairs = [(original, len(pieces) + number) for number, original in enumerate(originals)]
    for original in originals:
        share = rng.choice((0, rng.random() * MOST_CHANGED))
        pieces.append(
            " ".join(
                rng.choice(words) if rng.random() < share else word for word in pieces[original].split(" ")
            )
        )
    return pieces, pairs


class Clock:
    """Seconds of each stage of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def start(self, stage: str, units: int, done: int, weights: object = None) -> None:
        """A stage begins."""
        self.seconds[stage] = -time.perf_counter()

    def advance(self, stage: str, name: str, error: str | None = None, work: object = None) -> None:
        """A unit is done."""

    def say(self, text: str) -> None:
        """What one should know meanwhile."""

    def finish(self, stage: str) -> None:
        """A stage ends."""
        self.seconds[stage] += time.perf_counter()


RECIPE = """
name: bench
data: {folder}
sources: {{w: {{format: parquet, paths: "documents.parquet"}}}}
stages: [normalise, {{near_dedup: {{threshold: {threshold}}}}}, write]
"""


def whole_ours(folder: Path, num: int) -> tuple[dict[str, float], Groups]:
    """Seconds of the stages (the best of two runs), and who stands for whom."""
    best: dict[str, float] = {}
    for number in range(2):
        clock, root = Clock(), folder / f"run-{number}"
        recipe = RECIPE.format(folder=folder, threshold=THRESHOLD)
        run(check.check(marked_yaml.read(recipe, "bench.yaml")), str(root), 1, clock)
        if not best or sum(clock.seconds.values()) < sum(best.values()):
            best = clock.seconds
    decisions = pl.concat([pl.read_parquet(path) for path in (root / "decisions").rglob("*.parquet")])
    groups = list(range(num))
    for id_, other in decisions.select("id", "duplicate_of").drop_nulls().iter_rows():
        groups[int(id_)] = int(other)
    return best, groups


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a peer prints goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def whole_peer(
    function: Callable[[list[str], Path], Groups], module: str, documents: list[str], folder: Path
) -> tuple[Groups, float] | None:
    """Seconds of a peer and its groups; None if it is not installed."""
    try:
        with quiet():
            importlib.import_module(module)
            start = time.perf_counter()
            return function(documents, folder), time.perf_counter() - start
    except ImportError as error:
        print(f"no peer: {error}", file=sys.stderr)
        return None


def jaccard(documents: list[str], one: int, other: int) -> float:
    """Of shingles as we define them, without case and punctuation."""
    a, b = (shingle_set(documents[number], SIZE) for number in (one, other))
    return len(a & b) / max(1, len(a | b))


def accuracy(documents: list[str], pairs: list[tuple[int, int]], groups: Groups) -> tuple[float, float]:
    """Recall of the pairs given, and the share of removed documents that resemble the one that stands for them."""
    found = sum(groups[one] == groups[other] for one, other in pairs)
    removed = [(number, other) for number, other in enumerate(groups) if number != other]
    right = sum(jaccard(documents, number, other) >= THRESHOLD - 0.1 for number, other in removed)
    return found / len(pairs), right / max(1, len(removed))


def speeds(options: Any) -> list[dict[str, Any]]:
    """From text to signatures."""
    rows = []
    for language, folder in (("ko", "mc4-ko"), ("en", "c4-en")):
        documents = head(texts(options.corpus, folder, options.megabytes), MEGABYTES)
        size = size_mb(documents)
        found = {name: size / took for name, took in in_turns(ways(documents), ROUNDS).items()}
        print({name: round(speed, 1) for name, speed in found.items()}, file=sys.stderr)
        mine, kept = found["ours/signatures"], found["ours/with keys"]
        for peer in PEERS:
            best = {
                kind: max(
                    (v for name, v in found.items() if name.startswith(f"{peer}/{kind}/")), default=None
                )
                for kind in ("same", "marks")
            }
            rows += [
                row(f"{language} text to signatures", mine, best["same"], peer),
                row(f"{language}   ours with sketches and keys", kept, best["same"], peer),
                row(f"{language}   theirs with punctuation left in", mine, best["marks"], peer),
            ]
    return rows


def wholes(options: Any) -> list[dict[str, Any]]:
    """The whole of it, with its accuracy."""
    documents, planted_pairs = planted(options.corpus)
    pairs = [(one, other) for one, other in planted_pairs if jaccard(documents, one, other) >= 0.8]
    num = len(documents)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = pl.DataFrame({"id": [str(number) for number in range(num)], "text": documents})
        table.write_parquet(folder / "documents.parquet")
        stages, groups = whole_ours(folder, num)
        mine = sum(took for stage, took in stages.items() if stage.startswith("near_dedup"))
        recall, precision = accuracy(documents, pairs, groups)
        rows = [row("whole run, reading to clean shards", num / sum(stages.values()), None, "", "docs/s")]
        peers = (
            ("text-dedup", "text_dedup.minhash", text_dedup_minhash),
            ("datatrove", "datatrove.pipeline.dedup", datatrove_minhash),
            ("rensa", "rensa", rensa_deduplicator),
        )
        for peer, module, function in peers:
            found = whole_peer(function, module, documents, folder)
            took = None if found is None else found[1]
            theirs = (None, None) if found is None else accuracy(documents, pairs, found[0])
            rows += [
                row("near-dedup of 20,000 documents", num / mine, took and num / took, peer, "docs/s"),
                row(f"  recall of {len(pairs):,} copies, Jaccard ≥ 0.8", recall, theirs[0], peer, "share"),
                row("  removed for a document like it", precision, theirs[1], peer, "share"),
            ]
    return rows


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    show("dedup", [*speeds(options), *wholes(options)], options.json)


if __name__ == "__main__":
    main()
