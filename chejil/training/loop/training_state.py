"""The tensors of a training that a checkpoint holds: weights, and the moments and steps of AdamW, by name.

They are the training's own tensors, no copies: a checkpoint that is loaded into them is restored, nothing is to be set
afterwards. Names are the model's, so neither the number of ranks nor the order of parameter groups matters. Settings of
the optimiser (learning rate, betas, weight decay) are not in it: the config says them, and may change between two runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint import state_dict as by_name

from chejil.training.loop import checkpoint_files as files
from chejil.training.loop import checkpoint_folders as folders
from chejil.training.loop.checkpoints import quieten

MODEL = "model"
OPTIMISER = "optimiser"


def state_of(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The state of a training: `{"model": {name: weight}, "optimiser": {"state.<name>.exp_avg": moment, …}}`.

    An optimiser that has made no step gets its state now, with moments and steps of 0; gradients are then forgotten.

    Args:
        model: whole or sharded; names start from it, so give the language model, not what wraps it.
        optimiser: of all of its weights.
    """
    fresh = not optimiser.state
    if fresh:
        optimiser.zero_grad(set_to_none=True)
    options = by_name.StateDictOptions(flatten_optimizer_state_dict=True)
    named = by_name.get_optimizer_state_dict(model, optimiser, options=options)
    if fresh:  # torch makes the state by a step with learning rate 0, and counts it
        for of_weight in optimiser.state.values():
            of_weight["step"].zero_()
    moments = {name: tensor for name, tensor in named.items() if name.startswith("state.")}
    return {MODEL: by_name.get_model_state_dict(model), OPTIMISER: moments}


def weights_of(folder: Path, verify: bool = True) -> dict[str, torch.Tensor]:
    """The model's weights in a checkpoint of any number of ranks, whole, on the CPU; needs no process group.

    Args:
        folder: of the checkpoint (`step-00000050`).
        verify: hash all of its files first; the moments are two thirds of what is read for that.

    Raises:
        ChejilError: it is damaged, or holds no weights.
    """
    quieten()
    saved = folders.read(folder)
    if verify:
        folders.verify(saved, saved.files)
    weights = {
        name.removeprefix(f"{MODEL}."): torch.empty(tensor.size, dtype=tensor.properties.dtype)
        for name, tensor in files.table_of(saved).items()
        if name.startswith(f"{MODEL}.")
    }
    if not weights:
        raise folders.damaged(folder, "a checkpoint without weights of a model", folder)
    dcp.load({MODEL: weights}, storage_reader=FileSystemReader(folder), no_dist=True)
    return weights
