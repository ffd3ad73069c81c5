"""What decides which tokens a training sees, and in which order. A part of PretrainConfig."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chejil.training.data.held_out import HeldOutSettings
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.packing import PackingSettings


class DataSettings(BaseModel):
    """Rows of a training: their length, how they are packed, and from which sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row_tokens: int = Field(4096, ge=2, le=1 << 20, description="Tokens of a row: the model's context.")
    packing: PackingSettings = Field(
        default_factory=PackingSettings, description="How documents become rows."
    )
    mixture: MixtureStages = Field(default_factory=MixtureStages, description="How much of each source.")
    held_out: HeldOutSettings = Field(
        default_factory=HeldOutSettings, description="Documents that are never trained on."
    )
    seed: int = Field(1, ge=0, lt=2**63, description="Of all orders; held-out documents have their own.")
