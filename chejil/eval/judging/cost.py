"""What a run will cost, before it begins.

No tokenizer of a judge is at hand offline, so tokens are estimated: four ASCII characters, or one other character, are
a token. Of Korean that is on the high side with today's large vocabularies; when the run ends, what the endpoint
counted stands beside it. Replies are taken to be as long as the rubric says. Requests whose replies are kept already
cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chejil.errors import ChejilError

ASCII_CHARS_PER_TOKEN = 4
_MESSAGE_TOKENS = 4
"""What a chat template puts around a message."""


@dataclass(frozen=True)
class Price:
    """Money for a million tokens, in whatever currency; None: not said."""

    prompt: float | None = None
    reply: float | None = None


@dataclass(frozen=True)
class Estimate:
    """Of the requests that are still to be made."""

    requests: int
    kept: int
    prompt_tokens: int
    reply_tokens: int
    money: float | None

    def __str__(self) -> str:
        money = "" if self.money is None else f", about {self.money:,.2f} at the prices given"
        kept = f" ({self.kept:,} more are kept already)" if self.kept else ""
        return (
            f"{self.requests:,} requests{kept}: about {self.prompt_tokens:,} tokens in and "
            f"{self.reply_tokens:,} out{money}"
        )


def tokens(text: str) -> int:
    """About how many tokens a text is.

    >>> tokens("four"), tokens("체질"), tokens("")
    (1, 2, 0)
    """
    ascii_chars = sum(letter < "\x80" for letter in text)
    return -(-ascii_chars // ASCII_CHARS_PER_TOKEN) + len(text) - ascii_chars


def money(price: Price, prompt_tokens: int, reply_tokens: int) -> float | None:
    """What tokens cost; None where neither price is said.

    >>> money(Price(2.0, 8.0), 1_000_000, 500_000), money(Price(), 1, 1)
    (6.0, None)
    """
    if price.prompt is None and price.reply is None:
        return None
    return ((price.prompt or 0.0) * prompt_tokens + (price.reply or 0.0) * reply_tokens) / 1e6


def estimate(new: Iterable[dict[str, Any]], kept: int, reply_tokens: int, price: Price) -> Estimate:
    """Of the requests that are new; no question is counted as asked again."""
    requests = prompt = 0
    for body in new:
        requests += 1
        prompt += sum(tokens(one["content"]) + _MESSAGE_TOKENS for one in body["messages"])
    replies = requests * reply_tokens
    return Estimate(requests, kept, prompt, replies, money(price, prompt, replies))


def refuse_above(limit: float | None, found: Estimate) -> None:
    """Do not begin what is dearer than was allowed.

    Raises:
        ChejilError: it is, or nobody knows, since no price was given.
    """
    if limit is None:
        return
    if found.money is None:
        raise ChejilError("--max-cost needs prices", mend="--price-in and --price-out, a million tokens each")
    if found.money > limit:
        mend = "raise --max-cost, or judge fewer answers"
        raise ChejilError(f"it would cost about {found.money:,.2f}, more than {limit:,.2f}", mend=mend)
