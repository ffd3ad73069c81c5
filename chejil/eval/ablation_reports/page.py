"""The report as one page in English and Korean: the answer first, then what it rests on; no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from chejil.curation.reporting import layout
from chejil.curation.reporting.layout import LANGUAGES, bar, code, document, section, table, text, tiles
from chejil.eval.ablating.pareto import Exchange
from chejil.eval.ablating.recommendation import Predicted
from chejil.eval.ablation_reports import page_evidence
from chejil.eval.ablation_reports.measured import VALUE
from chejil.eval.ablation_reports.page_evidence import heads
from chejil.eval.ablation_reports.recommended import RecommendedSection
from chejil.eval.ablation_reports.report import CANDIDATE, MIXTURE, ProxyRow, Report
from chejil.eval.ablation_reports.report_view import NATS, number
from chejil.eval.ablation_reports.scatter import Point, scatter

say = partial(layout.say, phrases_of="chejil.eval.ablation_reports")
_STYLE = (
    ".plots figure { display: block; } .heat td { padding-right: .5rem; } .answer { font-size: 1.1rem; }\n"
    "td i + i { margin-top: .15rem; } i.p { background: var(--edge); }\n"
)
_CHANCE = (
    "Keep the natural mixture: this fit ranks no better than chance (rank correlation {rho}, p {p}; error {error}, "
    "spread over mixtures {spread})."
)
_KEPT = "{file} is the natural mixture; {other} is the one that is predicted to be best, shown here."
_NO_LOSS = (
    "1 % of bytes more for Korean (now {share}) gains {gained} Korean bits per byte; English loses nothing that could "
    "be told from 0."
)
_RATE = (
    "1 % of bytes more for Korean (now {share}) gains {gained} Korean bits per byte and loses {lost} English ones: "
    "{ratio} gained for each lost (90 %: {low} to {high})."
)


def page(found: Report, report_hash: str) -> str:
    """The whole page.

    Args:
        report_hash: of report.json, which has every number of it.
    """
    best = found.recommended
    parts = [_head(found)]
    if best is not None:
        parts += [_mixture(best), _predicted(best)]
        parts += [] if _chance(found) else [_front(found, best)]
    parts += page_evidence.sections(found)
    parts.append(_footer(found, report_hash))
    skip = f'<a class=skip href="#main">{say("Skip to the content")}</a>'
    return document(found.name, "".join(parts), _STYLE, f"<header>{skip}{LANGUAGES}</header>\n")


def _head(found: Report) -> str:
    title = say("What the small runs say") if found.arms is None else say("Which arm is better")
    about = f"<p>{text(found.about, 300)}</p>" if found.about else ""
    return (
        f"<h1>{text(found.name)}: {title}</h1>{about}{_answer(found)}{_tiles(found)}{''.join(_notes(found))}"
    )


def _answer(found: Report) -> str:
    best = found.recommended
    if best is None:
        why = f" <span class=warning>{text(found.no_fit, 300)}</span>" if found.no_fit else ""
        said = say("No mixture is recommended.") if found.arms is None else say("The verdicts stand below.")
        return f"<p class=answer>{said}{why}</p>"
    ends = {"gain": f"{best.gain.value:.4f}", "low": f"{best.gain.low:.4f}", "high": f"{best.gain.high:.4f}"}
    phrase = (
        "Leave the natural mixture: this one is predicted to gain {gain} bits per byte (90 %: {low} to {high})."
        if best.leave_natural
        else "Keep the natural mixture: a predicted gain of {gain} bits per byte (90 %: {low} to {high}) may be none."
    )
    written = "" if best.leave_natural else f"{say(_KEPT, file=code(MIXTURE), other=code(CANDIDATE))} "
    if found.fit is not None and _chance(found):
        values = {"rho": number(found.fit.value.spearman, ".3f"), "p": number(found.fit.value.p, ".2g"),
                  "error": f"{found.fit.error:.4f}", "spread": f"{found.fit.spread:.4f}"}  # fmt: skip
        phrase, ends = _CHANCE, values
    near = say(
        "It was not trained. The nearest mixture that was is {name}, {share} of the bytes away.",
        name=code(best.nearest), share=f"{best.nearest_distance:.1%}",
    )  # fmt: skip
    return f"<p class=answer><b>{say(phrase, **ends)}</b></p><p>{written}{near}</p>"


def _chance(found: Report) -> bool:
    return found.fit is not None and found.fit.chance


def _tiles(found: Report) -> str:
    pairs = [(f"{len(found.proxies)} / {found.trained}", say("proxies that count"))]
    if found.fit is not None:
        pairs.append((str(found.fit.mixtures), say("mixtures")))
        pairs.append((number(found.fit.value.spearman, ".3f"), say("rank correlation, outer folds")))
        if found.fit.held_out is not None:
            check = found.fit.held_out.by_domain[VALUE]
            pairs.append(
                (number(check.spearman, ".3f"), say("on {count} mixtures held out", count=check.points))
            )
    noise = next(one.signal for one in found.noise if one.measure == VALUE)
    pairs.append((number(noise.noise), say("noise by seed, bits per byte")))
    if (share := found.cost.get("share_of_target")) is not None:
        pairs.append((f"{share:.2g}", say("of the large run's FLOPs")))
    return tiles(pairs)


def _notes(found: Report) -> Iterator[str]:
    for warning in found.warnings:
        yield f"<p class=warning>{text(warning, 400)}</p>"
    if found.excluded:
        rows = "".join(f"<li>{code(name)}: {text(why, 300)}</li>" for name, why in found.excluded.items())
        yield f"<p>{say('Excluded:')}</p><ul class=stopped>{rows}</ul>"


def _mixture(best: RecommendedSection) -> str:
    most = max(max(one.bytes, one.natural_bytes) for one in best.sources)
    rows = [
        (
            text(one.source), f"{one.natural_bytes:.2%}", f"{one.bytes:.2%}",
            _pair(one.natural_bytes, one.bytes, most), f"{one.tokens:.2%}", number(one.natural_epochs, ".3g"),
            number(one.epochs, ".3g"), f"{say('at its limit')}: {code(one.limit)}" if one.limit else "",
        )
        for one in best.sources
    ]  # fmt: skip
    columns = (
        "source",
        ">natural, bytes",
        ">recommended, bytes" if best.leave_natural else ">candidate, bytes",
        "|",
        ">tokens",
        ">natural epochs",
        ">epochs",
        "limit",
    )
    told = say(
        "{moved} of the bytes move ({nats} nats). Upper bar natural, lower bar the other. {file} has it.",
        moved=f"{best.total_variation:.1%}", nats=f"{best.kl:.3f}",
        file=code(MIXTURE if best.leave_natural else CANDIDATE),
    )  # fmt: skip
    told += f" {say(NATS)}"
    return section("mixture", say("Mixture"), table(told, heads(columns), rows))


def _pair(first: float, second: float, most: float) -> str:
    return bar(first, most).replace("<i ", "<i class=p ", 1) + bar(second, most)


def _predicted(best: RecommendedSection) -> str:
    rows = [
        (text(one.domain), f"{one.natural.value:.4f}", _ends(one.natural), f"{one.recommended.value:.4f}",
         _ends(one.recommended), f"{one.recommended.value - one.natural.value:+.4f}")
        for one in best.domains
    ]  # fmt: skip
    name = ">recommended" if best.leave_natural else ">candidate"
    columns = ("domain", ">natural", ">90 %", name, ">90 %", ">difference")
    told = say("Bits per byte, predicted, with 90 % ends.")
    return section("predicted", say("Prediction by domain"), table(told, heads(columns), rows))


def _ends(one: Predicted) -> str:
    return f"{one.low:.4f} – {one.high:.4f}"


def _front(found: Report, best: RecommendedSection) -> str:
    kinds = {"natural": "natural", "worst": "worst"}
    points = [
        Point(one.ko, one.en, kinds.get(one.kind, "proxy"), one.kind if one.kind in kinds and first else "")
        for one, first in _with_first(found)
    ]
    name = "recommended" if best.leave_natural else "candidate"
    points.append(Point(*best.recommended_point, "recommended", name))
    drawing = scatter(
        "English against Korean bits per byte of all proxies, with the predicted front",
        points, [(one.ko, one.en) for one in best.front],
    )  # fmt: skip
    told = say(
        "Across: Korean bits per byte; up: English. Grey: proxies as measured; dashed: the predicted front; "
        "diamond: the mixture above, predicted."
    )
    columns = (">Korean share of bytes", ">Korean bits per byte", ">English bits per byte")
    rows = [(f"{one.korean_share:.1%}", f"{one.ko:.4f}", f"{one.en:.4f}") for one in best.front]
    figure = f"<div class=plots><figure>{drawing}<figcaption>{told}</figcaption></figure></div>"
    return section(
        "front",
        say("Korean against English"),
        figure + _rate(best.exchange) + table(say("The front"), heads(columns), rows),
    )


def _with_first(found: Report) -> Iterator[tuple[ProxyRow, bool]]:
    """Proxies, and whether each is the first of its mixture."""
    seen: set[str] = set()
    for one in found.proxies:
        yield one, one.proposal not in seen
        seen.add(one.proposal)


def _rate(one: Exchange | None) -> str:
    if one is None:
        return ""
    values = {"share": f"{one.korean_share:.1%}", "gained": f"{one.korean_gained:.5f}"}
    if one.ratio != one.ratio:
        return f"<p>{say(_NO_LOSS, **values)}</p>"
    values |= {"lost": f"{one.english_lost:.5f}", "ratio": f"{one.ratio:.2f}"}
    return f"<p>{say(_RATE, **values, low=f'{one.low:.2f}', high=f'{one.high:.2f}')}</p>"


def _footer(found: Report, report_hash: str) -> str:
    told = say(
        "Every number is in report.json; {verify} makes it again from the folders named here.",
        verify=code("chejil verify SWEEP"),
    )
    hashes = f"sweep.json xxh3-128 {code(found.sweep_hash)}, report.json {code(report_hash)}"
    return f"<footer><p>{told}</p><p>{hashes}</p></footer>"
