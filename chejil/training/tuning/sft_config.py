"""What a fine-tuning does: model, conversations, template, rows, schedule, adapter. YAML in, defaults written out.

The defaults are those of the published setting (42dot LLM-SFT: global batch 16, 2e-5, 3 epochs, 4,096 tokens, no weight
decay, 3 % warm-up). As in a pretraining, a step is `batch_rows` whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from chejil.curation import settings_file
from chejil.training.config import Logging, Section, SuiteSettings
from chejil.training.conversations.message_trees import Paths
from chejil.training.tuning.lora import LoraSettings

MODEL, ADAPTER = "model", "adapter"
"""Folders that a fine-tuning leaves, in its own."""

Overflow = Literal["drop", "cut_turns", "truncate", "refuse"]

Places = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class HeldOutConversations(BaseModel):
    """Conversations that are measured and never learnt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: Places = Field(
        [], description="Files of their own; what they ask is taken out of the others. Empty: `share`."
    )
    share: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Set aside by a hash of what is asked, so that no question is on both sides; 0: nothing.",
    )
    max_conversations: PositiveInt = Field(1_000, description="An evaluation reads so many at most.")
    seed: int = Field(1, ge=0, lt=2**63, description="Of the hash.")


class Conversations(BaseModel):
    """What is learnt from, and how it becomes rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: Places = Field(min_length=1, description="Files, folders, globs; any layout of docs/sft-data.md.")
    layout: str | None = Field(None, description="Of every record; null: told from its keys.")
    tree_paths: Paths = Field("best", description="Of OpenAssistant's trees: the best path, or all.")
    overflow: Overflow = Field(
        "drop",
        description="A conversation longer than context_tokens. drop: left out whole; cut_turns: as many whole turns "
        "as fit; truncate: cut, its end is not learnt; refuse: no training. All are counted.",
    )
    held_out: HeldOutConversations = Field(
        default_factory=HeldOutConversations, description="What is measured."
    )


class SftSchedule(Section):
    """The learning rate over the steps."""

    kind: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How it falls after the warm-up."
    )
    learning_rate: float = Field(
        2e-5, gt=0, lt=1, description="The highest; for LoRA ten times that is usual."
    )
    warmup_share: float = Field(0.03, ge=0, lt=1, description="Share of all steps in which it rises from 0.")


class SftOptimiser(Section):
    """AdamW."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.999), description="Decay of the two moments."
    )
    eps: float = Field(1e-8, gt=0, description="In the denominator.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled, times the learning rate.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")


class SftCheckpoints(Section):
    """When held-out conversations are measured and the state is saved, in this order."""

    every_steps: PositiveInt | None = Field(None, description="Steps between two; null: a tenth of all.")
    keep_last: int = Field(
        2, ge=2, description="The newest, kept to resume from; the best one is kept beside them."
    )


class SftConfig(Section):
    """A fine-tuning on conversations."""

    name: str = Field(
        pattern=r"^\w[\w.+-]*$", max_length=80, description="Its name; runs/NAME is its folder."
    )
    about: str = Field("", description="One line for people.")
    model: str = Field(min_length=1, description="A Hugging Face folder, as `chejil export` writes it.")
    template: str | None = Field(
        None, description="A chat template's name or Jinja file; null: the one beside the tokenizer."
    )
    conversations: Conversations = Field(description="What is learnt from.")
    context_tokens: PositiveInt = Field(4096, description="Tokens of a row.")
    packing: Literal["packed", "padded"] = Field(
        "packed",
        description="packed: whole conversations share a row and do not see each other; padded: one a row.",
    )
    batch_rows: PositiveInt = Field(16, description="Rows of a step, over all processes.")
    micro_batch_rows: PositiveInt = Field(1, description="Rows that a process takes at once.")
    epochs: float = Field(3, gt=0, description="How often each conversation is seen.")
    schedule: SftSchedule = Field(default_factory=SftSchedule, description="The learning rate.")
    optimiser: SftOptimiser = Field(default_factory=SftOptimiser, description="AdamW.")
    lora: LoraSettings | None = Field(None, description="Train an adapter; null: all weights.")
    max_truncated_share: float = Field(
        0.05, ge=0, le=1, description="The audit refuses if more conversations than that overflow."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one.")
    precision: Literal["bf16", "fp32"] = Field(
        "bf16", description="Of products and activations; weights and moments are fp32."
    )
    attention: Literal["auto", "sdpa", "flash_attention_2", "flex_attention", "eager"] = Field(
        "auto", description="auto: flash_attention_2 where it is installed and there is a GPU, else sdpa."
    )
    activation_checkpointing: bool = Field(
        False, description="Layers are computed again in the backward pass."
    )
    sharding: Literal["none", "fsdp"] = Field(
        "fsdp", description="Of several processes: fsdp, weights in parts (FSDP2); none: whole on each."
    )
    checkpoints: SftCheckpoints = Field(default_factory=SftCheckpoints, description="Measured, saved, kept.")
    evaluation: SuiteSettings = Field(default_factory=SuiteSettings, description="A suite of items.")
    logging: Logging = Field(default_factory=Logging, description="Metrics.")
    seed: int = Field(1, ge=0, lt=2**32, description="Of the order of rows, of adapters and dropout.")
    deterministic: bool = Field(
        False, description="The same bits in every run on the same ranks, where the device can; slower."
    )

    @model_validator(mode="after")
    def _even(self) -> SftConfig:
        if self.batch_rows % self.micro_batch_rows:
            raise ValueError(
                f"batch_rows {self.batch_rows} is no multiple of micro_batch_rows {self.micro_batch_rows}"
            )
        return self


def load(name: str, settings: Sequence[str] = ()) -> SftConfig:
    """Read a config: a file, a URL, or the bare name of one that ships; see settings_file.load."""
    return settings_file.load(SftConfig, name, settings, "sft-")
