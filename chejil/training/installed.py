"""Whether what trains is installed: torch and transformers are an extra, and what fine-tunes another."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from chejil.errors import ChejilError

TRAIN = ("torch", "transformers", "safetensors")
SFT = (*TRAIN, "trl", "peft", "accelerate", "datasets", "jinja2")
"""The packages of the extras of these names, as they are imported."""


def require_torch() -> None:
    """Refuse to train without them.

    Raises:
        ChejilError: one is not installed.
    """
    _require(TRAIN, "train")


def require_sft() -> None:
    """Refuse to fine-tune without them: one sentence that names all that are missing, not one after the other.

    Raises:
        ChejilError: one is not installed.
    """
    _require(SFT, "sft")


def require_lora() -> None:
    """Refuse to merge an adapter without them; the trainer is not needed for it.

    Raises:
        ChejilError: one is not installed.
    """
    _require((*TRAIN, "peft"), "sft")


def _require(names: Sequence[str], extra: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ChejilError(f"{' and '.join(missing)} not installed", mend=f"pip install 'chejil[{extra}]'")
