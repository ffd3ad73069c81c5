"""The ledger of epochs: what is new and what repeats, what runs out first and when, how much of a language there is.

Effective tokens are those of epochs.py. Two answers are given for a language at a share: as the mixture divides it
among its sources, and at best, with all of them read equally often. The law is concave in the repetitions, so no other
division of the same tokens is worth more; the gap between the two is what the mixture pays for its preferences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_sizes import TokenSizes
from chejil.training.planning import epochs
from chejil.training.planning.epochs import ExpectedSource, Stream, effective_tokens, token_shares

SHARES = tuple(percent / 100 for percent in range(5, 55, 5))
"""Shares of bytes that a language is tried at."""

EPOCHS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Epochs for which the possible share is said: 100, 98, 93, 83 and 66 % of new text."""

LANGUAGE = "ko"
"""Whose text is scarce."""


@dataclass(frozen=True)
class LedgerRow:
    """A source at the horizon; None is what nobody knows.

    Args:
        repeated_tokens: drawn beyond the first epoch.
        runs_out_at: tokens of the training after which all of it has been read; None if it lasts.
    """

    source: str
    tokens: int
    unique_tokens: int | None
    new_tokens: int | None
    repeated_tokens: int | None
    epochs: float | None
    effective_tokens: int | None
    runs_out_at: int | None


@dataclass(frozen=True)
class LanguageShare:
    """A language at a share of the bytes, its sources and all others divided as in the mixture.

    Args:
        epochs: of the language as a whole.
        worth: of a token drawn, in new ones, as the mixture divides them.
        worth_at_best: with all sources of the language read equally often.
        effective_share: of all effective tokens, as the mixture divides them; None where a size is not known.
        most_read: its source that is repeated most, read `most_epochs` times.
    """

    byte_share: float
    token_share: float
    tokens: int
    epochs: float
    worth: float
    worth_at_best: float
    effective_share: float | None
    most_read: str
    most_epochs: float


@dataclass(frozen=True)
class PossibleShare:
    """The share that a language can have if it is read so often, all sources alike."""

    epochs: float
    worth: float
    tokens: int
    token_share: float
    byte_share: float


@dataclass(frozen=True)
class EpochLedger:
    """The ledger of a horizon.

    Args:
        runs_out_first: the source, and after how many tokens.
        unknown: sources of the language whose size nobody knows: left out of `shares` and `possible`.
    """

    total_tokens: int
    rows: list[LedgerRow]
    effective_tokens: int | None
    runs_out_first: LedgerRow | None
    language: str
    shares: list[LanguageShare]
    possible: list[PossibleShare]
    unknown: list[str]


def of(
    mixture: MixtureStages,
    expected: Mapping[str, ExpectedSource],
    sizes: TokenSizes,
    total_tokens: int,
    language: str = LANGUAGE,
) -> EpochLedger:
    """The ledger of a mixture at a horizon.

    Raises:
        ChejilError: a source that two names of a stage mean.
    """
    found = epochs.streams(mixture, expected, sizes)
    ratios = epochs.filled(found)
    stages = [
        (length, token_shares(epochs.spread(weights, found, ratios), ratios))
        for length, weights in epochs.lengths(mixture, total_tokens)
    ]
    seen = [math.fsum(length * shares[at] for length, shares in stages) for at in range(len(found))]
    rows = [_row(one, seen[at], _out(one, at, stages)) for at, one in enumerate(found) if seen[at]]
    known = [row.effective_tokens for row in rows if row.effective_tokens is not None]
    out = [row for row in rows if row.runs_out_at is not None]
    text = [tokens * ratio for tokens, ratio in zip(seen, ratios, strict=True)]
    drawn = [at for at, tokens in enumerate(seen) if tokens]
    of_drawn = _Drawn([found[at] for at in drawn], [text[at] for at in drawn], [ratios[at] for at in drawn])
    return EpochLedger(
        total_tokens=total_tokens,
        rows=rows,
        effective_tokens=sum(known) if len(known) == len(rows) else None,
        runs_out_first=min(out, key=lambda row: (row.runs_out_at or 0, row.source), default=None),
        language=language,
        shares=_shares(of_drawn, language, total_tokens),
        possible=_possible(of_drawn, language, total_tokens),
        unknown=[one.name for one in of_drawn.streams if one.lang == language and not one.tokens],
    )


@dataclass(frozen=True)
class _Drawn:
    """Streams that a mixture draws from, with bytes drawn and bytes a token."""

    streams: Sequence[Stream]
    text: Sequence[float]
    ratios: Sequence[float]

    def without_unknown(self, language: str) -> _Drawn:
        """Without streams of the language whose size nobody knows."""
        ats = [at for at, one in enumerate(self.streams) if one.tokens or one.lang != language]
        return _Drawn(
            [self.streams[a] for a in ats], [self.text[a] for a in ats], [self.ratios[a] for a in ats]
        )


def _row(stream: Stream, seen: float, out: float | None) -> LedgerRow:
    unique = stream.tokens
    new = None if unique is None else min(round(seen), unique)
    return LedgerRow(
        source=stream.name,
        tokens=round(seen),
        unique_tokens=unique,
        new_tokens=new,
        repeated_tokens=None if new is None else round(seen) - new,
        epochs=seen / unique if unique else None,
        effective_tokens=round(effective_tokens(unique, seen)) if unique else None,
        runs_out_at=None if out is None else math.ceil(out),
    )


def _out(stream: Stream, at: int, stages: Sequence[tuple[int, Sequence[float]]]) -> float | None:
    """Tokens of the training after which a stream has been read once; None if it lasts to the end."""
    if not stream.tokens:
        return None
    begin, left = 0, float(stream.tokens)
    for length, shares in stages:
        if shares[at] and length * shares[at] >= left:
            place = begin + left / shares[at]
            return place if place < sum(n for n, _ in stages) else None
        begin, left = begin + length, left - length * shares[at]
    return None


def _shares(drawn: _Drawn, language: str, total_tokens: int) -> list[LanguageShare]:
    drawn = drawn.without_unknown(language)
    own = [at for at, one in enumerate(drawn.streams) if one.lang == language]
    if not own or len(own) == len(drawn.streams):
        return []
    return [_at_share(drawn, own, share, total_tokens) for share in SHARES]


def _at_share(drawn: _Drawn, own: Sequence[int], share: float, total_tokens: int) -> LanguageShare:
    inside = math.fsum(drawn.text[at] for at in own)
    outside = math.fsum(drawn.text) - inside
    text = [
        share * size / inside if at in own else (1 - share) * size / outside
        for at, size in enumerate(drawn.text)
    ]
    tokens = [total_tokens * part for part in token_shares(text, drawn.ratios)]
    worth = [
        effective_tokens(one.tokens, seen) if one.tokens else None
        for one, seen in zip(drawn.streams, tokens, strict=True)
    ]
    seen, unique = math.fsum(tokens[at] for at in own), sum(drawn.streams[at].tokens or 0 for at in own)
    effective = math.fsum(worth[at] or 0 for at in own)
    known = [part for part in worth if part is not None]
    most = max(own, key=lambda at: tokens[at] / (drawn.streams[at].tokens or 1))
    return LanguageShare(
        byte_share=share,
        token_share=seen / total_tokens,
        tokens=round(seen),
        epochs=seen / unique,
        worth=effective / seen,
        worth_at_best=effective_tokens(unique, seen) / seen,
        effective_share=effective / math.fsum(known) if len(known) == len(worth) else None,
        most_read=drawn.streams[most].name,
        most_epochs=tokens[most] / (drawn.streams[most].tokens or 1),
    )


def _possible(drawn: _Drawn, language: str, total_tokens: int) -> list[PossibleShare]:
    """Shares by epochs, until they are all of the training."""
    drawn = drawn.without_unknown(language)
    own = [at for at, one in enumerate(drawn.streams) if one.lang == language]
    unique = sum(drawn.streams[at].tokens or 0 for at in own)
    if not own or len(own) == len(drawn.streams):
        return []
    text = math.fsum((drawn.streams[at].tokens or 0) * drawn.ratios[at] for at in own)
    others = [at for at in range(len(drawn.streams)) if at not in own]
    of_others = math.fsum(drawn.text[at] for at in others) / math.fsum(
        drawn.text[at] / drawn.ratios[at] for at in others
    )
    found = []
    for often in EPOCHS:
        tokens = min(often * unique, total_tokens)
        size, beside = tokens * text / unique, (total_tokens - tokens) * of_others
        read = tokens / unique
        found.append(
            PossibleShare(
                epochs=read,
                worth=effective_tokens(unique, tokens) / tokens,
                tokens=round(tokens),
                token_share=tokens / total_tokens,
                byte_share=size / (size + beside),
            )
        )
        if tokens == total_tokens:
            break
    return found
