"""The self-test on a terminal: a row a world, then the worst of all beside its limit."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil.eval.ablating.selftest import LEVEL, SelfTest, Trial, kinds_chosen
from chejil.terminal import table

HEADS = (
    "world>",
    "distance>",
    "regret>",
    "natural>",
    "best proxy>",
    "rank ρ>",
    "nested ρ>",
    "decisions>",
    "in 90 %>",
    "noise>",
    "chosen",
)


def view(found: SelfTest) -> Iterator[RenderableType]:
    """Rows, limits, verdict."""
    yield table(HEADS, map(_row, found.trials))
    worst = max(one.regret for one in found.trials), max(one.distance for one in found.trials)
    yield f"regret, bits per byte above the best mixture: at most {worst[0]:.4f} (limit {found.most_regret:g})"
    yield f"distance, share of bytes to move to be it: at most {worst[1]:.3f} (limit {found.most_distance:g})"
    coverage = sum(one.coverage for one in found.trials) / len(found.trials)
    yield f"intervals of {LEVEL:.0%} hold {coverage:.1%} of the true values; chosen: {_kinds(kinds_chosen(found))}"
    verdict = "passed" if found.passed else "FAILED"
    yield f"{verdict}: {len(found.trials)} worlds, {found.proxies} proxies each, {found.seconds:.0f} s"


def _row(one: Trial) -> tuple[object, ...]:
    kinds: dict[str, int] = {}
    for kind in one.chosen.values():
        kinds[kind] = kinds.get(kind, 0) + 1
    return (
        one.seed, f"{one.distance:.3f}", f"{one.regret:.4f}", f"{one.natural_regret:.4f}",
        f"{one.best_proxy_regret:.4f}", f"{one.spearman:.3f}", f"{one.nested:.3f}", f"{one.decisions:.1%}",
        f"{one.coverage:.1%}", f"{one.noise:.4f}", _kinds(kinds),
    )  # fmt: skip


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
