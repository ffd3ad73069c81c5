"""The peers of the deduplication benchmark: their ways from text to signatures, and their whole programs.

Everything of theirs is imported where it is called: a peer that is not installed raises an ImportError there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

LANES, SIZE, THRESHOLD = 128, 5, 0.7
_MARKS = re.compile(r"[^\w\s]|_")
Groups = list[int]
"""For each document the one that stands for it: itself where it is kept."""

Shingler = Callable[[str], list[str]]


def shingles_of(text: str) -> list[str]:
    """Our shingles, as cheap as Python makes them."""
    return joined(_MARKS.sub("", text.casefold()).split())


def with_marks(text: str) -> list[str]:
    """Cheaper, and others: punctuation stays."""
    return joined(text.lower().split())


def joined(words: list[str]) -> list[str]:
    """Five words each."""
    return [" ".join(five) for five in zip(*(words[i:] for i in range(SIZE)), strict=False)] or [
        " ".join(words)
    ]


def rensa_ways(documents: list[str], cut: Shingler) -> dict[str, Callable[[], Any]]:
    """rensa's interfaces, from text to digests."""
    from rensa import RMinHash

    def one_by_one() -> None:
        for text in documents:
            sketch = RMinHash(LANES, 1)
            sketch.update(cut(text))
            sketch.digest()

    def matrix() -> None:
        RMinHash.digest_matrix_from_token_sets(map(cut, documents), LANES, 1)

    def rho() -> None:
        RMinHash.digest_matrix_from_token_sets_rho(map(cut, documents), LANES, 1)

    return {"update": one_by_one, "digest_matrix": matrix, "digest_matrix_rho": rho}


def datasketch_ways(documents: list[str], cut: Shingler) -> dict[str, Callable[[], Any]]:
    """datasketch's interfaces, with its quickest hash function."""
    import xxhash
    from datasketch import MinHash

    def encoded(text: str) -> list[bytes]:
        return [shingle.encode() for shingle in cut(text)]

    def one_by_one() -> None:
        for text in documents:
            MinHash(LANES, hashfunc=xxhash.xxh32_intdigest).update_batch(encoded(text))

    def bulk() -> None:
        MinHash.bulk(map(encoded, documents), num_perm=LANES, hashfunc=xxhash.xxh32_intdigest)

    return {"update_batch": one_by_one, "bulk": bulk}


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
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    # xxhash 4 refuses the strings that datatrove hands it.
    old = int(metadata.version("xxhash").split(".")[0]) < 4
    config = MinhashConfig(n_grams=SIZE, hash_config=HashConfig(hash_fc="xxhash" if old else "sha1"))
    at = str(folder / "datatrove")

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
