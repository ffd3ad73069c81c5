"""One proxy, trained where the sweep's executor puts it: a unit of work, with a record when it is done.

    proxies/NAME/config.yaml, metrics.jsonl   as `chejil pretrain` leaves them
    proxies/NAME/rows.parquet                 bits of every held-out row
    work/proxy/NAME.json                      the record, last: what it measured, and the hashes of the files

A proxy that is killed goes on from its last checkpoint. One that diverges is a result like another: its record says so,
and the fit leaves it out by name.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from chejil.curation import shards
from chejil.curation.shards import FileRecord
from chejil.curation.stage import Tally, Unit
from chejil.errors import ChejilError

if TYPE_CHECKING:
    from chejil.training.loop.data import Data
    from chejil.training.loop.parallel import World
    from chejil.training.modelling.losses import ModelWithLoss

FOLDER, STAGE, ROWS = "proxies", "proxy", "rows.parquet"
SCORES = ("gold_prob", "acc")
"""Of a suite: the probability of the right answer, which moves where the accuracy of a small model stands still."""

SCHEMA = pa.schema([("domain", pa.string()), ("nats", pa.float64()), ("bytes", pa.int64())])
"""A row a held-out row of tokens, the same in every proxy."""


def train(unit: Unit) -> Tally:
    """Train the proxy of a unit.

    Its settings are `config`, `domains` (pattern by name), `threads`, `keep` (its checkpoint), `own_gpu` (take one).

    Raises:
        ChejilError: what a user can mend; no divergence.
    """
    _take_threads(unit.settings["threads"])
    from chejil.training.config import PretrainConfig
    from chejil.training.loop.spike_guard import DivergedError

    folder = Path(unit.root) / FOLDER / unit.shard
    config = _placed(PretrainConfig.model_validate(unit.settings["config"]), unit.root)
    if config.device != "cpu" and unit.settings["own_gpu"]:
        _take_device()
    _claim(folder, unit.settings["identity"])
    begun = time.monotonic()
    try:
        _train(config, folder, unit.settings["domains"])
        found = {**_measured(folder), "error": None}
    except DivergedError as error:
        found = {"bits_per_byte": {}, "scores": {}, "error": error.what}
    else:
        if not unit.settings["keep"]:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return _tally(unit, folder, {**found, "seconds": time.monotonic() - begun})


def _placed(config: Any, root: str) -> Any:
    """With the sweep's own folders of tokens, which are named within it."""
    named = config.evaluation.model_dump(include={"tokens", "suite"}, exclude_none=True)
    placed = {field: shards.join(root, name) for field, name in named.items()}
    evaluation = config.evaluation.model_copy(update=placed)
    tokens = [shards.join(root, one) for one in config.tokens]
    return config.model_copy(update={"tokens": tokens, "evaluation": evaluation})


def _claim(folder: Path, identity: str) -> None:
    """Remove what was trained otherwise under the same name, and say what is trained here now."""
    # Beside it: a training takes no folder with another's file.
    mark = folder.with_name(f"{folder.name}.identity")
    if folder.exists() and (not mark.exists() or mark.read_text("utf-8") != identity):
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(identity, "utf-8")


def _train(config: Any, folder: Path, domains: Mapping[str, str]) -> None:
    from rich.console import Console

    from chejil.training.loop.live_view import Lines
    from chejil.training.pretrain import pretrain

    unseen = Lines(Console(quiet=True), config.steps)  # proxies are many: the sweep shows them
    write = partial(_write_rows, folder, domains, config.micro_batch_rows)
    done = pretrain(config, folder, lambda _: unseen, write)
    # Answered by a checkpoint, or noted behind the last step: now let it do what it does, or a pool waits for ever.
    if done is not None and done["signal"]:
        signal.raise_signal(signal.Signals[done["signal"]])
        raise KeyboardInterrupt


def _write_rows(
    folder: Path, domains: Mapping[str, str], rows: int, model: ModelWithLoss, data: Data, world: World
) -> None:
    from chejil.training.loop.evaluating import by_row

    found = by_row(model, data.held_out, rows, world)
    names = [domain_of(name, domains) for name in data.held_out.names]
    of_row = pa.array([names[source] for source in found.source], pa.string())
    table = pa.table([of_row, found.nats, found.num_bytes], schema=SCHEMA)
    shards.write_shard(str(folder), ROWS, [table.filter(of_row.is_valid())], SCHEMA)


def domain_of(stream: str, domains: Mapping[str, str]) -> str | None:
    """The domain of a stream `source/lang`, None where none means it."""
    return next((name for name, pattern in domains.items() if fnmatchcase(stream, pattern)), None)


def _measured(folder: Path) -> dict[str, Any]:
    """Bits per byte by domain, and scores of items."""
    import numpy as np

    table = shards.read_shard(str(folder / ROWS))
    sums = table.group_by("domain", use_threads=False).aggregate([("nats", "sum"), ("bytes", "sum")])
    rows = zip(*(sums[name].to_pylist() for name in ("domain", "nats_sum", "bytes_sum")), strict=True)
    return {
        "bits_per_byte": {name: nats / float(np.log(2)) / size for name, nats, size in sorted(rows) if size},
        "scores": _scores(folder),
    }


def _scores(folder: Path) -> dict[str, float]:
    """What the suite's last record says, by task and metric; none without a suite."""
    from chejil.training.loop import metrics

    last = metrics.read(folder, "suite")[-1:]
    tasks = last[0]["tasks"] if last else {}
    return {
        f"{task}/{metric}": values[metric]
        for task, values in tasks.items()
        for metric in SCORES
        if values.get(metric) is not None
    }


def _tally(unit: Unit, folder: Path, counts: dict[str, Any]) -> Tally:
    names = [name for name in ("config.yaml", "metrics.jsonl", ROWS) if (folder / name).exists()]
    files = [_file(f"{FOLDER}/{unit.shard}/{name}", folder / name) for name in names]
    return Tally(files, counts)


def _file(path: str, file: Path) -> FileRecord:
    if file.suffix == ".parquet":
        rows = shards.num_rows(str(file))
    else:
        rows = file.read_bytes().count(b"\n")
    return FileRecord(path, rows, file.stat().st_size, shards.file_hash(str(file)))


def _take_threads(threads: int) -> None:
    """So many cores for torch; pools of processes limit every library to one."""
    if threads > 1:
        os.environ.pop("OMP_THREAD_LIMIT", None)
        os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


@cache
def _take_device() -> None:
    """A GPU of this machine for this process alone, as long as it lives: the first that no proxy of this user has."""
    import fcntl

    names, folder = devices(), Path(tempfile.gettempdir()) / f"chejil-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for name in names:
        lock = (folder / name.replace("/", "-")).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = name
        _LOCKS.append(lock)
        return
    if names:
        raise ChejilError(f"all {len(names)} GPUs are taken by other proxies", mend=f"--workers {len(names)}")


_LOCKS: list[Any] = []


def devices() -> list[str]:
    """GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes; asked without torch."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [name for name in said.split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
