"""A 5-gram model of the same rows beside a training: the floor that a model must get below.

    python benchmarks/ngrams.py recipes/pretrain-debug.yaml
    python benchmarks/ngrams.py --run runs/pretrain-debug         # beside its last evaluation

Counted is every label of every batch in its context, as the training has them (`Batches.batch`), each token of the
shards once however many epochs there are; measured are the held-out rows of its evaluations, in bits per byte by source
and language. Both read the same tokens of the same documents, cut in the same places; an evaluation of other bytes is
refused. The model is chejil.training.kneser_ney.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

import _common
import numpy as np

from chejil.training import config as configs
from chejil.training import kneser_ney
from chejil.training.config import PretrainConfig
from chejil.training.data.batches import Batches
from chejil.training.data.first_readings import FirstReadings
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.kneser_ney import Events, KneserNey


def batches_of(config: PretrainConfig) -> Batches:
    """The batches of a training, and its held-out rows."""
    return Batches(config.data(), TokenCorpus(config.tokens), config.batch_rows, config.steps)


def num_ids_of(batches: Batches) -> int:
    """Ids of the tokenizer: all of them can come."""
    return len(batches.corpus.token_bytes().num_bytes)


def seen(batches: Batches, steps: int, order: int = kneser_ney.ORDER) -> Events:
    """What a training learns, each token of the shards once."""
    first, nothing = FirstReadings(batches), num_ids_of(batches)
    return kneser_ney.joined(
        [kneser_ney.events(batches.batch(step), nothing, first.of(step), order) for step in range(steps)]
    )


def bits_per_byte(model: KneserNey, batches: Batches, rows: int = 256) -> dict[str, dict[str, float]]:
    """Of the held-out rows: tokens, bytes and bits per byte by SOURCE/LANGUAGE, by language, and of all."""
    found: dict[str, np.ndarray] = {}
    for held in batches.evaluation(rows):  # a batch is of one stream
        asked = kneser_ney.events(held, model.num_ids, order=model.order)
        sums = np.array([len(asked), held.num_bytes_B.sum(), model.nats(asked).sum()])
        stream = batches.names[held.source_B[0]]
        for name in (stream, stream.rpartition("/")[2], "all"):
            found[name] = found.get(name, 0) + sums
    if not found:
        sys.exit("nothing is held out: set held_out.share above 0")
    ordered = sorted(found.items(), key=lambda pair: (pair[0] == "all", "/" not in pair[0], pair[0]))
    return {
        name: {"tokens": int(tokens), "bytes": int(size), "bits_per_byte": nats / math.log(2) / size}
        for name, (tokens, size, nats) in ordered
    }


def last_evaluation(run: Path) -> dict[str, dict[str, float]]:
    """Of a training's last evaluation: bits per byte and bytes by source, by language, and of all."""
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines(keepends=True)
    records = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be in the making
    found = [record for record in records if record["kind"] == "evaluation"]
    if not found:
        sys.exit(f"{run}/metrics.jsonl has no evaluation: let the training reach its first one")
    return {**found[-1]["sources"], **found[-1]["languages"], "all": found[-1]}


def given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", nargs="?", help="a training's file, or the bare name of one that ships")
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="override a value")
    parser.add_argument("--run", type=Path, help="a training's folder: its config and its last evaluation")
    parser.add_argument("--order", type=int, default=kneser_ney.ORDER, help="5: of 5-grams")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    found = parser.parse_args()
    if (found.config is None) == (found.run is None):
        parser.error("give a config or --run")
    return found


def table(
    floor: dict[str, dict[str, float]], model: dict[str, dict[str, float]], order: int
) -> list[dict[str, Any]]:
    """Rows of a benchmark: the model is ours and the n-gram its peer; the n-gram alone where there is no model."""
    rows = []
    for name, said in floor.items():
        numbers: tuple[float, float | None] = (said["bits_per_byte"], None)
        if model:
            if model[name]["num_bytes"] != said["bytes"]:
                sys.exit(
                    f"{name}: the training measured {model[name]['num_bytes']} bytes, not {said['bytes']}: other rows"
                )
            numbers = (model[name]["bits_per_byte"], said["bits_per_byte"])
        row = _common.row(name, *numbers, f"{order}-gram of the same rows", "bits/byte")
        rows.append({**row, "tokens": said["tokens"], "bytes": said["bytes"]})
    return rows


def main() -> None:
    """Print a table, or JSON."""
    asked, begin = given(), time.process_time()
    config = configs.load(str(asked.run / "config.yaml") if asked.run else asked.config, asked.set)
    batches = batches_of(config)
    events = seen(batches, config.steps, asked.order)
    model = KneserNey(events, num_ids_of(batches))
    floor = bits_per_byte(model, batches)
    rows = table(floor, last_evaluation(asked.run) if asked.run else {}, asked.order)
    said = {
        "tokens": len(events), "ngrams": model.num_ngrams, "discounts": [one.discounts for one in model.levels],
        "seconds": time.process_time() - begin,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    if asked.json:
        print(json.dumps({"name": "ngrams", "rows": rows, **said}, ensure_ascii=False))
        return
    _common.show("ngrams", rows, False)
    print(", ".join(f"{key} {value}" for key, value in said.items()))


if __name__ == "__main__":
    main()
