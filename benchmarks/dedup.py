"""Near-deduplication a core: text to signatures, and the whole of it, beside rensa, datasketch, text-dedup, datatrove.

**Signatures**: the same documents, 128 lanes, shingles of five words. Ours makes signatures, sketches and band keys of
text that lies in Arrow; peers are given the cheapest shingles that Python makes (`lower`, `split`, `join`: punctuation
stays), each of their interfaces is tried, and the fastest shown. **Whole**: 20,000 documents of 100 to 400 words, a
quarter of them planted copies, half of these exact and half with up to 15 % of the words replaced; all programs at a
threshold of 0.7, in one process. Ours is a run from Parquet to clean shards; what reading, normalising and writing take
is given apart, since peers do not normalise. **Accuracy** of the same: recall of planted pairs whose true Jaccard
similarity is at least 0.8, and the share of removed documents that resemble the one that stands for them (0.6 at least,
a tenth below the threshold).

datatrove splits words at white space here: its own tokenisers are slower, and its Korean one cannot be opened. It needs
xxhash < 4. text-dedup needs an environment of its own: `pip install 'chejil[text-dedup,bench]'`.
"""

from __future__ import annotations

from _common import arguments, head, one_core, row, seconds, show, size_mb, texts  # isort: skip

one_core()

import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402

from chejil.curation import check, marked_yaml  # noqa: E402
from chejil.curation.run import run  # noqa: E402
from chejil.curation.shingles import shingle_set, signatures  # noqa: E402
from chejil.curation.sketches import band_keys, bands_for, sketches  # noqa: E402
from chejil.filters.buffers import TextBuffers  # noqa: E402

LANES, SIZE, THRESHOLD = 128, 5, 0.7
PEER_MEGABYTES = 2
DOCUMENTS, COPIES, MOST_CHANGED = 20_000, 0.25, 0.15
Groups = list[int]
"""For each document the one that stands for it: itself where it is kept."""


def shingles_of(text: str) -> list[str]:
    """Shingles as cheap as Python makes them."""
    words = text.lower().split()
    return [" ".join(five) for five in zip(*(words[i:] for i in range(SIZE)), strict=False)] or [text]


def ours(documents: list[str]) -> Callable[[], Any]:
    """From Arrow to signatures, sketches and keys."""
    batch = pa.array(documents, pa.large_string())

    def act() -> None:
        signature = signatures(TextBuffers.of(batch), SIZE, LANES)
        sketches(signature)
        band_keys(signature, *bands_for(THRESHOLD, LANES))

    return act


def rensa_ways(documents: list[str]) -> dict[str, Callable[[], Any]]:
    """rensa's interfaces, from text to digests."""
    from rensa import RMinHash

    def one_by_one() -> None:
        for text in documents:
            sketch = RMinHash(LANES, 1)
            sketch.update(shingles_of(text))
            sketch.digest()

    def matrix() -> None:
        RMinHash.digest_matrix_from_token_sets(map(shingles_of, documents), LANES, 1)

    def rho() -> None:
        RMinHash.digest_matrix_from_token_sets_rho(map(shingles_of, documents), LANES, 1)

    return {"update": one_by_one, "digest_matrix": matrix, "digest_matrix_rho": rho}


def datasketch_ways(documents: list[str]) -> dict[str, Callable[[], Any]]:
    """datasketch's interfaces, with its quickest hash function."""
    import xxhash
    from datasketch import MinHash

    def encoded(text: str) -> list[bytes]:
        return [shingle.encode() for shingle in shingles_of(text)]

    def one_by_one() -> None:
        for text in documents:
            MinHash(LANES, hashfunc=xxhash.xxh32_intdigest).update_batch(encoded(text))

    def bulk() -> None:
        MinHash.bulk(map(encoded, documents), num_perm=LANES, hashfunc=xxhash.xxh32_intdigest)

    return {"update_batch": one_by_one, "bulk": bulk}


def fastest(documents: list[str], ways: Callable[[list[str]], dict[str, Callable]]) -> float | None:
    """MB/s of the quickest of a peer's interfaces, or None if it is not installed."""
    try:
        speeds = {name: size_mb(documents) / seconds(act, runs=3) for name, act in ways(documents).items()}
    except ImportError as error:
        print(f"no peer: {error}", file=sys.stderr)
        return None
    print({name: round(speed, 2) for name, speed in speeds.items()}, file=sys.stderr)
    return max(speeds.values())


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

    def start(self, stage: str, units: int, done: int) -> None:
        """A stage begins."""
        self.seconds[stage] = -time.perf_counter()

    def advance(self, stage: str, unit: str, error: str | None) -> None:
        """A unit is done."""

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


def rensa_deduplicator(documents: list[str], folder: Path) -> Groups:
    """rensa's own deduplicator, which keeps what resembles nothing before it; candidates are its buckets'."""
    from rensa import RMinHash, RMinHashDeduplicator

    kept, groups = RMinHashDeduplicator(THRESHOLD, LANES, True, None, 1), list(range(len(documents)))
    for number, text in enumerate(documents):
        sketch = RMinHash(LANES, 1)
        sketch.update(shingles_of(text))
        if not kept.add(str(number), sketch):
            # Of its duplicates it says the names alone; which is nearest is not asked for here.
            groups[number] = min(map(int, kept.get_duplicates(sketch)))
    return groups


def text_dedup_minhash(documents: list[str], folder: Path) -> Groups:
    """text-dedup's own program on the same Parquet file, with its quickest hash."""
    from text_dedup import minhash

    minhash.main(
        args=[
            "--path", "parquet", "--data_files", str(folder / "documents.parquet"), "--split", "train",
            "--cache_dir", str(folder / "cache"), "--output", str(folder / "out"), "--column", "text",
            "--use_auth_token", "false", "--num_proc", "1", "--num_perm", str(LANES), "--ngram", str(SIZE),
            "--threshold", str(THRESHOLD), "--hash_func", "xxh3", "--hash_bits", "32", "--batch_size", "10000",
        ],
        standalone_mode=False,
    )  # fmt: skip
    return [minhash.uf.find(number) for number in range(len(documents))]


def datatrove_minhash(documents: list[str], folder: Path) -> Groups:
    """datatrove's four stages, in this process."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    config, at = MinhashConfig(n_grams=SIZE), str(folder / "datatrove")

    def read() -> Any:
        return ParquetReader(str(folder), glob_pattern="documents.parquet", id_key="id", doc_progress=False)

    removed = JsonlWriter(f"{at}/removed", compression=None)
    stages: list[tuple[str, int, list]] = [
        ("signatures", 1, [read(), MinhashDedupSignature(f"{at}/signatures", config, Words())]),
        ("buckets", config.num_buckets, [MinhashDedupBuckets(f"{at}/signatures", f"{at}/buckets", config=config)]),
        ("clusters", 1, [MinhashDedupCluster(f"{at}/buckets", f"{at}/clusters", config, save_cluster_id=True)]),
        ("filter", 1, [read(), MinhashDedupFilter(f"{at}/clusters", removed, load_cluster_ids=True),
                       JsonlWriter(f"{at}/kept", compression=None)]),
    ]  # fmt: skip
    for name, tasks, steps in stages:
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=f"{at}/logs/{name}").run()
    groups, cluster = list(range(len(documents))), {}
    for kept in (True, False):
        for path in Path(at, "kept" if kept else "removed").rglob("*.jsonl"):
            for line in path.read_text("utf-8").split("\n")[:-1]:
                record = json.loads(line)
                name = record["metadata"].get("minhash_cluster_id", -1)
                if kept and name != -1:
                    cluster[name] = int(record["id"])
                elif not kept:
                    groups[int(record["id"])] = cluster[name]
    return groups


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
        documents = texts(options.corpus, folder, options.megabytes)
        few = head(documents, PEER_MEGABYTES)
        measured = size_mb(documents) / seconds(ours(documents), runs=5)
        for name, ways in (("rensa", rensa_ways), ("datasketch", datasketch_ways)):
            rows.append(row(f"{language} text to signatures", measured, fastest(few, ways), name))
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
