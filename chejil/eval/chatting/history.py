"""Histories that outgrow the context: whole turns go from the front, the system message stays.

A turn is a user's message and what follows it up to the next one: an answer is never left without its question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Messages


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt's tokens, turns that were left out, and how many tokens an answer may have."""

    ids: Sequence[int]
    left_out: int
    room: int


def fit(
    messages: Messages,
    encode: Callable[[Messages], Sequence[int]],
    context_tokens: int,
    max_new_tokens: int,
) -> Fitted:
    """The longest end of a history that leaves room for the answer.

    Room is kept for `max_new_tokens`, but for no more than half of the context: else a small model could not be asked
    at all. The last question alone may take more of it; the answer is then cut where the context ends.

    Args:
        encode: tokens of a prompt; more messages never give fewer.

    Raises:
        ChejilError: the system message and the last question alone fill the context.
    """
    head = list(messages[:1]) if messages and messages[0]["role"] == "system" else []
    starts = [n for n, one in enumerate(messages) if one["role"] == "user" and n >= len(head)] or [len(head)]
    limit = context_tokens - min(max_new_tokens, context_tokens // 2)

    def prompt(left_out: int) -> Sequence[int]:
        return encode([*head, *messages[starts[left_out] :]])

    low, high, ids = 0, len(starts) - 1, prompt(0)
    if len(ids) <= limit:
        return Fitted(ids, 0, min(max_new_tokens, context_tokens - len(ids)))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(prompt(middle)) <= limit else (middle + 1, high)
    ids = prompt(low)
    if len(ids) >= context_tokens:
        raise _too_long(len(ids), context_tokens, bool(head))
    return Fitted(ids, low, min(max_new_tokens, context_tokens - len(ids)))


def _too_long(tokens: int, context_tokens: int, has_system: bool) -> ChejilError:
    what = "the system message and the question" if has_system else "the question"
    return ChejilError(
        f"{what} alone are {tokens:,} tokens as a prompt; the model's context is {context_tokens:,}",
        mend=f"shorten it by at least {tokens - context_tokens + 1:,} tokens, or take a model with a longer context",
    )


def note(left_out: int) -> str | None:
    """What to tell a person of turns that were left out."""
    if not left_out:
        return None
    turns = "the first turn" if left_out == 1 else f"the first {left_out} turns"
    return f"left out: {turns} of this chat, since all of it no longer fits the model's context"
