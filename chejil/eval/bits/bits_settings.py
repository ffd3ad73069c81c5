"""What a measurement of bits per byte depends on, beside the model and the documents."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.eval.harness.harness_settings import DEVICE

MOST_CONTEXT = 4096
By = Literal["source", "lang"]


class BitsSettings(BaseModel):
    """How documents are grouped and scored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: tuple[By, ...] = Field(("source", "lang"), min_length=1, description="What makes a row of the table.")
    context: int | None = Field(
        None, ge=2, description=f"Tokens of a window [default: the model's context, at most {MOST_CONTEXT}]."
    )
    stride: int | None = Field(
        None, ge=1, description="Tokens from one window to the next [default: half the context]."
    )
    limit_bytes: int | None = Field(
        None, ge=1, description="First documents of each row, until they have so many bytes."
    )
    device: str | None = Field(None, pattern=DEVICE, description="cpu, cuda, cuda:1 …")
    dtype: str = Field("auto", description="Of the weights; auto: as saved.")

    @model_validator(mode="after")
    def _of_windows(self) -> Self:
        if self.context is not None and self.stride is not None and self.stride > self.context:
            raise ValueError(f"stride {self.stride} is longer than the context {self.context}")
        return self
