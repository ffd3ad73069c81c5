"""Mixtures of a report as files that a training reads (`mixture_file`), with what they rest on in their heads.

`mixture.yaml` is what the report advises: where it says to keep the natural mixture, that is the natural one (moved
into the sweep's limits), and the one that is predicted to be best lies beside it as `candidate.yaml`, to be tried.
Weights have six digits each, relative and not absolute, so that a small one never becomes nothing; a source whose
share is 0 is left out and named. A cap has 2 % headroom: sizes here are of text, those of a training of its shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chejil.eval.ablation_reports.recommended import RecommendedSection, SourceShare
from chejil.eval.ablation_reports.report import CANDIDATE, MIXTURE, Report

HEADROOM = 1.02


@dataclass(frozen=True)
class MixtureFile:
    """Of a recommendation, the natural mixture or the one that is predicted to be best."""

    best: RecommendedSection
    natural: bool

    def share(self, one: SourceShare) -> float:
        """A source's share of bytes in it."""
        return one.natural_bytes if self.natural else one.bytes

    def epochs(self, one: SourceShare) -> float | None:
        """How often it is read at the horizon."""
        return one.natural_epochs if self.natural else one.epochs


def files(found: Report) -> dict[str, MixtureFile]:
    """Which mixtures are written, by file name: what is advised, and a candidate where that is natural."""
    best = found.recommended
    if best is None:
        return {}
    if best.leave_natural:
        return {MIXTURE: MixtureFile(best, natural=False)}
    return {MIXTURE: MixtureFile(best, natural=True), CANDIDATE: MixtureFile(best, natural=False)}


def content(found: Report, file: MixtureFile) -> dict[str, Any]:
    """What MixtureStages reads."""
    weights = {
        pattern: float(f"{file.share(one) * share:.6g}")
        for one in file.best.sources
        for pattern, share in found.patterns[one.source].items()
        if file.share(one) > 0
    }
    caps: Mapping[str, float] = {}
    if found.max_epochs:
        caps = dict.fromkeys(weights, float(f"{found.max_epochs * HEADROOM:.6g}"))
    return {"stages": [{"from_tokens": 0, "weights": weights}], "max_epochs": dict(caps)}


def text(found: Report, file: MixtureFile) -> str:
    """The file."""
    body = yaml.safe_dump(content(found, file), sort_keys=False, allow_unicode=True)
    return "".join(f"# {visible(line)}".rstrip() + "\n" for line in _head(found, file)) + body


def visible(line: str) -> str:
    """One line of a comment, whatever a name holds."""
    return " ".join(line.splitlines())


def _head(found: Report, file: MixtureFile) -> Iterator[str]:
    yield f"{' '.join(found.name.split())}: {_what(file)} by chejil ablate report from {len(found.proxies)} proxies"
    yield f"sweep.json xxh3-128 {found.sweep_hash}"
    yield _gain(file)
    if found.fit is not None and found.fit.chance:
        yield "The fit ranks no better than chance: what it predicts is a guess."
    yield "Weights are shares of bytes of text."
    width = max(len(one.source) for one in file.best.sources)
    yield f"{'source':{width}}    bytes %   epochs"
    yield from (_row(file, one, width) for one in file.best.sources)


def _what(file: MixtureFile) -> str:
    if file.natural:
        return "the natural mixture, advised"
    return "recommended" if file.best.leave_natural else "a candidate, not advised,"


def _gain(file: MixtureFile) -> str:
    best, gain = file.best, file.best.gain
    ends = f"{gain.value:.4f} weighted bits per byte (90 %: {gain.low:.4f} to {gain.high:.4f})"
    if file.natural:
        return (
            f"No other mixture is sure to be better: the predicted gain of {CANDIDATE}, {ends}, may be none."
        )
    near = f"{' '.join(best.nearest.split())}, {best.nearest_distance:.1%} of the bytes away"
    may = "" if best.leave_natural else ", may be none: train more proxies, or these two"
    return f"predicted gain over natural: {ends}{may}. It was not trained; nearest that was: {near}."


def _row(file: MixtureFile, one: SourceShare, width: int) -> str:
    share, epochs = file.share(one), file.epochs(one)
    times = "       ?" if epochs is None else f"{epochs:8.3f}"
    limit = "  at its limit" if one.at_limit and not file.natural else ""
    return f"{one.source:{width}}  {share:9.4%} {times}{'  left out' if share == 0 else limit}"
