"""Metrics of a training as JSON lines: one object a line in metrics.jsonl, and TensorBoard's files beside it.

Each record has `kind`, `step`, `tokens` and `time`; which further keys stand in which kind, with their units, is told
by metric_keys.yaml. A key that is not there is refused: a misspelt one would be a curve that nobody finds.

A file tells each step once. A line is flushed as it is written, so a kill leaves at most one torn line. A training that
goes on from step s did not do the steps behind it: their records are cut off (a new file, renamed), the torn line too,
and how many is said in the `resume` record. `step` counts steps that are done, so what was measured at s itself stays.
TensorBoard hides the same steps by its `purge_step`. NaN and infinity are null: JSON has no other word for them.

Who wants to see records as they come, such as the live view, is a listener: it can do with no more than the file holds,
and draws a finished training as well as a running one. A record of a hundred sources takes 0.14 ms of a core, and
TensorBoard 8 ms: 40 µs a curve.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Any

import orjson
import yaml

from chejil import terminal
from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.config import Logging
from chejil.training.loop.tensorboard_files import TensorBoardFiles

FILE = "metrics.jsonl"
KINDS = ("start", "resume", "train", "evaluation", "suite", "skip", "checkpoint", "end")
_ONCE = ("train", "evaluation", "suite", "skip", "checkpoint")

Record = dict[str, Any]


@cache
def keys() -> dict[str, dict[str, Any]]:
    """The table of keys: `in` (kinds, or all), `unit`, `means`."""
    text = (resources.files("chejil.training.loop") / "metric_keys.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def keys_of(kind: str) -> set[str]:
    """Keys that a record of the kind may have."""
    return {key for key, told in keys().items() if told["in"] == "all" or kind in told["in"]}


def read(folder: str | Path, kind: str | None = None) -> list[Record]:
    """The records of a training, while it goes on too: a line that is not finished is left out.

    Args:
        kind: only those of this kind.

    Raises:
        ChejilError: there are none, or a line within is damaged.
    """
    path = Path(folder) / FILE
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        mend = "give the folder of a training that has begun"
        raise ChejilError(f"cannot read: {error.strerror}", where=str(path), mend=mend) from None
    found = [_parsed(line) for line in lines]
    for number, record in enumerate(found[:-1], 1):
        if record is None:
            raise ChejilError("a damaged line", where=f"{path}:{number}", mend="remove the line")
    return [record for record in found if record is not None and kind in (None, record["kind"])]


def _parsed(line: bytes) -> Record | None:
    """A record; None of a line that is torn or none."""
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    whole = isinstance(record, dict) and record.get("kind") in KINDS and isinstance(record.get("step"), int)
    return record if whole else None


class Metrics:
    """Writes the records of a training; a context manager. All ranks have one, that of the main rank writes.

    Args:
        folder: of the training.
        settings: whether TensorBoard is written, and how often `due` is true.
        resumed_from: steps that are done; what the file tells of later ones is cut off. 0 begins a new file.
        is_main: whether this rank writes.
        listeners: are called with each record.

    Raises:
        ChejilError: the file cannot be written, or TensorBoard is not installed.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Logging,
        *,
        resumed_from: int = 0,
        is_main: bool = True,
        listeners: Sequence[Callable[[Record], None]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.settings, self.resumed_from = Path(folder) / FILE, settings, resumed_from
        self._listeners, self._clock, self._lock = listeners, clock, threading.Lock()
        self._told: set[tuple[str, int]] = set()
        self._stream: IO[bytes] | None = None
        self._tensorboard: TensorBoardFiles | None = None
        try:
            if is_main:
                self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin(self, tokens: int = 0, **about: Any) -> None:
        """Write what the training is: `start`, or `resume` of one that goes on.

        Args:
            about: name, num_steps, and what MeasuredModel.about says.
        """
        if self.resumed_from == 0:
            self.write("start", 0, tokens, **about)
            return
        cut = {"cut_records": self._cut, "torn_lines": self._torn} if self._stream else {}
        self.write("resume", self.resumed_from, tokens, **about, **cut)

    def due(self, step: int) -> bool:
        """Whether a step has a `train` record: every so many, and the first one, which shows that all is well."""
        return step == 1 or step % self.settings.every_steps == 0

    def write(self, kind: str, step: int, tokens: int, **values: Any) -> None:
        """Write a record, and show it to the listeners. Any thread may call it, and any rank: others write nothing.

        A step that was told is not told again: an evaluation that was made before a kill and once more after.

        Args:
            kind: one of KINDS.
            step: steps that are done.
            tokens: that they read, over all ranks.
            values: numbers (a tensor's `.item()`), texts and mappings; see metric_keys.yaml.
        """
        unknown = {*values} - keys_of(kind)
        assert kind in KINDS, f"no kind of record: {kind}"
        assert not unknown, f"no keys of a record of kind {kind}: {sorted(unknown)}"
        if self._stream is None:
            return
        line = _line(
            {"kind": kind, "step": step, "tokens": tokens, "time": round(self._clock(), 3), **values}
        )
        record = orjson.loads(line)  # what is shown is what is written: null, not NaN
        with self._lock:
            self._keep(record, line)
        for listener in self._listeners:
            listener(record)

    def close(self) -> None:
        """Nothing more is written."""
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._stream is not None:
            with suppress(OSError):  # a full disk has been said
                self._stream.close()
        self._stream = self._tensorboard = None

    def _keep(self, record: Record, line: bytes) -> None:
        told = (record["kind"], record["step"])
        if self._stream is None or told in self._told:
            return
        if told[0] in _ONCE:
            self._told.add(told)
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            raise self._cannot_write(error) from None
        if self._tensorboard is not None:
            self._tensorboard.add(record)

    def _open(self) -> None:
        try:
            self._cut, self._torn = self._cut_off()
            self._stream = self.path.open("ab")
            if self.settings.tensorboard:
                self._tensorboard = TensorBoardFiles(self.path.parent, self.resumed_from)
        except OSError as error:
            raise self._cannot_write(error) from None

    def _cut_off(self) -> tuple[int, int]:
        """Rewrite the file without what was not done; numbers of records and of lines that are gone."""
        if not self.path.exists():
            return 0, 0
        lines = self.path.read_bytes().splitlines(keepends=True)
        records = [record for record in map(_parsed, lines) if record is not None]
        kept = [record for record in records if 0 < self.resumed_from >= record["step"]]
        self._told = {(record["kind"], record["step"]) for record in kept if record["kind"] in _ONCE}
        _rewrite(self.path, kept)
        return len(records) - len(kept), len(lines) - len(records)

    def _cannot_write(self, error: OSError) -> ChejilError:
        mend = "make room or mend the disk; the same command goes on from the last checkpoint"
        return ChejilError(f"cannot write: {error.strerror}", where=str(self.path), mend=mend)


def _rewrite(path: Path, records: Iterable[Record]) -> None:
    with shards.new_file(str(path)) as stream:
        stream.writelines(map(_line, records))


def _line(record: Record) -> bytes:
    return terminal.json_text(_plain(record), orjson.OPT_SERIALIZE_NUMPY).encode()


def _plain(value: Any) -> Any:
    """Tensors of one number as numbers."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.item() if hasattr(value, "item") else value
