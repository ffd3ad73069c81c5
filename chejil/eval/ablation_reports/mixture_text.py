"""The recommended mixture as a file that a training reads (`mixture_file`), with what it rests on in its head.

Weights have six digits each, relative and not absolute, so that a small one never becomes nothing; a source whose
share is 0 is left out and named. A cap has 2 % headroom: sizes here are of text, those of a training of its shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from chejil.eval.ablation_reports.recommended import RecommendedSection, SourceShare
from chejil.eval.ablation_reports.report import Report

HEADROOM = 1.02


def content(found: Report, best: RecommendedSection) -> dict[str, Any]:
    """What MixtureStages reads."""
    weights = {
        pattern: float(f"{one.bytes * share:.6g}")
        for one in best.sources
        for pattern, share in found.patterns[one.source].items()
        if one.bytes > 0
    }
    caps: Mapping[str, float] = {}
    if found.max_epochs:
        caps = dict.fromkeys(weights, float(f"{found.max_epochs * HEADROOM:.6g}"))
    return {"stages": [{"from_tokens": 0, "weights": weights}], "max_epochs": dict(caps)}


def text(found: Report, best: RecommendedSection) -> str:
    """The file."""
    body = yaml.safe_dump(content(found, best), sort_keys=False, allow_unicode=True)
    return "".join(f"# {visible(line)}".rstrip() + "\n" for line in _head(found, best)) + body


def visible(line: str) -> str:
    """One line of a comment, whatever a name holds."""
    return " ".join(line.splitlines())


def _head(found: Report, best: RecommendedSection) -> Iterator[str]:
    yield f"{' '.join(found.name.split())}: recommended by chejil ablate report from {len(found.proxies)} proxies"
    yield f"sweep.json xxh3-128 {found.sweep_hash}"
    yield (
        f"predicted gain over natural: {best.gain.value:.4f} weighted bits per byte "
        f"(90 %: {best.gain.low:.4f} to {best.gain.high:.4f}). It was not trained; nearest that was: "
        f"{' '.join(best.nearest.split())}, {best.nearest_distance:.1%} of the bytes away."
    )
    if not best.leave_natural:
        yield "The gain may be none: keep the natural mixture, or train more proxies."
    yield "Weights are shares of bytes of text."
    width = max(len(one.source) for one in best.sources)
    yield f"{'source':{width}}   natural %    bytes %   tokens %   epochs"
    yield from (_row(one, width) for one in best.sources)


def _row(one: SourceShare, width: int) -> str:
    epochs = "       ?" if one.epochs is None else f"{one.epochs:8.3f}"
    note = "  at its limit" if one.at_limit else "  left out" if one.bytes == 0 else ""
    return (
        f"{one.source:{width}}  {one.natural_bytes:10.4%} {one.bytes:10.4%} {one.tokens:10.4%} {epochs}{note}"
    )
