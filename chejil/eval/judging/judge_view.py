"""A judge's summary in the terminal: models first, then categories, differences, pairs, what was not judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from chejil.eval.judging.agreement import Agreement
from chejil.eval.judging.means import Mean, Means, PairedDifference
from chejil.eval.judging.pairing import PairSummary
from chejil.eval.judging.runs import Generated
from chejil.eval.judging.summary import ModelSummary, Summary
from chejil.terminal import table

_LISTED = 10


def with_interval(mean: Mean, digits: int = 2) -> str:
    """A mean and its interval.

    >>> with_interval(Mean(4.125, 3.9, 4.3, 121)), with_interval(Mean(4.0, None, None, 1))
    ('4.12 (3.90 … 4.30)', '4.00')
    """
    if mean.low is None or mean.high is None:
        return f"{mean.value:.{digits}f}"
    return f"{mean.value:.{digits}f} ({mean.low:.{digits}f} … {mean.high:.{digits}f})"


def summary(found: Summary) -> Iterator[RenderableType]:
    """Tables and lines."""
    about = found.about
    yield (
        f"judged by {about['judge']}, rubric {about['settings']['rubric']} in {about['settings']['lang']}, prompts "
        f"{about['prompts']} ({about['num_prompts']:,}); in brackets 95 % intervals over prompts; 5 is always good"
    )  # fmt: skip
    if found.models:
        yield _models(found.models)
        yield _criteria(found.models)
        yield _groups("category", [(one.model, one.overall) for one in found.models])
    if found.differences:
        yield _differences(found.differences)
    for pair in found.pairs:
        yield from _pair(pair)
    yield from _left(found)


def _models(models: Sequence[ModelSummary]) -> RenderableType:
    heads = ("model", "answers>", "overall>", "balanced>", "0 to 100>", "balanced, 0 to 100>", "relative>")
    rows = [
        (
            one.model, one.answers, with_interval(one.overall.plain), with_interval(one.overall.balanced),
            with_interval(one.score_100, 1), with_interval(one.score_100_balanced, 1),
            "" if one.relative is None else f"{one.relative:.1f}",
        )
        for one in models
    ]  # fmt: skip
    return table(heads, rows)


def _criteria(models: Sequence[ModelSummary]) -> RenderableType:
    rows = [
        (name, *(with_interval(one.criteria[name].plain) for one in models)) for name in models[0].criteria
    ]
    return table(("criterion", *(f"{one.model}>" for one in models)), rows)


def _groups(kind: str, columns: Sequence[tuple[str, Means]]) -> RenderableType:
    names = dict.fromkeys(name for _, means in columns for name in means.by_category)
    langs = dict.fromkeys(name for _, means in columns for name in means.by_lang)
    rows = [
        (name, max(means.by_category[name].prompts for _, means in columns if name in means.by_category),
         *(with_interval(means.by_category[name]) if name in means.by_category else "" for _, means in columns))
        for name in names
    ]  # fmt: skip
    rows += [
        (f"({name})", max(means.by_lang[name].prompts for _, means in columns if name in means.by_lang),
         *(with_interval(means.by_lang[name]) if name in means.by_lang else "" for _, means in columns))
        for name in langs
    ]  # fmt: skip
    return table((kind, "prompts>", *(f"{name}>" for name, _ in columns)), rows)


def _differences(found: Sequence[PairedDifference]) -> RenderableType:
    rows = [
        (one.first, one.second, one.mean.prompts, with_interval(one.mean), f"{one.p:.4f}") for one in found
    ]
    return table(("first", "second", "prompts>", "second - first>", "p>"), rows)


def _pair(pair: PairSummary) -> Iterator[RenderableType]:
    heads = ("", "won>", "ties>", "lost>", "win rate>", "balanced>")
    rate = pair.win_rate
    shown = (with_interval(rate.plain), with_interval(rate.balanced)) if rate else ("", "")
    yield table(heads, [(f"{pair.first} against {pair.second}", pair.wins, pair.ties, pair.losses, *shown)])
    place = "" if pair.first_place_share is None else f"; first place preferred {pair.first_place_share:.0%}"
    yield (
        f"{pair.flips:,} verdicts followed the place and count as ties{place}; {pair.undecided:,} prompts without both "
        "verdicts"
    )
    if rate:
        yield _groups("win rate", [(pair.first, rate)])


def _left(found: Summary) -> Iterator[str]:
    if found.prompt_tokens or found.reply_tokens:
        yield f"tokens by the endpoint's count: {found.prompt_tokens:,} in, {found.reply_tokens:,} out"
    if found.asked_again:
        yield f"{found.asked_again:,} answers were asked about more than once"
    missing = {
        model: found.about["num_prompts"] - number
        for model, number in found.about["answers"].items()
        if number < found.about["num_prompts"]
    }
    for model, number in missing.items():
        yield f"{model} has no answer to {number:,} of the prompts"
    yield from not_done(found.not_judged, "not judged")


def not_done(reasons: object, kind: str) -> Iterator[str]:
    """The first of those that were left out, with why."""
    pairs = list(dict(reasons).items())  # type: ignore[call-overload]
    if pairs:
        yield f"{len(pairs):,} {kind}, in no mean:"
        yield from (f"  {name}: {why}" for name, why in pairs[:_LISTED])
    if len(pairs) > _LISTED:
        yield f"  … and {len(pairs) - _LISTED:,} more"


def agreements(found: Sequence[Agreement]) -> Iterator[RenderableType]:
    """A row a criterion."""
    heads = (
        "criterion",
        "answers>",
        "equal>",
        "weighted kappa>",
        "Spearman>",
        "mean, first>",
        "mean, second>",
    )
    rows = []
    for one in found:
        kappa = (
            "undefined"
            if one.kappa is None
            else with_interval(Mean(one.kappa, one.kappa_low, one.kappa_high, 0))
        )
        rho = "undefined" if one.spearman is None else f"{one.spearman:.2f}"
        rows.append(
            (one.criterion, one.answers, f"{one.equal_share:.0%}", kappa, rho, f"{one.first_mean:.2f}",
             f"{one.second_mean:.2f}")
        )  # fmt: skip
    yield table(heads, rows)


def generated(found: Sequence[Generated]) -> Iterator[RenderableType]:
    """A row a model."""
    rows = [(one.model, one.answers, one.cut_off, len(one.unanswered), one.path) for one in found]
    yield table(("model", "answers>", "cut off>", "without a reply>", "file"), rows)
    for one in found:
        yield from not_done(one.unanswered, f"prompts without a reply of {one.model}")
