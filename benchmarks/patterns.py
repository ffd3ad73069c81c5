"""Pre-tokenisation patterns against each other: the same vocabulary trained on the same text, measured on other text.

Texts are the shards of the corpus, each source up to a number of megabytes that makes about half of the bytes Korean;
a document is held aside by the hash of its text, and exact copies are taken once. Merges are rustbpe's for every
pattern, so that nothing but the pattern differs. Told are tokens by white-space separated words (in Korean eojeol) and
bytes a token, over all held-aside text of a language.

    python benchmarks/patterns.py [--json] [--vocab 50000] [--scale 1.0] [--pattern NAME | NAME=REGEX …]

Takes a minute a pattern, 1 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

from chejil.tokenizer import corpus
from chejil.tokenizer.pretokens import patterns

DEFAULT = os.environ.get("CHEJIL_CORPUS", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
HELD_SHARE = 0.05
MAX_HELD_BYTES, MAX_BYTES = 200_000, 400_000  # of a document: a book does not stand for its language


class Source(NamedTuple):
    """What is read: language, megabytes to train on, and paths as `chejil tokenizer` takes them."""

    lang: str
    megabytes: float
    paths: tuple[str, ...]


SOURCES = {
    "mc4-ko": Source("ko", 38, ("mc4:{}/mc4-ko/*.gz",)),
    "law-ko": Source("ko", 8, ("pile:{}/law-ko/*.zst",)),
    "bills-ko": Source("ko", 6, ("{}/bills-ko/assembly*.parquet",)),
    "wiki-ko": Source("ko", 2, ("{}/wiki-ko/*.parquet",)),
    "noisy-ko": Source("ko", 3, ()),
    "c4-en": Source("en", 26, ("c4:{}/c4-en/*.gz",)),
    "pile": Source("en", 16, ("pile:{}/pile/*.zst",)),
    "redpajama/book": Source("en", 6, ("redpajama:{}/redpajama/book/*.zst",)),
    "redpajama/github": Source("en", 4, ("redpajama:{}/redpajama/github/*.zst",)),
    "redpajama/wikipedia": Source("en", 4, ("redpajama:{}/redpajama/wikipedia/*.zst",)),
}

_parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
_parser.add_argument("--json", action="store_true", help="print one JSON object")
_parser.add_argument("--corpus", default=DEFAULT, help="folder with mc4-ko/, c4-en/ and so on")
_parser.add_argument("--vocab", type=int, default=50_000, help="tokens, the 256 bytes among them")
_parser.add_argument(
    "--scale", type=float, default=1.0, help="times the megabytes of each source; 100 takes all"
)
_parser.add_argument("--pattern", action="append", help="of patterns.yaml, or NAME=REGEX; repeatable")


def texts(name: str, folder: str) -> list[str]:
    """All documents of a source, each once, in the order of their hashes."""
    paths = [path.format(folder) for path in SOURCES[name].paths]
    if paths:
        some = [text for path in paths for piece in corpus.pieces([path]) for text in _of_piece(piece)]
    else:
        some = list(_comments(f"{folder}/{name}"))
    return sorted(set(some), key=lambda text: hashlib.blake2b(text.encode()).digest())


def _of_piece(piece: corpus.Piece) -> list[str]:
    return [text for batch in corpus.batches(piece) for text in batch["text"].to_pylist()]


def _comments(folder: str):
    """Comments of one line each, fifty a document."""
    for path in sorted(Path(folder).rglob("*.*")):
        lines = [line.split("\t")[0] for line in path.read_text("utf-8").split("\n")]
        yield from ("\n".join(lines[first : first + 50]) for first in range(0, len(lines), 50))


def split(name: str, folder: str, scale: float) -> tuple[list[str], list[str]]:
    """Documents to train on and documents held aside; by hash, so a larger scale holds the same ones aside first."""
    found = texts(name, folder)
    whole = sum(len(text.encode()) for text in found)
    most = SOURCES[name].megabytes * 1e6
    room, held_room = most * scale, min(0.08 * whole, HELD_SHARE * most)
    train: list[str] = []
    held: list[str] = []
    for text in found:
        size = len(text.encode())
        if held_room > 0 and size < MAX_HELD_BYTES:
            held.append(text)
            held_room -= size
        elif room > 0:
            train.append(text[:MAX_BYTES])
            room -= min(size, MAX_BYTES)
    return train, held


def measure(name: str, regex: str, train: list[str], held: dict[str, list[str]], vocab: int) -> dict:
    """Train with one pattern, and measure by language and source."""
    import rustbpe

    started = time.perf_counter()
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(train), vocab, pattern=regex)
    row = {"pattern": name, "seconds": round(time.perf_counter() - started, 1)}
    sums = {"ko": [0, 0, 0], "en": [0, 0, 0]}
    sources = {}
    for source, documents in held.items():
        tokens = sum(map(len, tokenizer.batch_encode(documents)))
        words = sum(len(text.split()) for text in documents)
        sources[source] = tokens / words
        size = sum(len(text.encode()) for text in documents)
        lang = SOURCES[source].lang
        sums[lang] = [a + b for a, b in zip(sums[lang], (tokens, words, size), strict=True)]
    for lang, (tokens, words, size) in sums.items():
        row |= {f"{lang}_tokens_per_word": tokens / words, f"{lang}_bytes_per_token": size / tokens}
    return {**row, "tokens_per_word": sources}


def wanted(names: list[str] | None) -> dict[str, str]:
    """Regular expressions by name."""
    found = {}
    for name in names or ("koen", "gpt4", "o200k", "gpt2"):
        own, _, regex = name.partition("=")
        found[own] = regex or patterns.pattern(own).regex
    return found


def show(rows: list[dict], sizes: dict[str, float]) -> None:
    """The table; beside each number how far it is from the first pattern's."""
    print(", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))
    print(
        f"{'pattern':<12}{'ko tokens/eojeol':>18}{'ko bytes/token':>16}{'en tokens/word':>16}{'en bytes/token':>16}"
    )
    for row in rows:
        cells = [
            row[f"{lang}_{name}"] for lang in ("ko", "en") for name in ("tokens_per_word", "bytes_per_token")
        ]
        print(f"{row['pattern']:<12}{cells[0]:>18.4f}{cells[1]:>16.4f}{cells[2]:>16.4f}{cells[3]:>16.4f}")
    for row in rows[1:]:
        shares = [
            rows[0][f"{lang}_tokens_per_word"] / row[f"{lang}_tokens_per_word"] - 1 for lang in ("ko", "en")
        ]
        print(
            f"{rows[0]['pattern']} against {row['pattern']}: Korean {shares[0]:+.2%}, English {shares[1]:+.2%} tokens"
        )


def main() -> None:
    """Train and measure every pattern."""
    arguments = _parser.parse_args()
    regexes = wanted(arguments.pattern)
    train: list[str] = []
    held, sizes = {}, {"ko": 0.0, "en": 0.0, "held ko": 0.0, "held en": 0.0}
    for name, source in SOURCES.items():
        some, held[name] = split(name, arguments.corpus, arguments.scale)
        train += some
        for prefix, documents in (("", some), ("held ", held[name])):
            sizes[prefix + source.lang] += sum(len(text.encode()) for text in documents) / 1e6
    random.Random(0).shuffle(train)
    rows = []
    for name, regex in regexes.items():
        rows.append(measure(name, regex, train, held, arguments.vocab))
        print(f"{name}: {rows[-1]['seconds']} s", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"name": "patterns", "vocab": arguments.vocab, "megabytes": sizes, "rows": rows}))
    else:
        show(rows, sizes)


if __name__ == "__main__":
    main()
