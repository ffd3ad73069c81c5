"""Cases `encode ko` and `encode en` of benchmarks/tokenizer.py: our encoder beside `tokenizers` and tiktoken.

All three have the same tokenizer and the same texts, on one core; ids are compared before anything is timed. Runs are
interleaved and the least processor time of each counts, since other work of the machine only ever adds. Ours begins
every run with an empty cache of words, `tokenizers` keeps its own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import row, size_mb  # isort: skip

RUNS = 5


def rows(tokenizer: str, documents: dict[str, list[str]], runs: int = RUNS) -> list[dict[str, Any]]:
    """A row a language and peer, in MB/s of UTF-8.

    Args:
        tokenizer: a tokenizer.json.
        documents: by language.
    """
    return [one for lang, texts in documents.items() for one in _of_language(tokenizer, lang, texts, runs)]


def _of_language(tokenizer: str, lang: str, texts: list[str], runs: int) -> list[dict[str, Any]]:
    import numpy as np
    import pyarrow as pa

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from chejil.tokenizer.encoding import word_cache
    from chejil.tokenizer.encoding.encoder import Encoder

    ours, array = Encoder(tokenizer), pa.array(texts, pa.large_string())
    assert ours.slow is None, ours.slow

    def encode() -> list[int]:
        ours._cache = word_cache.empty()
        return ours.encode(array).ids

    peers = {"tokenizers": _tokenizers(tokenizer), "tiktoken": _tiktoken(tokenizer)}
    calls: dict[str, Callable[[], Any]] = {"ours": encode}
    for name, peer in peers.items():
        if peer is None:
            continue
        flat = np.fromiter((token for ids in peer(texts) for token in ids), np.int64)
        assert np.array_equal(encode(), flat), f"{name} gives other ids"
        calls[name] = lambda peer=peer: peer(texts)
    speed = {name: size_mb(texts) / seconds for name, seconds in _least(calls, runs).items()}
    return [row(f"encode {lang}", speed["ours"], speed[name], name) for name in calls if name != "ours"]


def _least(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(runs):
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - start)
    return best


def _tokenizers(tokenizer: str) -> Callable[[list[str]], list[list[int]]]:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(tokenizer)
    made.encode_special_tokens = True
    return lambda texts: [one.ids for one in made.encode_batch_fast(texts, add_special_tokens=False)]


def _tiktoken(tokenizer: str) -> Callable[[list[str]], list[list[int]]] | None:
    """tiktoken merges by id, so ids must be in the order of merges; and it must read the pattern."""
    try:
        import tiktoken
    except ImportError:
        return None
    from chejil.tokenizer.files.byte_alphabet import read

    content = json.loads(Path(tokenizer).read_text("utf-8"))
    special = {one["content"] for one in content["added_tokens"]}
    ranks = {
        read(token): number for token, number in content["model"]["vocab"].items() if token not in special
    }
    pattern = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    made = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda texts: [made.encode_ordinary(text) for text in texts]
