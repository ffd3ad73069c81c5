"""Memory is bounded by the batch, whatever the size of a shard."""

import json
import random
import subprocess
import sys

import pytest
import zstandard

LIMIT_KB = 1_500_000

SCRIPT = r"""
import re, sys
from chejil.cli import app
app(sys.argv[1:], standalone_mode=False)
# Not ru_maxrss: that of a child begins with the memory of the process that forked it.
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
"""


def sentences(rng, number):
    """Korean-looking sentences with a number in each place where documents shall differ."""
    words = [
        "".join(chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(rng.randrange(1, 6))) for _ in range(5000)
    ]
    return [f"{rng.choice(words)} {rng.choice(words)}을 0000000에서 보았다." for _ in range(number)]


def write_shard(path, documents, copies):
    """The documents again and again, each time with other numbers."""
    lines = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in documents]
    block = b"\n".join(lines) + b"\n"
    with path.open("wb") as raw, zstandard.ZstdCompressor(1).stream_writer(raw) as stream:
        for number in range(copies):
            stream.write(block.replace(b"0000000", b"%07d" % (number * 7919 % 10**7)))


def peak_kb(folder):
    """Peak memory of a whole run with one worker, in one process: that of worker and gathering together."""
    recipe = folder / "big.yaml"
    recipe.write_text(
        f"name: big\ndata: {folder}\nsources: {{web: {{format: jsonl, paths: big.jsonl.zst}}}}\n"
        "stages: [normalise, score, {filter: {bounds: {ko: koen, en: koen, mixed: keep, other: drop, unknown: drop}}},"
        " exact_dedup, near_dedup, write]\n",
        "utf-8",
    )
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        "run",
        str(recipe),
        "--out",
        str(folder / "run"),
        "--workers",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1])


@pytest.mark.slow
@pytest.mark.huge
def test_a_worker_stays_below_its_limit_on_a_shard_of_two_gigabytes(tmp_path):
    """Pages of 4 kB."""
    rng = random.Random(1)
    documents = [" ".join(sentences(rng, 80)) for _ in range(1000)]
    copies = int(2e9 / sum(len(text.encode()) for text in documents)) + 1
    write_shard(tmp_path / "big.jsonl.zst", documents, copies)

    peak = peak_kb(tmp_path)

    print(f"peak {peak / 1e6:.2f} GB on 2 GB of text in {copies * 1000:,} documents")
    assert peak < LIMIT_KB


@pytest.mark.slow
@pytest.mark.huge
def test_a_worker_stays_below_its_limit_on_a_million_short_documents(tmp_path):
    """Comments of one sentence: here the rows weigh more than their text."""
    write_shard(tmp_path / "big.jsonl.zst", sentences(random.Random(1), 10_000), 100)

    peak = peak_kb(tmp_path)

    print(f"peak {peak / 1e6:.2f} GB on a million documents of one sentence")
    assert peak < LIMIT_KB
