"""What a mixture is made of: shares of bytes, by language first and by source within it, and what bounds them.

Weights are shares of bytes of text, as everywhere: a share of tokens would favour the language that a tokenizer cuts
finer. Nothing is normalised unless it is asked for, since shares that add up to 1.1 are a mistake more often than not.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chejil.training.data.mixture import Epochs
from chejil.training.mixing.document_weights import DocumentWeights
from chejil.training.planning.epochs import ExpectedSource
from chejil.training.whole_numbers import Count, Positive

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Shares(BaseModel):
    """Shares of the bytes of a stage."""

    model_config = ConfigDict(extra="forbid")

    languages: dict[str, Share] = Field(
        default_factory=dict,
        description="Share of each language, `ko: 0.4`; they add up to 1. None: sources share all of it.",
    )
    weights: dict[str, Share | Literal["natural"]] = Field(
        default_factory=dict,
        description="Share of each source within its language (of everything where no languages are given): "
        "`wiki-ko: 0.1`, `mc4-*`, `wiki-ko/ko`. `natural`: what no number names shares the rest by size. None: all "
        "natural. What no name means is left out.",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=True,
        description="Sizes count to the power of 1/temperature: 1 in proportion, .inf all alike.",
    )
    normalise: bool = Field(False, description="Divide shares that do not add up to 1 by their sum.")


class LaterStage(Shares):
    """Shares from a token on; all of them are said again."""

    from_tokens: Positive = Field(description="Tokens before it begins.")


class MixSettings(Shares):
    """A mixture."""

    name: str = Field("mix", pattern=r"^\w[\w.+-]*$", max_length=80, description="Its name.")
    about: str = Field("", description="One line for people.")
    tokens: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        default_factory=list, description="Folders of token shards that `chejil encode` wrote."
    )
    expected: dict[str, ExpectedSource] = Field(
        default_factory=dict,
        description="What sources hold that are not encoded yet: `wiki-ko/ko: {tokens: 250e6, bytes_per_token: 4}`.",
    )
    total_tokens: Positive = Field(description="The horizon: tokens of the whole training.")
    row_tokens: Positive = Field(4096, description="Tokens of a row (sequence) of the training.")
    later: list[LaterStage] = Field(
        default_factory=list, description="Stages after the first, which the shares above are of."
    )
    max_epochs: dict[str, Epochs] = Field(
        default_factory=dict, description="How often a source may be read at the horizon, by name or pattern."
    )
    over_cap: Literal["refuse", "redistribute"] = Field(
        "refuse",
        description="A source above its cap: an error; or others of its language (of all, without languages) take "
        "the excess in proportion to their shares.",
    )
    headroom: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Caps count the text less this share: the training holds documents out and pads rows.",
    )
    min_sequences: Count = Field(
        100,
        description="A source that gets fewer rows at the horizon is warned of: it teaches next to nothing.",
    )
    documents: DocumentWeights | None = Field(
        None, description="How often documents are repeated, for `--shards`."
    )

    @model_validator(mode="after")
    def _in_order(self) -> MixSettings:
        begins = [stage.from_tokens for stage in self.later]
        if any(a >= b for a, b in pairwise(begins)):
            raise ValueError("`later` stages follow one another: each begins after the one before")
        if begins and begins[-1] >= self.total_tokens:
            raise ValueError(
                f"a stage from {begins[-1]:,} tokens on is behind the end at {self.total_tokens:,}"
            )
        return self

    @model_validator(mode="after")
    def _has_sizes(self) -> MixSettings:
        if not self.tokens and not self.expected:
            raise ValueError("give `tokens` (folders of token shards) or `expected` (sizes of sources)")
        return self

    def stages(self) -> list[tuple[int, Shares]]:
        """Tokens at which each stage begins, and its shares."""
        return [(0, self), *((stage.from_tokens, stage) for stage in self.later)]
