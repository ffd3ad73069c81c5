"""Which model a config trains: a named size, a model in a Hugging Face folder, or fields; and what is changed of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from chejil.errors import did_you_mean
from chejil.training.modelling import model_sizes
from chejil.training.modelling.model_sizes import ModelSize

GROWING = ("vocab", "context_tokens", "rope_theta")
"""What may be changed of weights that exist: new rows of the embedding, longer sequences."""

SHAPING = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "tied")
"""What makes another model of a size, to which its name no longer belongs."""


NEEDED = ("layers", "hidden", "heads", "ffn", "vocab", "context_tokens")
"""What has no default."""


class ModelChoice(BaseModel):
    """A model: a size by its name, a folder to start from, or fields. `1b3` is short for `{size: 1b3}`."""

    model_config = ConfigDict(extra="forbid")

    size: str | None = Field(
        None,
        description="A name of sizes.yaml: debug, 20m, 60m, 150m, 400m, 1b3, 7b. Other fields change it.",
    )
    start_from: str | None = Field(
        None, description="Continue from this Hugging Face folder of a Llama: its shape and its weights."
    )
    layers: PositiveInt | None = Field(None, description="Decoder layers.")
    hidden: PositiveInt | None = Field(None, description="Width of the residual stream.")
    heads: PositiveInt | None = Field(None, description="Heads of queries.")
    kv_heads: PositiveInt | None = Field(
        None, description="Heads of keys and values; fewer share them (GQA)."
    )
    head_dim: PositiveInt | None = Field(None, description="Width of a head; null: hidden / heads.")
    ffn: PositiveInt | None = Field(None, description="Width of the feed-forward.")
    vocab: PositiveInt | None = Field(
        None, description="Rows of the embedding, at least the tokenizer's ids. Best a multiple of the GPUs."
    )
    context_tokens: PositiveInt | None = Field(None, description="Longest sequence that it is made for.")
    tied: bool | None = Field(None, description="Whether the output head is the embedding.")
    norm_eps: float | None = Field(None, gt=0, description="Of the RMS norms.")
    rope_theta: float | None = Field(None, gt=0, description="Base of the rotary positions.")
    init_std: float | None = Field(None, gt=0, le=1, description="Standard deviation of the initial weights.")
    attention_bias: bool | None = Field(None, description="Biases in the projections of attention.")
    mlp_bias: bool | None = Field(None, description="Biases in the feed-forward.")
    named_parameters: PositiveInt | None = Field(
        None, description="What the model's name promises; used by `flops: 6n-named`."
    )

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        return {"size": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _makes_a_model(self) -> ModelChoice:
        if self.size is not None and self.start_from is not None:
            raise ValueError("`size` and `start_from` exclude each other")
        if self.size is not None and self.size not in model_sizes.sizes():
            raise ValueError(f"no size '{self.size}': {did_you_mean(self.size, model_sizes.sizes())}")
        fixed = sorted(self._changes().keys() - GROWING)
        if self.start_from is not None and fixed:
            raise ValueError(f"weights that exist keep their {', '.join(fixed)}")
        if self.start_from is None:
            self.resolved()
        return self

    def resolved(self) -> ModelSize:
        """The model's size with all changes.

        Raises:
            ChejilError: `start_from` is no folder of a Llama.
            ValueError: fields that make no model.
        """
        changes = self._changes()
        if self.start_from is not None:
            base = model_sizes.size_of_folder(self.start_from).model_dump()
        else:
            base = model_sizes.size(self.size).model_dump() if self.size else {}
        if changes.keys() & set(SHAPING):
            base["named_parameters"] = None
        missing = [name for name in NEEDED if name not in {**base, **changes}]
        if missing:
            raise ValueError(f"give a `size`, or also {', '.join(missing)}")
        try:
            return ModelSize.model_validate({**base, **changes})
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    def _changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True, exclude={"size", "start_from"})
