"""Model sizes: what a Llama decoder is made of, how many parameters it has, and what a token costs.

Counts are those of transformers' LlamaForCausalLM (a test builds the models and compares), without torch. A model has
several counts, and papers name one without saying which: the published "1.3 B" has 1.233 B without embeddings, 1.336 B
with one of its two vocabulary matrices, 1.439 B in all. So every number here says which count it is, and FLOPs say by
which formula: five conventions put the same run between 19.8 and 26.5 % MFU.

FLOPs a token, forward and backward, a multiplication and an addition being two (Kaplan et al. 2020, section 2.1; the
attention term as in Chowdhery et al. 2022, PaLM, appendix B): 6·N for N weights that multiply each token, and
12·L·H·Q·T for attention of L layers, H heads of Q, over T positions. A causal mask leaves half of it to do (6·L·H·Q·T).
Recomputed activations are not counted: that is what tells MFU from the utilisation of the hardware.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from chejil.errors import ChejilError, did_you_mean

FORMULAS = {
    "6n-named": "6·N·D, N as the model's name rounds it (1b3: 1.3 B); no attention",
    "6n-body": "6·N·D, N without the vocabulary's matrices; no attention",
    "6n": "6·N·D, N the weights that multiply a token: body and output head; no attention",
    "6n-all": "6·N·D, N all weights, the input embedding too, which is looked up and not multiplied; no attention",
    "6n+6lht": "6·N·D as in 6n, and 6·L·H·Q·T a token: attention behind a causal mask (half of PaLM's term)",
    "6n+12lht": "6·N·D as in 6n, and 12·L·H·Q·T a token: attention as PaLM counts it, mask or not",
}
"""Conventions of FLOPs a token, by name."""

LEAST_LOGITS = 2**20
"""Of a chunk of the loss: 4 MB in fp32, which caches of a CPU hold."""

LLAMA_LIKE = ("llama",)
"""`model_type` of Hugging Face folders that LlamaForCausalLM loads."""

ROPES = ("default", "linear", "llama3", "yarn")
"""Rotary positions that do not change with the length of what is read, so that a row is trained as it will be used."""


class ModelSize(BaseModel):
    """A Llama decoder: RMS norms, rotary positions, gated feed-forward (SwiGLU), no biases unless said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: PositiveInt = Field(description="Decoder layers.")
    hidden: PositiveInt = Field(description="Width of the residual stream.")
    heads: PositiveInt = Field(description="Heads of queries.")
    kv_heads: PositiveInt | None = Field(
        None, description="Heads of keys and values; fewer share them (GQA)."
    )
    head_dim: PositiveInt | None = Field(None, description="Width of a head; null: hidden / heads.")
    ffn: PositiveInt = Field(description="Width of the feed-forward.")
    vocab: PositiveInt = Field(description="Rows of the embedding: the tokenizer's ids, padded.")
    context_tokens: PositiveInt = Field(description="Longest sequence that it is made for.")
    tied: bool = Field(False, description="Whether the output head is the embedding.")
    norm_eps: float = Field(1e-5, gt=0, description="Of the RMS norms.")
    rope_theta: float = Field(10_000.0, gt=0, description="Base of the rotary positions.")
    init_std: float = Field(0.02, gt=0, le=1, description="Standard deviation of the initial weights.")
    attention_bias: bool = Field(False, description="Whether q, k, v and output projections have biases.")
    mlp_bias: bool = Field(False, description="Whether the feed-forward has biases.")
    named_parameters: PositiveInt | None = Field(None, description="What the model's name promises.")

    @model_validator(mode="after")
    def _heads_fit(self) -> ModelSize:
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"{self.heads} heads do not share {self.kv_heads} kv_heads evenly")
        if self.head_dim is None and self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} does not divide by {self.heads} heads: give a head_dim")
        if self.head_width % 2:
            raise ValueError(f"heads of {self.head_width} are odd: rotary positions turn pairs")
        return self

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.head_dim or self.hidden // self.heads

    @property
    def attention_width(self) -> int:
        """Of all queries, H·Q; mostly `hidden`."""
        return self.heads * self.head_width

    @property
    def kv_width(self) -> int:
        """Of all keys; of all values."""
        return (self.kv_heads or self.heads) * self.head_width

    @property
    def layer_parameters(self) -> int:
        """Of one layer: four projections, three of the feed-forward, two norms."""
        wide, narrow = self.attention_width, self.kv_width
        attention = 2 * self.hidden * (wide + narrow)
        biases = self.attention_bias * (wide + 2 * narrow + self.hidden)
        biases += self.mlp_bias * (2 * self.ffn + self.hidden)
        return attention + 3 * self.hidden * self.ffn + 2 * self.hidden + biases

    @property
    def body_parameters(self) -> int:
        """Without the vocabulary's matrices: layers and the last norm."""
        return self.layers * self.layer_parameters + self.hidden

    @property
    def embedding_parameters(self) -> int:
        """Of one matrix over the vocabulary."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All that are stored: a tied head is the embedding."""
        return self.body_parameters + (1 if self.tied else 2) * self.embedding_parameters

    @property
    def multiplying_parameters(self) -> int:
        """Those that multiply every token: body and output head, tied or not."""
        return self.body_parameters + self.embedding_parameters

    def counts(self) -> dict[str, int]:
        """Every count that papers call "the parameters"."""
        return {
            "body": self.body_parameters,
            "body + one vocabulary matrix": self.multiplying_parameters,
            "all": self.parameters,
        }

    def named_count(self) -> str | None:
        """Which count the name rounds: the nearest one; None without a name.

        >>> size("1b3").named_count()
        'body + one vocabulary matrix'
        """
        named = self.named_parameters
        if named is None:
            return None
        nearest = min(abs(count - named) for count in self.counts().values())
        # Of a tied model two counts are the same: the last, `all`.
        return [kind for kind, count in self.counts().items() if abs(count - named) == nearest][-1]

    def flops_per_token(self, formula: str, context_tokens: int | None = None) -> int:
        """FLOPs of a token, forward and backward, by a formula of FORMULAS.

        Args:
            context_tokens: positions that attention sees, T; null: the model's.

        Raises:
            ChejilError: an unknown formula, or `6n-named` of a model without a name.
        """
        if formula not in FORMULAS:
            raise ChejilError(f"no formula '{formula}'", mend=did_you_mean(formula, FORMULAS))
        if formula == "6n-named" and self.named_parameters is None:
            what = "`6n-named` needs the parameters that the model's name promises"
            raise ChejilError(what, mend="give model.named_parameters, or take flops: 6n")
        weights = {
            "6n-named": self.named_parameters or 0,
            "6n-body": self.body_parameters,
            "6n-all": self.parameters,
        }
        attention = {"6n+6lht": 6, "6n+12lht": 12}.get(formula, 0) * self.layers * self.attention_width
        positions = self.context_tokens if context_tokens is None else context_tokens
        return 6 * weights.get(formula, self.multiplying_parameters) + attention * positions

    def llama_config(self) -> dict[str, Any]:
        """Keyword arguments of transformers' LlamaConfig."""
        return {
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.ffn,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads or self.heads,
            "head_dim": self.head_width,
            "max_position_embeddings": self.context_tokens,
            "rms_norm_eps": self.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "initializer_range": self.init_std,
            "tie_word_embeddings": self.tied,
            "attention_bias": self.attention_bias,
            "mlp_bias": self.mlp_bias,
        }


@cache
def sizes() -> dict[str, ModelSize]:
    """The sizes of sizes.yaml by name."""
    text = (resources.files("chejil.training.modelling") / "sizes.yaml").read_text("utf-8")
    return {name: ModelSize.model_validate(fields) for name, fields in yaml.safe_load(text).items()}


def size(name: str) -> ModelSize:
    """A size by its name.

    Raises:
        ChejilError: there is none.
    """
    if name not in sizes():
        raise ChejilError(f"no model size '{name}'", mend=did_you_mean(name, sizes()))
    return sizes()[name]


def size_of_folder(folder: str) -> ModelSize:
    """The size of a model in a Hugging Face folder, from its config.json.

    Raises:
        ChejilError: no folder, no Llama, or fields that make none.
    """
    file = Path(folder).expanduser() / "config.json"
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        mend = "give a folder that save_pretrained or `chejil export` wrote"
        raise ChejilError(f"cannot read: {error.strerror}", where=str(file), mend=mend) from None
    except ValueError as error:
        raise ChejilError(f"not JSON: {error}", where=str(file), mend="restore it from its origin") from None
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind not in LLAMA_LIKE:
        mend = f"models of type {', '.join(LLAMA_LIKE)} can be trained on"
        raise ChejilError(f"a model of type {kind!r}", where=str(file), mend=mend)
    _refuse_what_cannot_be_trained(content, str(file))
    return _read(content, str(file))


def _refuse_what_cannot_be_trained(content: dict[str, Any], where: str) -> None:
    rope = _rope(content)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ROPES:
        mend = f"rotary positions of type {', '.join(ROPES)} can be trained on"
        raise ChejilError(f"rotary positions of type {kind!r}", where=where, mend=mend)
    if content.get("quantization_config"):
        raise ChejilError("quantised weights", where=where, mend="give the folder of the unquantised model")
    if content.get("hidden_act", "silu") != "silu":
        what = f"a feed-forward with {content['hidden_act']!r}"
        raise ChejilError(what, where=where, mend="models with 'silu' can be trained on")


def _rope(content: dict[str, Any]) -> dict[str, Any]:
    """As transformers 5 writes it, or before."""
    return content.get("rope_parameters") or content.get("rope_scaling") or {}


def _read(content: dict[str, Any], where: str) -> ModelSize:
    rope = _rope(content)
    try:
        return ModelSize(
            layers=content["num_hidden_layers"],
            hidden=content["hidden_size"],
            heads=content["num_attention_heads"],
            kv_heads=content.get("num_key_value_heads"),
            head_dim=content.get("head_dim"),
            ffn=content["intermediate_size"],
            vocab=content["vocab_size"],
            context_tokens=content["max_position_embeddings"],
            tied=content.get("tie_word_embeddings", False),
            norm_eps=content.get("rms_norm_eps", 1e-6),
            rope_theta=content.get("rope_theta") or rope.get("rope_theta", 10_000.0),
            init_std=content.get("initializer_range", 0.02),
            attention_bias=content.get("attention_bias", False),
            mlp_bias=content.get("mlp_bias", False),
        )
    except KeyError as error:
        raise ChejilError(f"{error} is missing", where=where, mend="restore it from its origin") from None
    except ValueError as error:
        raise ChejilError(
            f"no Llama: {str(error).splitlines()[0]}", where=where, mend="restore it from its origin"
        ) from None


def loss_places(vocab: int, hidden: int) -> int:
    """Places whose logits exist at once (losses.py): few, but enough that the head's gradient is not most of the work.

    >>> loss_places(50_304, 2048), loss_places(4096, 128)
    (2048, 256)
    """
    return max(LEAST_LOGITS // vocab, hidden)
