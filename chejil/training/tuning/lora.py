"""LoRA on any causal model of transformers: which layers get an adapter, and what else trains.

W x becomes W x + (alpha / rank) B A x with A (rank, in) drawn and B (out, rank) zero, so the first step starts from
the base exactly (Hu et al. 2021, arXiv:2106.09685). PEFT does that; what is here is where: the layers of
lora_targets.yaml by architecture, checked by name, so that a pattern that fits nothing is refused and never trains
nothing (KULLM's recipe names a layer "xxx" that no model has, and nothing says so). The head never gets one: of a tied
model it is the embedding.

Rows of the embedding for tokens that the base never saw (a template's `<|im_start|>`) train on their own, by
`token_rows`: 2 rows of 4,096 instead of a whole embedding of 64,000.

RWKV halves weights and activations every few layers where it does not train (`rescale_every`, against fp16's range).
It divides the base's weights in place and knows of no adapter: the adapter then counts double, and saved weights are
wrong (logits off by 1.6 on a tiny one). So it is turned off here; fp32 and bf16 need no such care.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, field_validator

from chejil.errors import ChejilError, did_you_mean
from chejil.training.tuning import lora_targets
from chejil.training.tuning.lora_targets import last


class LoraSettings(BaseModel):
    """`lora:` of a fine-tuning."""

    model_config = ConfigDict(extra="forbid")

    rank: PositiveInt = Field(16, description="Rows of A and columns of B of each adapted layer.")
    alpha: float = Field(32.0, gt=0, description="The adapter counts alpha / rank times.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of the adapter's inputs that a step drops.")
    targets: list[str] | None = Field(
        None,
        min_length=1,
        description="Names of linear layers (q_proj, or attention.dense) or regular expressions for whole names; "
        "null: all of the repeated blocks that lora_targets.yaml names for the architecture.",
    )
    rank_stabilised: bool = Field(
        False, description="alpha / sqrt(rank) instead of alpha / rank (rsLoRA), for ranks above 64."
    )
    token_rows: list[str | NonNegativeInt] = Field(
        default_factory=list,
        description="Tokens, or ids, whose rows of embedding and head train too: those that the base never saw.",
    )
    modules_to_save: list[str] = Field(
        default_factory=list, description="Modules that train whole and are kept whole, e.g. embed_tokens."
    )

    @field_validator("targets", "modules_to_save")
    @classmethod
    def _are_patterns(cls, value: list[str] | None) -> list[str] | None:
        for pattern in value or ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
            if not pattern:
                raise ValueError("an empty name")
        return value


@dataclass(frozen=True)
class Adapted:
    """A model with an adapter.

    Args:
        model: a peft.PeftModel.
        targets: the adapted layers by the last part of their names, with how many there are.
        trained: weights that train.
        all: weights of the model, the adapter's too.
        head_trains: whether rows of the head train, or all of it. A loss that reads the head's
            weights itself, as TRL 1.16's SFTTrainer does whatever its loss_type, ends with an AttributeError on rows.
    """

    model: Any
    targets: dict[str, int]
    trained: int
    all: int
    head_trains: bool = False

    def __str__(self) -> str:
        layers = ", ".join(f"{count} {name}" for name, count in self.targets.items())
        return f"LoRA on {layers}: {self.trained:,} of {self.all:,} weights train ({self.trained / self.all:.2%})"


def adapted(
    model: Any, settings: LoraSettings, ids: Mapping[str, int] | None = None, seed: int = 0
) -> Adapted:
    """A model with a new adapter, which alone trains; the adapter's weights are fp32 whatever the base's are.

    Args:
        model: a causal model of transformers; it is changed in place.
        ids: of the tokenizer's tokens, for `token_rows` that are named.
        seed: of the adapter's first weights.

    Raises:
        ChejilError: a pattern that no layer has, a token that is none, or a quantised model.
    """
    import peft

    _refuse_quantised(model)
    steady(model)
    names = lora_targets.target_names(model, settings.targets)
    config = _config(model, settings, names, _rows(model, settings.token_rows, ids or {}))
    with quiet(), _seeded(model, seed):
        made = peft.get_peft_model(model, config)
    parameters = list(made.parameters())
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    everything = sum(one.numel() for one in parameters)
    return Adapted(made, _counted(names), trained, everything, _head_trains(made))


def steady(model: Any) -> None:
    """Make a model's weights stay as they are read: see the module for RWKV."""
    if getattr(model.config, "model_type", None) != "rwkv" or not model.config.rescale_every:
        return
    body, training = model.base_model, model.training
    if body.layers_are_rescaled:  # by a forward before: undone as the model itself does when it trains again
        body.train()
        body._rescale_layers()
        model.train(training)
    model.config.rescale_every = 0


@contextmanager
def quiet() -> Iterator[None]:
    """PEFT calls what transformers 5 has renamed, and warns of what is checked here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        warnings.filterwarnings("ignore", message=".*no longer tied after merging.*")
        warnings.filterwarnings("ignore", message=".*ensure_weight_tying.*")
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")
        yield


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[last(name)] = counts.get(last(name), 0) + 1
    return counts


def _refuse_quantised(model: Any) -> None:
    if getattr(model.config, "quantization_config", None) is not None:
        mend = "give the folder of the unquantised model; in bf16 a 7B takes 14 GB"
        raise ChejilError("the weights are quantised, so an adapter could not be merged exactly", mend=mend)


def _rows(model: Any, tokens: Iterable[str | int], ids: Mapping[str, int]) -> list[int]:
    vocab = model.get_input_embeddings().weight.shape[0]
    found = set()
    for token in tokens:
        number = ids.get(token) if isinstance(token, str) else token
        if number is None:
            raise ChejilError(f"lora.token_rows: no token '{token}'", mend=did_you_mean(str(token), ids))
        if number >= vocab:
            what = f"lora.token_rows: the model has no row {number:,} ({token!r}), only {vocab:,}"
            raise ChejilError(what, mend="take a base with a row for each token of the tokenizer")
        found.add(number)
    return sorted(found)


def _config(model: Any, settings: LoraSettings, names: list[str], rows: list[int]) -> Any:
    import peft

    tied = model.config.get_text_config().tie_word_embeddings
    both = [model.get_input_embeddings(), model.get_output_embeddings()]
    ends = [name for name, module in model.named_modules() if any(module is one for one in both)]
    saved = _saved(model, settings.modules_to_save)
    if rows and set(saved) & {*ends, *map(last, ends)}:
        what = "lora.token_rows and lora.modules_to_save both name the embedding"
        raise ChejilError(what, mend="leave token_rows out: the whole embedding trains")
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=_whole(settings.alpha),  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        use_rslora=settings.rank_stabilised,
        target_modules=lora_targets.short_names(model, names),
        fan_in_fan_out=_transposed(model, names),
        # Of a tied model PEFT trains the head's rows with the embedding's.
        trainable_token_indices={last(name): rows for name in ends[: 1 if tied else 2]} if rows else None,
        modules_to_save=saved or None,
        ensure_weight_tying=bool(tied and set(saved) & {*ends, *map(last, ends)}),
    )


def _head_trains(made: Any) -> bool:
    from torch import nn

    return not isinstance(made.get_base_model().get_output_embeddings(), nn.Linear)


def _whole(value: float) -> float:
    """Other tools read `lora_alpha` as a whole number."""
    return int(value) if value.is_integer() else value


def _saved(model: Any, wanted: list[str]) -> list[str]:
    names = [name for name, _ in model.named_modules() if name]
    for one in wanted:
        if not any(name == one or name.endswith(f".{one}") for name in names):
            there = dict.fromkeys(map(last, names))
            raise ChejilError(f"lora.modules_to_save: no module '{one}'", mend=did_you_mean(one, there))
    return wanted


def _transposed(model: Any, names: list[str]) -> bool:
    from transformers.pytorch_utils import Conv1D

    return all(isinstance(model.get_submodule(name), Conv1D) for name in names)


@contextmanager
def _seeded(model: Any, seed: int) -> Iterator[None]:
    import torch

    device = model.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
