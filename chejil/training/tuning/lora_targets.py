"""Which layers get an adapter: names by pattern, from lora_targets.yaml or the user, checked against the model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import yaml

from chejil.errors import ChejilError, did_you_mean

MAX_NAMES = 20
"""Names of layers that an error lists."""

_NAME = re.compile(r"[\w.]+")


def target_names(model: Any, targets: Iterable[str] | None = None) -> list[str]:
    """Whole names of the layers that an adapter goes to, in the model's order.

    Raises:
        ChejilError: a target that no linear layer has, or a model without linear layers in repeated blocks.
    """
    linear = _linear_names(model)
    if targets is None:
        found = [name for name in linear if _is_default(model.config.model_type, name)]
        if not found:
            raise _no_match(model, "no layer for LoRA is known", linear)
        return found
    targets = list(targets)
    for target in targets:
        if not any(_fits(target, name) for name in linear):
            raise _no_match(model, f"no linear layer is called '{target}'", linear, target)
    return [name for name in linear if any(_fits(target, name) for target in targets)]


def short_names(model: Any, names: list[str]) -> list[str]:
    """Last parts of the names, which vLLM and others read, where they name the same layers; else whole names."""
    short = set(map(last, names))
    meant = {name for name, _ in model.named_modules() if last(name) in short}
    return sorted(short) if meant == set(names) else names


def last(name: str) -> str:
    """The last part of a module's name."""
    return name.rpartition(".")[2]


@cache
def _table() -> dict[str, Any]:
    text = (resources.files("chejil.training.tuning") / "lora_targets.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def _is_default(kind: str, name: str) -> bool:
    """Whether a layer of a model of this type gets an adapter where the user names none."""
    families = _table()["families"].values()
    layers = next((row["layers"] for row in families if kind in row["types"]), None)
    known = last(name) in layers if layers is not None else last(name) not in _table()["routers"]
    return _in_a_block(name) and known


def _linear_names(model: Any) -> list[str]:
    """Linear layers but the head."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    ]


def _in_a_block(name: str) -> bool:
    return any(part.isdigit() for part in name.split("."))


def _fits(target: str, name: str) -> bool:
    if _NAME.fullmatch(target) and (name == target or name.endswith(f".{target}")):
        return True
    return re.fullmatch(target, name) is not None


def _no_match(model: Any, what: str, linear: list[str], target: str | None = None) -> ChejilError:
    """With the names that are there; the numbers of blocks as `*`."""
    there = list(dict.fromkeys(re.sub(r"\.\d+\.", ".*.", name) for name in linear))
    shown = ", ".join(there[:MAX_NAMES]) or "none"
    more = f" and {len(there) - MAX_NAMES} more" if len(there) > MAX_NAMES else ""
    near = f"{did_you_mean(target, dict.fromkeys(map(last, linear)))}; " if target and linear else ""
    mend = f"{near}lora.targets takes names of linear layers (never the head): {shown}{more}"
    return ChejilError(what, where=f"a model of type {model.config.model_type}", mend=mend)
