"""A mixture from settings: shares of every source in each stage, checked against what there is of it.

What comes out is in the words of the training (MixtureStages), so that the same code counts its tokens and epochs that
`chejil plan` and the training count them with.
"""

from __future__ import annotations

import glob
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from chejil.errors import ChejilError
from chejil.training.data import token_sizes
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_sizes import TokenSizes
from chejil.training.mixing import caps, shares
from chejil.training.mixing.mix_settings import MixSettings
from chejil.training.planning import epoch_ledger, epochs
from chejil.training.planning.epoch_ledger import EpochLedger
from chejil.training.planning.epochs import MANY_EPOCHS, SourceEpochs, Stream

PARTS = 10**9
"""Weights of the file are whole parts of a billion: they add up to 1 exactly, and none above 0 is written as 0."""


@dataclass(frozen=True)
class Mix:
    """A mixture.

    Args:
        mixture: what the training reads.
        sources: what is drawn of each, and what that is worth.
        sequences: rows of each source at the horizon.
        left_out: sources without a share in any stage.
        changed: share of bytes, asked and given, of sources whose share caps changed.
        warnings: a line each.
    """

    settings: MixSettings
    mixture: MixtureStages
    sources: list[SourceEpochs]
    ledger: EpochLedger
    sequences: dict[str, int]
    left_out: list[str]
    changed: dict[str, tuple[float, float]]
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.settings.name,
            "total_tokens": self.settings.total_tokens,
            "row_tokens": self.settings.row_tokens,
            "stages": [stage.model_dump() for stage in self.mixture.stages],
            "max_epochs": self.mixture.max_epochs,
            "sources": [
                {**asdict(row), "bytes": round(row.tokens * (row.bytes_per_token or 0)) or None,
                 "sequences": self.sequences[row.source]}
                for row in self.sources
            ],
            "ledger": asdict(self.ledger),
            "left_out": self.left_out,
            "changed_by_caps": {name: list(both) for name, both in self.changed.items()},
            "warnings": self.warnings,
        }  # fmt: skip


def mix(settings: MixSettings) -> Mix:
    """The mixture that settings ask for.

    Raises:
        ChejilError: shares that do not add up, unknown sources, a source above its cap, with too little text or less
            than a row.
    """
    sizes = token_sizes.read(settings.tokens)
    found = _streams(settings, sizes)
    if not found:
        what = f"there is nothing to mix: no token shards in {', '.join(settings.tokens)}"
        raise ChejilError(what, mend="`chejil encode` writes them; or say `expected` sizes")
    asked = [_stage(begin, one, found) for begin, one in settings.stages()]
    given = _within_caps(settings, asked, found)
    mixture = _mixture(settings, given, found)
    _refuse_little(settings, given, found)
    sources = epochs.ledger(mixture, settings.expected, sizes, settings.total_tokens)
    sequences = _sequences(settings, sources)
    drawn = {row.source for row in sources}
    left_out = [one.name for one in found if one.name not in drawn]
    ledger = epoch_ledger.of(mixture, settings.expected, sizes, settings.total_tokens)
    changed = _changed(settings, asked, given, found)
    warnings = list(_warnings(settings, sources, sequences, sizes))
    return Mix(settings, mixture, sources, ledger, sequences, left_out, changed, warnings)


def _streams(settings: MixSettings, sizes: TokenSizes) -> list[Stream]:
    """What there is; what is expected beside shards that are all there counts only if a number names it."""
    stages = [stage for _, stage in settings.stages()]
    names = {name for one in stages for name, weight in one.weights.items() if weight != "natural"}
    wanted = names if settings.tokens and not sizes.absent else {"*"}
    asked = MixtureStages.of([(0, dict.fromkeys(wanted, 1.0))], {})
    found = epochs.streams(asked, settings.expected, sizes)
    return [one for one in found if one.measured or one.name in settings.expected]


def _stage(begin: int, one: shares.Shares, found: Sequence[Stream]) -> list[float]:
    try:
        return shares.of_stage(one, found)
    except ChejilError as error:
        where = f"mixture from token {begin:,}" if begin else "mixture"
        raise ChejilError(error.what, where=where, mend=error.mend) from None


def _lengths(settings: MixSettings) -> list[int]:
    begins = [begin for begin, _ in settings.stages()]
    return [end - begin for begin, end in pairwise([*begins, settings.total_tokens])]


def _within_caps(
    settings: MixSettings, asked: list[list[float]], found: Sequence[Stream]
) -> list[list[float]]:
    limits, ratios = _limits(settings, found), epochs.filled(found)
    seen = caps.seen_tokens(asked, _lengths(settings), ratios)
    over = [at for at, tokens in enumerate(seen) if tokens > limits[at]]
    if not over:
        return asked
    if settings.over_cap == "refuse":
        raise _over_cap(settings, [(found[at], seen[at], limits[at]) for at in over])
    groups = _groups(settings, found)
    try:
        return caps.within(asked, _lengths(settings), ratios, limits, groups)
    except caps.FullGroupError as full:
        raise _full(settings, full.group, found, limits) from None


def _limits(settings: MixSettings, found: Sequence[Stream]) -> list[float]:
    """Tokens that may be drawn of each stream."""
    for pattern in settings.max_epochs:
        shares.members(pattern, found)
    limits = []
    for one in found:
        cap = min((cap for key, cap in settings.max_epochs.items() if one.matches(key)), default=math.inf)
        limits.append(cap * one.tokens * (1 - settings.headroom) if one.tokens else math.inf)
    return limits


def _groups(settings: MixSettings, found: Sequence[Stream]) -> list[list[int]]:
    """Whose excess is whose: of one language where any stage has shares of languages."""
    if not any(stage.languages for _, stage in settings.stages()):
        return [list(range(len(found)))]
    return [[at for at, one in enumerate(found) if one.lang == lang] for lang in {one.lang for one in found}]


def _over_cap(settings: MixSettings, over: Sequence[tuple[Stream, float, float]]) -> ChejilError:
    told = "; ".join(
        f"{one.name} is read {seen / (one.tokens or 1):.3g} times, its cap allows {limit / (one.tokens or 1):.3g}"
        for one, seen, limit in over
    )
    factor = min(limit / seen for _, seen, limit in over)
    mend = (
        f"lower their shares (to {factor:.2g} of what they are), `over_cap: redistribute`, "
        f"raise max_epochs, or end at {settings.total_tokens * factor:,.3g} tokens"
    )
    return ChejilError(f"at {settings.total_tokens:,.4g} tokens, {told}", where="mixture", mend=mend)


def _full(
    settings: MixSettings, group: list[int], found: Sequence[Stream], limits: Sequence[float]
) -> ChejilError:
    names = [found[at].name for at in group if math.isfinite(limits[at])]
    most = math.fsum(limits[at] for at in group if math.isfinite(limits[at]))
    what = (
        f"{', '.join(names)} are all at their caps: together {most:,.4g} tokens, "
        f"{most / settings.total_tokens:.2%} of the training, and more is asked for"
    )
    mend = "lower the share of their language, raise max_epochs, or shorten the training"
    return ChejilError(what, where="mixture", mend=mend)


def _mixture(
    settings: MixSettings, given: Sequence[Sequence[float]], found: Sequence[Stream]
) -> MixtureStages:
    stages = []
    for (begin, _), weights in zip(settings.stages(), given, strict=True):
        parts = shares.whole_parts(weights, PARTS, least=1)
        named = {glob.escape(one.name): part / PARTS for one, part in zip(found, parts, strict=True) if part}
        stages.append((begin, named))
    return MixtureStages.of(stages, settings.max_epochs)


def _refuse_little(settings: MixSettings, given: Sequence[Sequence[float]], found: Sequence[Stream]) -> None:
    for at, one in enumerate(found):
        used = any(weights[at] > 0 for weights in given)
        if used and one.tokens is not None and one.tokens < settings.row_tokens:
            what = f"{one.name} has {one.tokens:,} tokens, less than a row of {settings.row_tokens:,}"
            mend = f"leave it out (`{one.name}: 0`), or encode more of it"
            raise ChejilError(what, where="mixture", mend=mend)


def _sequences(settings: MixSettings, sources: Sequence[SourceEpochs]) -> dict[str, int]:
    """Rows of each source at the horizon.

    Raises:
        ChejilError: less than one.
    """
    rows = settings.total_tokens / settings.row_tokens
    for row in sources:
        if row.token_share * rows < 1:
            what = f"{row.source} has a share of {row.byte_share:.2g}: less than one row of {rows:,.0f}"
            raise ChejilError(what, where="mixture", mend="give it more, or 0 to leave it out")
    parts = shares.whole_parts([row.token_share for row in sources], math.ceil(rows))
    return {row.source: part for row, part in zip(sources, parts, strict=True)}


def _changed(
    settings: MixSettings, asked: list[list[float]], given: list[list[float]], found: Sequence[Stream]
) -> dict[str, tuple[float, float]]:
    """Mean shares over the training that caps changed."""
    lengths, whole = _lengths(settings), settings.total_tokens

    def mean(stages: list[list[float]], at: int) -> float:
        return math.fsum(n * one[at] for n, one in zip(lengths, stages, strict=True)) / whole

    both = {one.name: (mean(asked, at), mean(given, at)) for at, one in enumerate(found)}
    return {name: pair for name, pair in both.items() if not math.isclose(*pair, rel_tol=1e-9)}


def _warnings(
    settings: MixSettings, sources: Sequence[SourceEpochs], sequences: dict[str, int], sizes: TokenSizes
) -> Iterator[str]:
    for folder in sizes.absent:
        yield f"no token shards in {folder} yet: sizes are those that `expected` says"
    for row in sources:
        if sequences[row.source] < settings.min_sequences:
            yield (
                f"{row.source} gets {sequences[row.source]:,} rows of {settings.row_tokens:,} tokens, "
                f"fewer than {settings.min_sequences:,}: give it more, or 0 to leave it out"
            )
        if row.epochs is None:
            yield f"nobody says how many tokens there are of {row.source}: its epochs are not known"
        elif row.epochs > MANY_EPOCHS and row.effective_tokens is not None:
            worth = row.effective_tokens / row.tokens
            yield f"{row.source} is read {row.epochs:.3g} times: its tokens are worth {worth:.0%} of new ones"
