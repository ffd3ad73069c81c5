"""Training byte-level BPE beside rustbpe and Hugging Face `tokenizers`: split, count and merge, on one core.

Every trainer gets the same Korean and English documents, the same regex (GPT-4's, which all of them read) and the same
vocabulary, in a process of its own. Ours reads them from Parquet and writes the tokenizer's folder, as `chejil
tokenizer train` does; peers hold them in memory. Seconds are those of the processor; memory is the peak above what the
process held before it began to train (ours: modules and compiled kernels, peers: the texts, too).

Encoding, beside `tokenizers` and tiktoken, stands in _tokenizer_encode.py.
"""

from __future__ import annotations

from _common import arguments, one_core, row, show, size_mb, texts  # isort: skip

one_core()

import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

PEERS = ("rustbpe", "tokenizers")
MERGES = 50_000
RUNS = 3
REGEX = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def ours(path: Path) -> Callable[[], Any]:
    from chejil.curation.progress import Silent
    from chejil.tokenizer.counting import counting, word_source
    from chejil.tokenizer.merging import training
    from chejil.tokenizer.pretokens import patterns

    settings = training.TrainingSettings(
        vocab_sizes=(MERGES + 260,), pattern=patterns.by_regex(REGEX).name, min_count=1
    )

    def train(file: Path = path, merges: int = MERGES) -> int:
        asked = settings.model_copy(update={"vocab_sizes": (merges + 260,)})
        with tempfile.TemporaryDirectory() as out:
            how = patterns.pattern(settings.pattern)
            source = word_source.count([str(file)], how, out, 1, counting.Settings(), Silent())
            return training.train(source.words, out, asked)[0].merges

    few = path.with_name("few.parquet")
    write(few, ["A few words, and 몇 마디."])
    train(few, 5)  # compiles
    return train


def rustbpe(path: Path) -> Callable[[], Any]:
    import rustbpe as peer

    documents = read(path)
    return lambda: peer.Tokenizer().train_from_iterator(
        iter(documents), vocab_size=MERGES + 256, pattern=REGEX
    )


def tokenizers(path: Path) -> Callable[[], Any]:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    documents = read(path)

    def train() -> None:
        split = pre_tokenizers.Split(Regex(REGEX), "isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        peer = Tokenizer(models.BPE())
        peer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=MERGES + 256, show_progress=False, initial_alphabet=alphabet)
        peer.train_from_iterator(documents, trainer)

    return train


TRAINERS = {"ours": ours, "rustbpe": rustbpe, "tokenizers": tokenizers}


def write(path: Path, documents: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": pa.array(documents, pa.large_string())}), path)


def read(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_table(path)["text"].to_pylist()


def child(name: str, path: str) -> None:
    """Train once; print seconds of the processor and megabytes above the start."""
    try:
        train = TRAINERS[name](Path(path))
    except ImportError as error:
        print(f"no peer: {error}", file=sys.stderr)
        sys.exit(3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    train()
    seconds = time.process_time() - start
    print(json.dumps([seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))


def measured(name: str, path: Path, runs: int = RUNS) -> tuple[float, float] | None:
    """Medians of seconds and megabytes, or None if the peer is not installed."""
    found = []
    for _ in range(runs):
        environment = {**os.environ, "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        command = [sys.executable, __file__, "--child", name, str(path)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode == 3:
            return None
        done.check_returncode()
        found.append(json.loads(done.stdout))
    return statistics.median(run[0] for run in found), statistics.median(run[1] for run in found)


def train_rows(documents: list[str], folder: Path) -> list[dict[str, Any]]:
    """Rows of `train …`: megabytes of text a second, and megabytes of memory (where less is better)."""
    path, size = folder / "texts.parquet", size_mb(documents)
    write(path, documents)
    mine = measured("ours", path)
    assert mine is not None
    rows = []
    for name in PEERS:
        theirs = measured(name, path)
        case = f"train {MERGES // 1000}k, {size:.0f} MB of ko and en"
        rows.append(row(case, size / mine[0], theirs and size / theirs[0], name))
        rows.append(row("train, peak memory", mine[1], theirs and theirs[1], name, "MB"))
    return rows


def encode_rows(documents: dict[str, list[str]], folder: Path) -> list[dict[str, Any]]:
    """Rows of `encode …`, by the `koen` tokenizer of 50,000 that the same texts give."""
    import _tokenizer_encode

    from chejil.curation.progress import Silent
    from chejil.tokenizer.counting import counting, word_source
    from chejil.tokenizer.merging import training
    from chejil.tokenizer.pretokens import patterns

    write(folder / "texts.parquet", [text for texts in documents.values() for text in texts])
    paths, out = [str(folder / "texts.parquet")], str(folder / "koen")
    how = patterns.pattern("koen")
    words = word_source.count(paths, how, out, 1, counting.Settings(), Silent()).words
    training.train(words, out, training.TrainingSettings())
    return _tokenizer_encode.rows(f"{out}/tokenizer.json", documents)


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    documents = {
        language: texts(options.corpus, shards, options.megabytes)
        for language, shards in (("ko", "mc4-ko"), ("en", "c4-en"))
    }
    with tempfile.TemporaryDirectory(prefix="chejil-tokenizer-") as folder:
        rows = train_rows([*documents["ko"], *documents["en"]], Path(folder))
        rows += encode_rows(documents, Path(folder))
    show("tokenizer", rows, options.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
