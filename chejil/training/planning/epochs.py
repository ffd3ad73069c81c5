"""Tokens and epochs by source: what a mixture in bytes draws of each, how often it repeats, and what that is worth.

Repeated tokens teach less. Muennighoff et al. 2023 (Scaling Data-Constrained Language Models, section 3)
fit D' = U + U·R*·(1 − exp(−R/R*)): U unique tokens, repeated R times after the first epoch, are worth D' new ones, with
R* = 15.39. Four epochs are worth 93 % of new tokens, sixteen 66 %, and nothing is worth more than 16.39·U. They fit
one corpus repeated as a whole; we apply it to each source, which assumes that sources do not stand in for one another.

Padding and what is held out are not counted: a plan is made before anything is packed. The training has the exact rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_sizes import TokenSizes
from chejil.training.whole_numbers import Positive

R_STAR = 15.39
"""Muennighoff et al. 2023, section 3: repetitions after which a repeated token is worth 1/e of a new one."""

MANY_EPOCHS = 4.0
"""Muennighoff et al. 2023, abstract: up to four epochs are almost as good as new data."""


class ExpectedSource(BaseModel):
    """What a source is expected to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Positive | None = Field(None, description="Tokens there are of it; null: nobody knows.")
    bytes_per_token: float | None = Field(None, gt=0, description="Bytes of its text a token.")


@dataclass(frozen=True)
class Stream:
    """A source, or one of its languages; what nobody knows is None.

    Args:
        measured: whether its sizes are those of token shards.
    """

    source: str
    lang: str
    tokens: int | None
    bytes_per_token: float | None
    measured: bool

    @property
    def name(self) -> str:
        """Source and language."""
        return f"{self.source}/{self.lang}" if self.lang else self.source

    def matches(self, pattern: str) -> bool:
        """Whether a name of the settings means it."""
        return fnmatchcase(self.source, pattern) or fnmatchcase(self.name, pattern)


@dataclass(frozen=True)
class SourceEpochs:
    """What a training draws of a stream.

    Args:
        byte_share: of all text drawn.
        token_share: of all tokens.
        tokens: drawn.
        effective_tokens: what the drawn tokens are worth in new ones.
    """

    source: str
    byte_share: float
    token_share: float
    tokens: int
    bytes_per_token: float | None
    unique_tokens: int | None
    measured: bool
    epochs: float | None
    effective_tokens: int | None
    max_epochs: float | None


def effective_tokens(unique: float, seen: float) -> float:
    """New tokens that `seen` tokens of `unique` ones are worth.

    >>> round(effective_tokens(1e9, 4e9) / 4e9, 3)
    0.931
    """
    if seen <= unique or not unique:
        return seen
    repeats = seen / unique - 1
    return unique + unique * R_STAR * (1 - math.exp(-repeats / R_STAR))


def ledger(
    mixture: MixtureStages, expected: Mapping[str, ExpectedSource], sizes: TokenSizes, total_tokens: int
) -> list[SourceEpochs]:
    """A row a stream that is drawn from.

    Args:
        mixture: weights in bytes, stage after stage.
        total_tokens: of the whole training.
    """
    found = streams(mixture, expected, sizes)
    ratios = filled(found)
    tokens, text = [0.0] * len(found), [0.0] * len(found)
    for length, weights in lengths(mixture, total_tokens):
        shares = token_shares(spread(weights, found, ratios), ratios)
        for at, share in enumerate(shares):
            tokens[at] += length * share
            text[at] += length * share * ratios[at]
    rows = zip(found, tokens, text, strict=True)
    whole = sum(text) or 1.0
    return [
        _row(stream, mixture, seen, seen / total_tokens, part / whole) for stream, seen, part in rows if seen
    ]


def streams(
    mixture: MixtureStages, expected: Mapping[str, ExpectedSource], sizes: TokenSizes
) -> list[Stream]:
    """What may be drawn from: token shards, then what is expected beside them, then names of which nothing is known."""
    found = [
        Stream(source, lang, size.tokens, size.bytes_per_token, True)
        for (source, lang), size in sorted(sizes.groups.items())
    ]
    weighted = {name for stage in mixture.stages for name in stage.weights}
    for name, hope in expected.items():
        source, _, lang = name.partition("/")
        one = Stream(source, lang, hope.tokens, hope.bytes_per_token, False)
        # Once all shards are there, what they do not hold is not there, unless a weight asks for it.
        hoped = sizes.absent or any(one.matches(pattern) for pattern in weighted)
        if hoped and not any(known.matches(name) for known in found):
            found.append(one)
    for name in sorted(weighted):
        if not any(one.matches(name) for one in found):
            found.append(Stream(name, "", None, None, False))
    return found


def token_shares(weights: Sequence[float], bytes_per_token: Sequence[float]) -> list[float]:
    """Shares of the tokens that weights in bytes come to.

    >>> token_shares([1, 1], [3.0, 6.0])  # the same text in twice as many tokens
    [0.6666666666666666, 0.3333333333333333]
    """
    tokens = [weight / ratio for weight, ratio in zip(weights, bytes_per_token, strict=True)]
    whole = math.fsum(tokens) or 1.0
    return [value / whole for value in tokens]


def lengths(mixture: MixtureStages, total_tokens: int) -> list[tuple[int, dict[str, float]]]:
    """Tokens of each stage, the last one to the end of the training."""
    begins = [min(stage.from_tokens, total_tokens) for stage in mixture.stages] + [total_tokens]
    return [
        (end - begin, stage.weights)
        for stage, (begin, end) in zip(mixture.stages, pairwise(begins), strict=True)
    ]


def spread(weights: Mapping[str, float], found: Sequence[Stream], ratios: Sequence[float]) -> list[float]:
    """Bytes of each stream: what matches one name shares its weight by size, or alike where a size is unknown."""
    found_bytes, given = [0.0] * len(found), set[int]()
    for pattern, weight in (weights or {"*": 1.0}).items():
        members = [at for at, one in enumerate(found) if one.matches(pattern)]
        _refuse_twice(pattern, [found[at] for at in members if at in given])
        given.update(members)
        known = all(found[at].tokens for at in members)
        parts = [(found[at].tokens or 0) * ratios[at] if known else 1.0 for at in members]
        for at, part in zip(members, parts, strict=True):
            found_bytes[at] = weight * part / sum(parts)
    return found_bytes


def _refuse_twice(pattern: str, again: Sequence[Stream]) -> None:
    if again:
        what = f"mixture: '{again[0].name}' is meant by '{pattern}' and by a name before it"
        raise ChejilError(what, mend="name each source once in a stage")


def filled(found: Sequence[Stream]) -> list[float]:
    """Bytes a token; where nobody knows them, the mean of the others; of none, 1: then bytes are as tokens."""
    known = [one.bytes_per_token for one in found if one.bytes_per_token]
    mean = sum(known) / len(known) if known else 1.0
    return [one.bytes_per_token or mean for one in found]


def _row(
    stream: Stream, mixture: MixtureStages, seen: float, token_share: float, byte_share: float
) -> SourceEpochs:
    return SourceEpochs(
        source=stream.name,
        byte_share=byte_share,
        token_share=token_share,
        tokens=round(seen),
        bytes_per_token=stream.bytes_per_token,
        unique_tokens=stream.tokens,
        measured=stream.measured,
        epochs=seen / stream.tokens if stream.tokens else None,
        effective_tokens=round(effective_tokens(stream.tokens, seen)) if stream.tokens else None,
        max_epochs=_cap(stream, mixture),
    )


def _cap(stream: Stream, mixture: MixtureStages) -> float | None:
    return min((cap for pattern, cap in mixture.max_epochs.items() if stream.matches(pattern)), default=None)
