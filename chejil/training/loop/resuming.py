"""What a checkpoint tells beside its tensors, and going on from it.

state.json of a checkpoint, beside what checkpoint_folders.py writes:

    tokens      read so far, over all processes, with padding
    rows         Batches.identity: the data, its order, the mixture so far
    model_config of transformers: what function the weights are
    guard       memory of the spike guard
    config      with every default
    lineage     what it was made from: token shards and their inputs, tokenizer, the model that it started from; hashes
    versions    of what decides bits
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from chejil import __version__
from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.loop.checkpoint_folders import STATE, Saved, damaged
from chejil.training.loop.checkpoints import Checkpoints
from chejil.training.loop.data import Data
from chejil.training.loop.parallel import World
from chejil.training.loop.spike_guard import Guard
from chejil.training.modelling.losses import ModelWithLoss

TOLD = {"tokens", "rows", "guard", "config", "model_config", "lineage", "versions"}
"""What every checkpoint tells."""

FUNCTION = (
    "head_dim", "hidden_act", "num_attention_heads", "num_key_value_heads", "rms_norm_eps", "rope_parameters",
)  # fmt: skip
"""Of a model's config: what no shape of a weight shows."""


class Told:
    """What checkpoints of a training tell."""

    def __init__(
        self, config: PretrainConfig, data: Data, model: ModelWithLoss, guard: Guard, world: World
    ) -> None:
        self._config, self._guard = config, guard
        self._always = {
            "rows": data.batches.identity,
            "config": config.model_dump(mode="json"),
            "model_config": _config_of(model),
            "lineage": lineage(config, data) if world.is_main else {},  # rank 0's is kept
            "versions": versions(),
        }

    def at(self, step: int) -> dict[str, Any]:
        """What one of so many steps tells."""
        return {"tokens": step * self._config.batch_tokens, "guard": self._guard.state(), **self._always}


def versions() -> dict[str, str]:
    """Of what decides bits."""
    return {"chejil": __version__, "torch": torch.__version__, "transformers": transformers.__version__}


def lineage(config: PretrainConfig, data: Data) -> dict[str, Any]:
    """What a training is made from, by hashes."""
    found: dict[str, Any] = {
        "tokenizer": data.corpus.tokenizer_hash,
        "tokens": [
            {
                "folder": folder.root,
                "fingerprint": folder.fingerprint,
                "inputs": folder.manifest.get("inputs", []),
            }
            for folder in data.corpus.folders
        ],
    }
    if config.model.start_from is not None:
        files = sorted(Path(config.model.start_from).glob("*.safetensors"))
        hashes = {file.name: shards.file_hash(str(file)) for file in files}
        found["start_from"] = {"folder": config.model.start_from, "files": hashes}
    return found


def resume(
    checkpoints: Checkpoints,
    config: PretrainConfig,
    data: Data,
    model: ModelWithLoss,
    state: Mapping[str, Any],
    guard: Guard,
    say: Callable[[str], None],
) -> int:
    """Go on from the newest checkpoint, if there is one; the steps that are done.

    Args:
        model: what the weights are of.
        state: tensors of the training, see training_state.state_of; they are filled.
        say: is told what differs from the config of the checkpoint.

    Raises:
        ChejilError: other rows, another model, a damaged checkpoint.
    """
    saved = checkpoints.newest()
    if saved is None:
        return 0
    missing = sorted(TOLD - saved.told.keys())
    if missing:
        raise damaged(saved.folder, f"lacks {', '.join(missing)}", saved.folder / STATE)
    if saved.step > config.steps:
        what = f"the checkpoint has done {saved.step:,} steps, the config has {config.steps:,}"
        raise ChejilError(what, where=str(saved.folder), mend="raise total_tokens, or choose another --out")
    data.batches.refuse_another(saved.told["rows"], saved.step)
    for change in changes(saved.told["config"], config.model_dump(mode="json")):
        say(f"unlike step {saved.step:,}: {change}")
    _refuse_another_model(saved, _config_of(model))
    checkpoints.restore(saved, dict(state))
    guard.restore(saved.told["guard"])
    return saved.step


def _config_of(model: ModelWithLoss) -> dict[str, Any]:
    """As JSON gives it back."""
    return json.loads(model.model.config.to_json_string(use_diff=False))


def _refuse_another_model(saved: Saved, now: dict[str, Any]) -> None:
    """Shapes may agree where the function does not: heads, the base of rotary positions, epsilons."""
    before = saved.told["model_config"]
    found = [line for name in FUNCTION for line in changes(before.get(name), now.get(name), f"model {name}")]
    if found:
        mend = "take the model of the checkpoint, or choose another --out"
        raise ChejilError(
            f"the checkpoint is of another model: {'; '.join(found)}", where=str(saved.folder), mend=mend
        )


def changes(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two configs, a line each.

    >>> changes({"seed": 1, "loss": {"z_loss": 0}}, {"seed": 1, "loss": {"z_loss": 0.1}})
    ['loss.z_loss is 0.1, was 0']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*now, *(key for key in before if key not in now)]
        parts = [changes(before.get(key), now.get(key), f"{name}.{key}".strip(".")) for key in keys]
        return [line for part in parts for line in part]
    return [] if before == now else [f"{name} is {now}, was {before}"]
