"""Calibrates bounds: proposes those that a chosen share of a trusted reference passes, by language.

Thresholds that were tuned on one corpus drop good text of another (Gopher's, found on English, fail ordinary Korean
news), and bounds that each pass 99 % of good documents pass 70 % of them together. So one tail is cut from every
signal, as large as the *joint* share allows. No search is needed: a document's depth is the smallest rank that it has
on any side of any signal, counted from that side's end; a tail of k documents drops exactly those of depth k or less.
The depths are found one column at a time, so memory is 24 bytes a document of the reference, whatever the signals.

A bound is a value that the reference has, rounded outward to three digits; where half of the reference has that very
value there is no tail, and the bound that was before stands. A side is cut where the presets bound it
(no preset has a smallest `digit_share`), both where none does. What is undefined for more than half of the loss that
the share allows is left out, since a null passes no bound. Penedo et al. 2024 (FineWeb 3.6; FineWeb-2, 4.3) choose
thresholds by comparing such distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from chejil.curation.calibration.effects import bins_of, counted
from chejil.curation.calibration.samples import Documents, Group
from chejil.curation.calibration.tails import bound_of, depths, tail_of
from chejil.errors import ChejilError
from chejil.filters import preset_bounds
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, find_signal

By = Literal["lang", "source,lang"]

FEW_DOCUMENTS = 50
"""Below it a tail of one per cent is less than a document: the bounds are those of chance."""


@dataclass(frozen=True)
class Proposal:
    """One signal. `passes` is the share of the reference that passes it alone, `falls` the share of the run that
    its present bound passes and this one drops, `rises` the other way round; None without such documents.

    `low_quantile` and `high_quantile` are the shares of the reference below `low` and up to `high`. `bins` are the
    edges of the histograms, in the signal's unit; a value beyond them is counted in the first or last.
    """

    signal: str
    unit: str
    low: float | None
    high: float | None
    low_quantile: float | None
    high_quantile: float | None
    present: Mapping[str, float | None] | None
    passes: float
    falls: float | None
    rises: float | None
    bins: list[float] = field(default_factory=list)
    reference_histogram: list[int] = field(default_factory=list)
    run_histogram: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Calibrated:
    """The bounds of one language, or of one source and language; shares as in Proposal, for all bounds together."""

    source: str | None
    lang: str
    reference_documents: int
    run_documents: int
    passes: float
    passes_present: float | None
    falls: float | None
    rises: float | None
    proposals: list[Proposal]
    warnings: list[str]


@dataclass(frozen=True)
class Calibration:
    """What a reference says about a run's bounds; `left_out` are languages without documents, and why."""

    run: str
    reference: str
    share: float
    by: By
    groups: list[Calibrated]
    left_out: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def calibrate(
    run: str, reference: str, share: float = 0.99, by: By = "lang", signals: Sequence[str] | None = None
) -> Calibration:
    """Propose bounds that at least `share` of the reference passes together, and say what they would do to a run.

    Args:
        run: a finished run's folder; its stored signals are judged, its text is not read.
        reference: a finished run's folder; or Parquet shards of text (a file, a folder, a glob), scored on the fly.
        share: between 0 and 1.
        by: bounds by language, or by source and language (sources go by their name in both).
        signals: names; None takes those that the run's recipe bounds, or the preset `koen` where it bounds none.

    Raises:
        ChejilError: no run, no reference, an unknown signal, a signal that is a label or that was not measured.
    """
    if not 0 < share < 1:
        raise ChejilError(f"share {share:g} is not between 0 and 1", mend="e.g. --share 0.99")
    for name in signals or ():
        if find_signal(name).kind == "label":
            raise ChejilError(f"'{name}' is a label, it has no interval", mend="name a number")
    judged = Documents.of_run(run)
    wanted = list(signals) if signals else sorted(judged.bounded() or _default_signals())
    judged.require(wanted if signals else [])
    wanted = [name for name in SIGNALS if name in wanted and judged.has(name)]
    with Documents.open(reference, wanted) as trusted:
        trusted.require(wanted)
        groups, left_out = [], []
        for group in _groups(judged, trusted, by):
            names = wanted if signals else [name for name in wanted if _is_bounded(name, group, judged)]
            found = _calibrated(group, judged, trusted, names, share) if names else None
            if isinstance(found, Calibrated):
                groups.append(found)
            elif found is not None:
                left_out.append(found)
    if not groups:
        mend = "; ".join(left_out) or "name signals with --signals"
        raise ChejilError("nothing to calibrate", where=reference, mend=mend)
    return Calibration(judged.name, trusted.name, share, by, groups, left_out)


def _default_signals() -> set[str]:
    languages = preset_bounds.preset(preset_bounds.DEFAULTS).languages
    return {name for limits in languages.values() for name in limits}


def _is_bounded(name: str, group: Group, judged: Documents) -> bool:
    """Whether the run's recipe bounds the signal for the group, or the defaults do where it says nothing."""
    present = judged.present(group)
    if present is None:
        present = preset_bounds.preset(preset_bounds.DEFAULTS).languages.get(group.lang, {})
    return name in present


def _groups(judged: Documents, trusted: Documents, by: By) -> Iterator[Group]:
    """Languages, or sources and languages, that one of the two has and that the run does not drop as a whole."""
    there = {*judged.groups(by), *trusted.groups(by)}
    if by == "source,lang":
        there = {group for group in there if group.source in judged.sources()}
    order = sorted(there, key=lambda group: (group.source or "", LANGUAGES.index(group.lang)))
    return (group for group in order if not judged.drops(group))


def _calibrated(
    group: Group, judged: Documents, trusted: Documents, names: list[str], share: float
) -> Calibrated | str:
    """A group's proposals, or why it has none."""
    total = trusted.count(group)
    if not total:
        return f"{group}: the reference has no documents of it"
    warnings = []
    if total < FEW_DOCUMENTS:
        warnings.append(
            f"only {total} documents of {group} in the reference: these bounds are those of chance"
        )
    if total * (1 - share) < len(names):
        warnings.append(
            f"{total} documents of {group} for {len(names)} signals: most bounds are this sample's extremes, give more "
            "text or fewer --signals"
        )
    names, undefined = _defined(group, trusted, names, share)
    warnings += undefined
    tail = tail_of(depths(group, trusted, names), share)
    before = judged.present(group) or preset_bounds.preset(preset_bounds.DEFAULTS).languages.get(
        group.lang, {}
    )
    found = {
        name: bound_of(name, trusted.column(name, group), tail, before.get(name, Bound())) for name in names
    }
    found = {name: bound for name, bound in found.items() if bound != Bound()}
    effect = counted(trusted, group, found, None)
    if not found:
        return f"{group}: no bound would drop anything of the reference's range"
    if effect.passes < share:
        warnings.append(f"only {effect.passes:.2%} of {group} in the reference pass: the rest is undefined")
    return _measured(group, judged, trusted, found, warnings)


def _measured(
    group: Group, judged: Documents, trusted: Documents, found: Mapping[str, Bound], warnings: list[str]
) -> Calibrated:
    """What the bounds do to the reference and to the run."""
    present = judged.present(group)
    columns = {name: trusted.column(name, group) for name in found}
    bins = {name: bins_of(SIGNALS[name], column, found[name]) for name, column in columns.items()}
    reference, run = (counted(some, group, found, present, bins) for some in (trusted, judged))
    proposals = [
        Proposal(
            signal=name,
            unit=SIGNALS[name].unit,
            low=bound.low,
            high=bound.high,
            low_quantile=None if bound.low is None else _share(columns[name] < bound.low),
            high_quantile=None if bound.high is None else _share(columns[name] <= bound.high),
            present=None
            if (now := (present or {}).get(name)) is None
            else {"low": now.low, "high": now.high},
            passes=reference.alone[name],
            falls=run.falls_alone.get(name),
            rises=run.rises_alone.get(name),
            bins=bins[name].tolist(),
            reference_histogram=reference.histograms[name].tolist(),
            run_histogram=run.histograms[name].tolist(),
        )
        for name, bound in found.items()
    ]
    return Calibrated(
        source=group.source,
        lang=group.lang,
        reference_documents=reference.documents,
        run_documents=run.documents,
        passes=reference.passes,
        passes_present=reference.passes_present,
        falls=run.falls if run.documents else None,
        rises=run.rises if run.documents else None,
        proposals=proposals,
        warnings=warnings,
    )


def _share(mask: np.ndarray) -> float:
    return round(float(mask.mean()), 6)


def _defined(group: Group, trusted: Documents, names: list[str], share: float) -> tuple[list[str], list[str]]:
    """Signals that are undefined for few enough documents, together, and warnings about the others."""
    missing = {name: np.isnan(trusted.column(name, group)) for name in names}
    any_missing = np.zeros(trusted.count(group), bool)
    kept, warnings = set(), []
    for name in sorted(names, key=lambda name: (missing[name].mean(), name)):
        if (any_missing | missing[name]).mean() <= (1 - share) / 2:
            any_missing |= missing[name]
            kept.add(name)
        else:
            what = f"{name} is undefined for {missing[name].mean():.1%} of {group} in the reference: left out"
            warnings.append(what)
    return [name for name in names if name in kept], warnings
