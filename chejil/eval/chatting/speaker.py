"""What answers a conversation, piece by piece: a model in a folder, an adapter, an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

Messages = Sequence[Mapping[str, str]]
"""`role` (system, user, assistant) and `content`; the last one is a user's."""


class Sampling(BaseModel):
    """How the next token is chosen; names as everywhere in the field. The defaults are those of 42dot's example."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.5, ge=0, description="0: always the likeliest token.")
    top_p: float = Field(
        0.95, gt=0, le=1, description="The likeliest tokens that make up so much probability."
    )
    top_k: int = Field(20, ge=0, description="So many of the likeliest tokens; 0: all.")
    repetition_penalty: float = Field(
        1.2, gt=0, description="Divides the logits of tokens that were said; 1: none."
    )
    max_new_tokens: PositiveInt = Field(512, description="Of one answer.")
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="The same answers again; null: others each time."
    )


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is known of an answer at its end.

    Args:
        text: all of it, without the token that ends it.
        finish: `stop` (its end token), `length` (max_new_tokens or the context), or `stopped` (by the listener).
        first_token_seconds: from asking to the first token.
        seconds: from asking to the last token.
        prompt_tokens, new_tokens: None where an endpoint does not say.
        left_out: turns at the beginning of the history that did not fit.
    """

    text: str
    finish: str
    first_token_seconds: float
    seconds: float
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    left_out: int = 0


class Speaker(Protocol):
    """A model that answers."""

    name: str

    def speak(self, messages: Messages, sampling: Sampling) -> Iterator[str | Spoken]:
        """Pieces of an answer as they come, whole characters each; at last what is known of it.

        Closing the iterator stops the model.

        Raises:
            ChejilError: no answer can be had, and how to mend it.
        """
