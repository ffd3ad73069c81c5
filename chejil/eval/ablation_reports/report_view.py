"""A report on a terminal: what to train on, how far to trust it, what was decided and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType

from chejil.eval.ablating.pareto import Exchange
from chejil.eval.ablation_reports.decisions import DecisionSection
from chejil.eval.ablation_reports.fit_section import FitSection
from chejil.eval.ablation_reports.item_scores import ItemScore
from chejil.eval.ablation_reports.measured import EN, KO, VALUE
from chejil.eval.ablation_reports.ranks import Ranks
from chejil.eval.ablation_reports.recommended import RecommendedSection
from chejil.eval.ablation_reports.report import CANDIDATE, MIXTURE, Report
from chejil.eval.ablation_reports.transfer import TransferSection
from chejil.terminal import table

OUTER = "Outer folds: each mixture predicted by a fit that never saw it. Made of all proxies below."
PAIRS = "Pairs right: of all pairs of mixtures, those that are predicted in the order measured; by luck it is half."
NATS = "Nats: Kullback-Leibler divergence from the natural mixture; 0 is natural itself."
NOISE = "Noise: standard deviation between seeds of one mixture; spread: between the means of mixtures."
SHOWS = "Bits per byte; below 0 the first is better. Shows from: the least difference that shows in 4 of 5 sweeps."
SEEDS = (
    "For more seeds name both mixtures in proposals.seeds (arms: proposals.replicate_seeds) and run it again."
)
"""What tables mean: said here and on the page, where Korean stands beside it."""

MEASURES = {VALUE: "objective", KO: "Korean", EN: "English"}


def view(found: Report) -> Iterator[RenderableType]:
    """All of it, the answer first."""
    yield f"{found.name}: {len(found.proxies)} of {found.trained} proxies count; weighted: {_weights(found)}"
    for name, why in found.excluded.items():
        yield f"excluded: {name}: {why}"
    for warning in found.warnings:
        yield f"warning: {warning}"
    if found.no_fit is not None:
        yield f"no recommendation: {found.no_fit}"
    if found.recommended is not None:
        yield from _recommended(found.recommended, found.fit is not None and found.fit.chance)
    if found.fit is not None:
        yield from _fit(found.fit)
    if found.arm_text:
        yield _arms(found.arm_text)
    yield from _noise(found)
    yield from _decisions(found.decisions)
    if found.transfer is not None:
        yield from _transfer(found.transfer)
    if found.scores:
        yield from _scores(found.scores)


def verdict(best: RecommendedSection, chance: bool = False) -> str:
    """The plain sentence.

    Args:
        chance: the fit ranks no better than luck does.
    """
    if chance:
        return (
            f"keep the natural mixture, {MIXTURE} has it: this fit ranks no better than chance, so the mixture below, "
            f"{CANDIDATE}, is a guess; more proxies, or longer ones, would tell"
        )
    gain = f"{best.gain.value:.4f} bits per byte (90 %: {best.gain.low:.4f} to {best.gain.high:.4f})"
    if best.leave_natural:
        return f"leave the natural mixture: the one below is predicted to gain {gain}; {MIXTURE} has it"
    return (
        f"keep the natural mixture, {MIXTURE} has it: the predicted gain of {gain} of the one below, {CANDIDATE}, may "
        "be none; more proxies would tell"
    )


def measure(name: str) -> str:
    """A measure's name for people."""
    return MEASURES.get(name, name)


def rate(one: Exchange) -> str:
    """The exchange rate in words."""
    moved = f"1 % of bytes to Korean (now {one.korean_share:.1%}): Korean gains {one.korean_gained:.5f} bits per byte"
    if one.ratio != one.ratio:
        return f"{moved}, English loses nothing that could be told from 0"
    return (
        f"{moved}, English loses {one.english_lost:.5f}: {one.ratio:.2f} gained for each lost "
        f"(90 %: {one.low:.2f} to {one.high:.2f})"
    )


def number(value: float | None, form: str = ".4f") -> str:
    """A number, or a question mark."""
    return "?" if value is None else format(value, form)


def _weights(found: Report) -> str:
    if (percent := found.objective["english_worse_percent"]) is not None:
        return f"Korean alone, English at most {percent:g} % worse than natural"
    return ", ".join(f"{name} {weight:.3g}" for name, weight in found.objective_weights.items())


def _recommended(best: RecommendedSection, chance: bool) -> Iterator[RenderableType]:
    yield verdict(best, chance)
    name = "recommended" if best.leave_natural else "candidate"
    yield table(
        ("source", "natural bytes>", f"{name}>", "tokens>", "natural epochs>", "epochs>", ""),
        [
            (one.source, f"{one.natural_bytes:.2%}", f"{one.bytes:.2%}", f"{one.tokens:.2%}",
             number(one.natural_epochs, ".3g"), number(one.epochs, ".3g"),
             f"at its limit: {one.limit}" if one.limit else "")
            for one in best.sources
        ],
    )  # fmt: skip
    yield NATS
    yield table(
        ("predicted bits per byte", "natural>", "90 %>", f"{name}>", "90 %>"),
        [
            (one.domain, *(cell for each in (one.natural, one.recommended)
                           for cell in (f"{each.value:.4f}", f"{each.low:.4f} to {each.high:.4f}")))
            for one in best.domains
        ],
    )  # fmt: skip
    yield (
        f"from natural: {best.total_variation:.1%} of the bytes, {best.kl:.3f} nats; it was not trained, the nearest "
        f"that was is {best.nearest}, {best.nearest_distance:.1%} away"
    )
    if best.exchange is not None:
        yield rate(best.exchange)
    if not chance:
        yield table(
            ("Pareto front: Korean bytes>", "Korean bits per byte>", "English bits per byte>"),
            [(f"{one.korean_share:.1%}", f"{one.ko:.4f}", f"{one.en:.4f}") for one in best.front],
        )


def _arms(arms: list[dict[str, Any]]) -> RenderableType:
    return table(
        ("arm", "documents>", "tokens>", "bytes>", "pool tokens>", "epochs of a proxy>"),
        [
            (one["name"], one["documents"], one["tokens"], one["bytes"], one["pool_tokens"],
             f"{one['proxy_epochs']:.2f}")
            for one in arms
        ],
    )  # fmt: skip


def _fit(part: FitSection) -> Iterator[RenderableType]:
    rows = [
        (one.domain, one.kind, *_ranks(one.nested), f"{one.rmse:.4f}", number(one.signal.noise),
         number(one.signal.spread))
        for one in part.domains
    ]  # fmt: skip
    rows.append((measure(VALUE), "", *_ranks(part.value), f"{part.error:.4f}", "", f"{part.spread:.4f}"))
    heads = ("fit, outer folds", "regression", "rank correlation>", "p>", "pairs right>", "error>", "noise by seed>",
             "spread over mixtures>")  # fmt: skip
    yield table(heads, rows)
    yield f"{OUTER} {PAIRS}"
    if (check := part.held_out) is None:
        yield "no mixtures were held out wholly: there are fewer than 20"
        return
    yield f"held out wholly: {len(check.proposals)} mixtures, predicted from the other {check.fitted_to}"
    yield table(
        ("held-out mixtures", "rank correlation>", "p>", "pairs right>"),
        [(measure(name), *_ranks(one)) for name, one in check.by_domain.items()],
    )


def _ranks(one: Ranks) -> tuple[str, str, str]:
    return number(one.spearman, ".3f"), number(one.p, ".2g"), number(one.decisions, ".1%")


def _noise(found: Report) -> Iterator[RenderableType]:
    yield table(
        ("measured", "noise by seed>", "degrees of freedom>", "spread over mixtures>", "spread / noise>"),
        [
            (measure(one.measure), number(one.signal.noise), one.signal.freedom, number(one.signal.spread),
             number(one.signal.ratio, ".1f"))
            for one in found.noise
        ],
    )  # fmt: skip
    yield NOISE


def _decisions(part: DecisionSection) -> Iterator[RenderableType]:
    if part.compared:
        yield table(
            ("first less second", "on", "difference>", "95 %>", "pairs of seeds>", "degrees of freedom>",
             "shows from>", "verdict"),
            [
                (f"{one.decision.first} − {one.decision.second}", measure(one.measure),
                 f"{one.decision.difference:+.4f}", f"{one.decision.low:+.4f} to {one.decision.high:+.4f}",
                 one.decision.seeds, one.decision.freedom, f"{one.decision.detectable:.4f}",
                 worded(one.verdict, one.decision.better))
                for one in part.compared
            ],
        )  # fmt: skip
        yield f"{SHOWS} {SEEDS}"
    for pair, why in part.refused.items():
        yield f"not compared: {pair}: {why}"


def worded(verdict: str, better: str | None) -> str:
    """The verdict with who is better."""
    return f"{verdict}: {better} is better" if verdict == "decided" else verdict


def _transfer(part: TransferSection) -> Iterator[RenderableType]:
    yield f"at the next size ({part.about}): {len(part.points)} mixtures"
    for name, why in part.excluded.items():
        yield f"excluded there: {name}: {why}"
    yield table(
        ("order at the next size", "rank correlation>", "p>", "pairs right>"),
        [(measure(name), *_ranks(one)) for name, one in part.by_measure.items()],
    )
    yield table(
        ("first less second", "small>", "next size>", "order", "decided when small"),
        [
            (f"{one.first} − {one.second}", f"{one.small:+.4f}", f"{one.large:+.4f}",
             "same" if one.same_order else "CHANGED", "?" if one.decided is None else one.decided)
            for one in part.pairs
        ],
    )  # fmt: skip


def _scores(scores: list[ItemScore]) -> Iterator[RenderableType]:
    said = {True: "tells mixtures apart", False: "cannot decide", None: "no replicates"}
    yield table(
        ("items", "least>", "most>", "noise by seed>", "spread over mixtures>", "p>", "at this size"),
        [
            (one.score, f"{min(one.means.values()):.4f}", f"{max(one.means.values()):.4f}", number(one.signal.noise),
             number(one.signal.spread), number(one.signal.p, ".2g"), said[one.tells])
            for one in scores
        ],
    )  # fmt: skip


def verified(result: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What `verify` found."""
    yield from result["problems"]
    wrong = len(result["problems"])
    said = f"{wrong} problems" if wrong else "every hash, every number and the report are right"
    yield f"{result['files']:,} files: {said}"
    if wrong:
        yield "mend: remove the folders of proxies that are named and run the sweep again; then make the report again"
