"""The ledger of epochs in a terminal: what repeats, what runs out when, and what share of Korean there can be."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil import terminal
from chejil.training.planning.epoch_ledger import EpochLedger
from chejil.training.planning.epochs import R_STAR


def ledger(found: EpochLedger) -> Iterator[RenderableType]:
    """Tables and lines."""
    yield _repeats(found)
    yield from summary(found)


def summary(found: EpochLedger) -> Iterator[RenderableType]:
    """What runs out first, what share of the language is possible, what all tokens are worth."""
    yield first_out(found)
    yield from language(found)
    worth = found.effective_tokens
    sums = "" if worth is None else f"all tokens are worth {short(worth)} new ones; "
    yield f"{sums}worth: D' = U + U·R*·(1 − exp(−R/R*)), R* = {R_STAR}, R repetitions (Muennighoff et al. 2023)"


def _repeats(found: EpochLedger) -> RenderableType:
    heads = (
        "source",
        "there are>",
        "new>",
        "repeated>",
        "epochs>",
        "effective>",
        "worth>",
        "read once after>",
    )
    rows = [
        (
            row.source,
            _or_unknown(row.unique_tokens),
            _or_unknown(row.new_tokens),
            _or_unknown(row.repeated_tokens),
            "?" if row.epochs is None else f"{row.epochs:.2f}",
            _or_unknown(row.effective_tokens),
            "?"
            if row.effective_tokens is None or not row.tokens
            else f"{row.effective_tokens / row.tokens:.1%}",
            "–" if row.runs_out_at is None else short(row.runs_out_at),
        )
        for row in found.rows
    ]
    return terminal.table(heads, rows)


def first_out(found: EpochLedger) -> str:
    """What runs out first."""
    row = found.runs_out_first
    if row is None or row.runs_out_at is None:
        return f"no source whose size is known runs out before {short(found.total_tokens)} tokens"
    share = row.runs_out_at / found.total_tokens
    return f"{row.source} runs out first: after {short(row.runs_out_at)} tokens, {share:.1%} of the training"


def language(found: EpochLedger) -> Iterator[RenderableType]:
    """Shares of the language and what they cost; nothing where it is not there, or alone."""
    if not found.shares:
        return
    lang = found.language
    heads = (
        f"{lang}: bytes %>",
        "tokens %>",
        "tokens>",
        "epochs>",
        "worth>",
        "at best>",
        "effective %>",
        "most read>",
    )
    yield terminal.table(heads, [
        (
            f"{one.byte_share:.0%}", f"{one.token_share:.1%}", short(one.tokens), f"{one.epochs:.2f}",
            f"{one.worth:.1%}", f"{one.worth_at_best:.1%}",
            "?" if one.effective_share is None else f"{one.effective_share:.1%}",
            f"{one.most_read} {one.most_epochs:.3g}×",
        )
        for one in found.shares
    ])  # fmt: skip
    told = "; ".join(
        f"{one.epochs:.3g} epochs, worth {one.worth:.0%}: {one.token_share:.2%} of the tokens"
        for one in found.possible
    )
    yield f"{lang} that is possible, all its sources read equally often: {told}"
    if found.unknown:
        yield f"without {', '.join(found.unknown)}: nobody says how much there is"


def _or_unknown(count: int | None) -> str:
    return "?" if count is None else short(count) if count else "0"


def short(count: float) -> str:
    """Three or four digits and a unit.

    >>> short(1_439_270_912), short(1_400_000_000_000), short(803_968)
    ('1.439 B', '1.4 T', '804 K')
    """
    rounded = float(f"{count:.4g}")
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if rounded >= size:
            return f"{rounded / size:.4g} {unit}"
    return f"{rounded:g}"
