"""How tasks are asked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from chejil.eval.harness.tasks import Mode

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DEVICE = r"^(cpu|mps|cuda(:\d+)?)$"


class HarnessSettings(BaseModel):
    """How tasks are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field(
        "harness", description="harness: as lm-eval today; polyglot: as the published numbers."
    )
    limit: PositiveInt | None = Field(None, description="The first items of each task; null: all.")
    batch_size: PositiveInt | Literal["auto"] = Field("auto", description="Rows of a batch.")
    device: str | None = Field(
        None, pattern=DEVICE, description="cpu, cuda, cuda:1 …; null: a GPU where there is one."
    )
    dtype: Dtype = Field("auto", description="Of the weights; auto: as they were saved.")
    skip_broken: bool = Field(False, description="Leave broken rows out and count them.")
