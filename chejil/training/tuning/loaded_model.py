"""A base model with all its weights from its files, and none drawn.

`from_pretrained` draws weights that the files lack, and only logs it: what is then trained or merged begins from noise.
It also raises what each of its libraries raises, so here all of it is one error that names the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chejil.errors import ChejilError
from chejil.training import library_logs

_AGAIN = "copy it again from where it is from"
_CLASSES = "only causal models that transformers has a class for (no trust_remote_code); see that config.json is whole"


def load(folder: str | Path, **given: Any) -> Any:
    """A causal model in fp32.

    Args:
        given: for `from_pretrained`, such as `attn_implementation`.

    Raises:
        ChejilError: transformers cannot load it; weights are missing or of another shape than config.json says.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with library_logs.silenced("transformers"):
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, output_loading_info=True,
                ignore_mismatched_sizes=True, **given,
            )  # fmt: skip
        except Exception as error:  # OSError, ValueError, SafetensorError, …: each library raises its own
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ChejilError(
                f"transformers cannot load the base: {said}", where=str(folder), mend=_CLASSES
            ) from error
    model, told = loaded
    _require_all(sorted(told["missing_keys"]), sorted(map(str, told["mismatched_keys"])), str(folder))
    return model


def _require_all(missing: list[str], mismatched: list[str], folder: str) -> None:
    if mismatched:
        what = (
            f"{len(mismatched)} weights of the base have another shape than config.json says: {mismatched[0]}"
        )
        raise ChejilError(what, where=folder, mend=_AGAIN)
    if missing:
        what = f"the base misses {len(missing)} weights, e.g. {missing[0]}"
        raise ChejilError(what, where=folder, mend=_AGAIN)
