"""TensorBoard's files of a training: the numbers of the same records, as curves over steps.

    train/loss                          evaluation/bits_per_byte
    train/SOURCE/LANGUAGE/loss          evaluation/SOURCE/LANGUAGE/bits_per_byte      evaluation/LANGUAGE/bits_per_byte
    suite/acc                           suite/TASK/acc

A file cannot be cut, so after a kill the steps that were not done stand in it; `purge_step` makes TensorBoard hide
them. The writer flushes in the background, and at once where a checkpoint is told: behind it nothing is kept anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chejil.errors import ChejilError

FOLDER = "tensorboard"
_CURVES = ("train", "evaluation", "suite", "skip")
_NO_CURVES = ("step", "tokens", "time", "num_tokens", "num_bytes", "num_items")
_GROUPS = ("sources", "languages", "tasks")


class TensorBoardFiles:
    """Scalars of records.

    Args:
        folder: of the training; the files stand in tensorboard/ below.
        resumed_from: steps that are done; later ones of files that are there are hidden. 0 hides all.

    Raises:
        ChejilError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, resumed_from: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            mend = "pip install 'chejil[train]', or set logging.tensorboard: false"
            raise ChejilError(f"TensorBoard cannot be loaded: {error}", mend=mend) from None
        below = folder / FOLDER
        purge = (resumed_from + 1 if resumed_from else 0) if below.exists() else None
        self._writer = SummaryWriter(str(below), purge_step=purge, flush_secs=30)

    def add(self, record: dict[str, Any]) -> None:
        """Add the numbers of a record."""
        if record["kind"] in _CURVES:
            for name, value in scalars(record):
                self._writer.add_scalar(name, value, record["step"], walltime=record["time"])
        if record["kind"] in ("checkpoint", "end"):
            self._writer.flush()

    def close(self) -> None:
        """Flush what is left."""
        self._writer.close()


def scalars(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and numbers of the curves that a record has points of; null has none.

    >>> dict(
    ...     scalars(
    ...         {"kind": "train", "step": 3, "loss": 2.5, "mfu": None, "sources": {"law/ko": {"loss": 2.0}}}
    ...     )
    ... )
    {'train/loss': 2.5, 'train/law/ko/loss': 2.0}
    """
    parts = {"": record}
    for group in _GROUPS:
        parts |= record.get(group, {})
    for part, values in parts.items():
        for key, value in values.items():
            if isinstance(value, int | float) and key not in _NO_CURVES:
                yield "/".join(filter(None, (record["kind"], part, key))), value
