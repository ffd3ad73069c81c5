"""The checkpoint that is exported: found, and what its training said of itself. No torch: weights are read later.

`state.json` has what the training told (docs/export.md lists the keys). Only the model's choice is needed; whatever
else is missing leaves a row out of the model card and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.loop import checkpoint_folders as folders
from chejil.training.loop.checkpoint_folders import Saved
from chejil.training.modelling.model_choice import ModelChoice
from chejil.training.modelling.model_sizes import ModelSize

FOLDER = "checkpoints"
GIVE = (
    "give the folder of a training (runs/NAME), or one checkpoint of it (runs/NAME/checkpoints/step-00000050)"
)


@dataclass(frozen=True)
class TrainedCheckpoint:
    """A whole checkpoint of a training.

    Args:
        training: the folder of the training: metrics and tokenizer lie there.
    """

    saved: Saved
    training: Path

    @property
    def step(self) -> int:
        """Steps that were done."""
        return self.saved.step

    @property
    def settings(self) -> Mapping[str, Any]:
        """The resolved config, as it was written."""
        return self.saved.told["config"]

    @property
    def name(self) -> str:
        """Of the training."""
        return str(self.settings.get("name", self.training.name))

    @cached_property
    def config(self) -> PretrainConfig:
        """The config, checked.

        Raises:
            ChejilError: another version of chejil wrote it, or what it names has gone.
        """
        try:
            return PretrainConfig.model_validate(self.settings)
        except ValidationError as error:
            raise _odd_config(self.saved, error) from None

    @cached_property
    def choice(self) -> ModelChoice:
        """Which model it is."""
        try:
            return ModelChoice.model_validate(self.settings.get("model"))
        except ValidationError as error:
            raise _odd_config(self.saved, error) from None

    @cached_property
    def size(self) -> ModelSize:
        """The model's size.

        Raises:
            ChejilError: it started from a folder that is not there any more.
        """
        return self.choice.resolved()

    @property
    def rows(self) -> Mapping[str, Any]:
        """`Batches.identity` of the training; empty where it was not told."""
        return self.saved.told.get("rows") or {}

    @property
    def row_tokens(self) -> int:
        """Tokens of a row."""
        return int(self.settings.get("context_tokens") or self.size.context_tokens)

    @property
    def tokens(self) -> int:
        """Places that were read: steps times tokens of a batch."""
        return self.step * int(self.settings.get("batch_tokens", 0))

    @property
    def starts_documents(self) -> bool:
        """Whether documents begin with the end-of-document token."""
        return bool((self.settings.get("packing") or {}).get("start_token", True))


def find(place: str) -> TrainedCheckpoint:
    """The checkpoint of a folder: that itself, or the newest of a training.

    Raises:
        ChejilError: none is there, it is not whole, or the folder is something else.
    """
    if "://" in place:
        raise ChejilError("checkpoints are read from a local disk", where=place, mend=f"copy it; {GIVE}")
    folder = Path(place).expanduser().absolute()
    if not folder.is_dir():
        what = "a file, no checkpoint" if folder.exists() else "no such folder"
        raise ChejilError(what, where=place, mend=GIVE)
    saved = _read(folder, place)
    if not isinstance(saved.told.get("config"), dict):
        raise ChejilError(
            "its state.json has no config", where=str(saved.folder), mend="restore it from a copy"
        )
    return TrainedCheckpoint(saved, saved.folder.parent.parent)


def _read(folder: Path, place: str) -> Saved:
    if folder.suffix in (".part", ".gone", ".old"):
        what = "no whole checkpoint: a killed training left it, or one is writing it now"
        raise ChejilError(
            what, where=place, mend=f"give another one; the newest of a training is taken: {GIVE}"
        )
    if re.fullmatch(r"step-\d{8,}", folder.name):
        return folders.read(folder)
    within = folder if folders.steps(folder) else folder / FOLDER
    found = folders.newest(within)
    if found is None:
        raise ChejilError(_said(folder), where=place, mend=GIVE)
    return found


def _said(folder: Path) -> str:
    """What a folder without a checkpoint is."""
    if (folder / FOLDER).is_dir() or folder.name == FOLDER:
        return "no complete checkpoint: the training has saved none yet"
    kinds = {
        "tokens or documents, no training": folder / "manifest.json",
        "a model of Hugging Face already, no checkpoint of a training": folder / "config.json",
        "a tokenizer, no training": folder / "tokenizer.json",
    }
    return next((what for what, file in kinds.items() if file.is_file()), "no checkpoint and no training")


def _odd_config(saved: Saved, error: ValidationError) -> ChejilError:
    first = error.errors()[0]
    what = f"a config that cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    mend = "export it with the version of chejil that trained it (state.json names it)"
    return ChejilError(what, where=str(saved.folder / folders.STATE), mend=mend)
