"""Memory is bounded by the batch, whatever the size of a shard."""

import json
import random
import subprocess
import sys

import pytest
import zstandard

GIGABYTES = 2
LIMIT_KB = 1_500_000

SCRIPT = """
import resource, sys
from chejil.cli import app
app(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def write_shard(path, gigabytes):
    """Korean documents of 4 kB, all different by their numbers, until that much text is written."""
    rng = random.Random(1)
    words = [
        "".join(chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(rng.randrange(1, 6))) for _ in range(5000)
    ]
    documents = []
    for _ in range(1000):
        text = " ".join(f"{rng.choice(words)} {rng.choice(words)}을 0000000에서 보았다." for _ in range(80))
        documents.append(json.dumps({"text": text}, ensure_ascii=False).encode())
    block = b"\n".join(documents) + b"\n"
    with path.open("wb") as raw, zstandard.ZstdCompressor(1).stream_writer(raw) as stream:
        for number in range(int(gigabytes * 1e9 / len(block)) + 1):
            stream.write(block.replace(b"0000000", b"%07d" % (number * 7919 % 10**7)))


@pytest.mark.slow
@pytest.mark.huge
def test_a_worker_stays_below_its_limit_on_a_two_gigabyte_shard(tmp_path):
    """A whole run with one worker, in one process: the peak is that of worker and gathering together."""
    write_shard(tmp_path / "big.jsonl.zst", GIGABYTES)
    recipe = tmp_path / "big.yaml"
    recipe.write_text(
        f"name: big\ndata: {tmp_path}\nsources: {{web: {{format: jsonl, paths: big.jsonl.zst}}}}\n"
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
        str(tmp_path / "run"),
        "--workers",
        "1",
    ]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    peak_kb = int(done.stderr.split()[-1])
    print(f"peak {peak_kb / 1e6:.2f} GB on {GIGABYTES} GB of text")
    assert peak_kb < LIMIT_KB
