"""What the answer of a report rests on, as sections of its page: fit, noise, decisions, next size, items, proxies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from chejil.curation.reporting import layout
from chejil.curation.reporting.layout import bar, code, details, section, table, text
from chejil.eval.ablation_reports.decisions import Compared, DecisionSection
from chejil.eval.ablation_reports.fit_section import FitSection
from chejil.eval.ablation_reports.item_scores import ItemScore
from chejil.eval.ablation_reports.measured import EN, KO, VALUE
from chejil.eval.ablation_reports.ranks import Ranks
from chejil.eval.ablation_reports.report import Report
from chejil.eval.ablation_reports.report_view import NOISE, OUTER, PAIRS, SEEDS, SHOWS, number
from chejil.eval.ablation_reports.scatter import Point, scatter
from chejil.eval.ablation_reports.transfer import TransferSection

say = partial(layout.say, phrases_of="chejil.eval.ablation_reports")
_POOL = (
    "Proxies read the pool: so much of the arm's text that they repeat it as often as the large run would, if one was "
    "stated."
)
_MEASURES = {VALUE: "objective", KO: "Korean", EN: "English"}
_MOST_HEAT = 45


def heads(names: Sequence[str]) -> list[str]:
    """Heads in both languages; what marks a column stays before the words."""
    return [
        name if name == "|" else f"{name[0]}{say(name[1:])}" if name[0] in ">|" else say(name)
        for name in names
    ]


def named(measure: str) -> str:
    """A measure: a domain's name, or one of ours in both languages."""
    return say(_MEASURES[measure]) if measure in _MEASURES else text(measure)


def sections(found: Report) -> Iterator[str]:
    """All of them that there are."""
    if found.fit is not None:
        yield _fit(found, found.fit)
    if found.arm_text:
        yield _arms(found)
    yield _noise(found)
    yield _decisions(found.decisions)
    if found.transfer is not None:
        yield _transfer(found.transfer)
    yield _items(found.scores)
    yield _proxies(found)


def _ranks(one: Ranks) -> tuple[str, str, str]:
    return number(one.spearman, ".3f"), number(one.p, ".2g"), number(one.decisions, ".1%")


def _fit(found: Report, part: FitSection) -> str:
    rows = [
        (text(one.domain), text(one.kind), *_ranks(one.nested), f"{one.rmse:.4f}", number(one.signal.noise),
         number(one.signal.spread))
        for one in part.domains
    ]  # fmt: skip
    rows.append((named(VALUE), "", *_ranks(part.value), "", "", ""))
    columns = (
        "domain",
        "regression",
        ">rank correlation",
        ">p",
        ">pairs right",
        ">error",
        ">noise by seed",
        ">spread over mixtures",
    )
    told = f"{say(OUTER)} {say(PAIRS)}"
    body = _plots(found, part) + table(told, heads(columns), rows) + _held_out(part) + _folds(found, part)
    return section("fit", say("How well the fit predicts"), body)


def _plots(found: Report, part: FitSection) -> str:
    figures = []
    for one in part.domains:
        points = [
            Point(row.bits_per_byte[one.domain], part.predicted[row.name][one.domain], one.language)
            for row in found.proxies
        ]
        label = f"predicted against measured bits per byte of {one.domain}"
        drawing = scatter(label, points, equal=True)
        figures.append(f"<figure>{drawing}<figcaption><h3>{text(one.domain)}</h3></figcaption></figure>")
    told = say(
        "Across: measured bits per byte; up: predicted by outer folds. On the dashed line both are the same."
    )
    return f"<p>{told}</p><div class=plots>{''.join(figures)}</div>"


def _held_out(part: FitSection) -> str:
    if (check := part.held_out) is None:
        return f"<p>{say('No mixture was held out wholly: there are fewer than 20.')}</p>"
    rows = [(named(name), *_ranks(one)) for name, one in check.by_domain.items()]
    told = say(
        "{count} mixtures held out, predicted from {rest} others: {names}. p: chance of such an order by luck.",
        count=len(check.proposals), rest=check.fitted_to, names=_folders(check.folders),
    )  # fmt: skip
    return table(told, heads(("domain", ">rank correlation", ">p", ">pairs right")), rows)


def _folds(found: Report, part: FitSection) -> str:
    domains = [one.domain for one in part.domains]
    rows = [
        (code(row.folder), *(f"{part.predicted[row.name][name]:.4f}" for name in domains))
        for row in found.proxies
    ]
    columns = [say("folder"), *(f">{text(name)}" for name in domains)]
    return details(say("What the outer folds predict"), table("", columns, rows))


def _arms(found: Report) -> str:
    rows = [
        (text(one["name"]), *(f"{one[key]:,}" for key in ("documents", "tokens", "bytes", "pool_tokens")),
         f"{one['proxy_epochs']:.2f}")
        for one in found.arm_text
    ]  # fmt: skip
    columns = ("arm", ">documents", ">tokens", ">bytes", ">pool tokens", ">epochs of a proxy")
    told = say(_POOL)
    return section("arms", say("What each arm holds"), table(told, heads(columns), rows))


def _noise(found: Report) -> str:
    most = max(max(one.signal.spread or 0, one.signal.noise or 0) for one in found.noise)
    rows = [
        (
            named(one.measure), number(one.signal.noise), number(one.signal.spread),
            bar(one.signal.noise or 0, most).replace("<i ", "<i class=p ", 1) + bar(one.signal.spread or 0, most),
            number(one.signal.ratio, ".1f"), f"{one.signal.freedom}",
        )
        for one in found.noise
    ]  # fmt: skip
    columns = (
        ">domain",
        ">noise by seed",
        ">spread over mixtures",
        "|",
        ">spread / noise",
        ">degrees of freedom",
    )
    told = say("Standard deviations in bits per byte; upper bar noise, lower bar spread. Replicates: {names}.",
               names=_folders(found.noise[0].folders) or "–")  # fmt: skip
    told += f" {say(NOISE)}"
    return section(
        "noise",
        say("Noise beside what mixtures change"),
        table(told, heads((columns[0][1:], *columns[1:])), rows),
    )


def _decisions(part: DecisionSection) -> str:
    rows = [
        (
            f"{text(one.decision.first)} − {text(one.decision.second)}", named(one.measure),
            f"{one.decision.difference:+.4f}", f"{one.decision.low:+.4f} … {one.decision.high:+.4f}",
            f"{one.decision.seeds}", f"{one.decision.freedom}", number(one.text_deviation),
            f"{one.decision.detectable:.4f}",
            f"<span class=t>{_verdict(one)}</span>",
        )
        for one in part.compared
    ]  # fmt: skip
    columns = (
        "first less second", "on", ">difference", ">95 %", ">pairs of seeds", ">degrees of freedom",
        ">by held-out text", ">shows from", "verdict",
    )  # fmt: skip
    told = f"{say(SHOWS)} {say(SEEDS)}"
    refused = "".join(f"<li>{text(pair)}: {text(why, 300)}</li>" for pair, why in part.refused.items())
    body = table(told, heads(columns), rows) + (f"<ul class=stopped>{refused}</ul>" if refused else "")
    pairs = {
        f"{text(one.decision.first)} − {text(one.decision.second)}": one.folders for one in part.compared
    }
    places = [(pair, f"<span class=t>{_folders(folders)}</span>") for pair, folders in pairs.items()]
    body += details(say("Folders of each pair"), table("", heads(("first less second", "from")), places))
    return section("decisions", say("What is decided"), body)


def _verdict(one: Compared) -> str:
    if one.verdict == "decided":
        return f"<b>{say('decided: {name}', name=text(one.decision.better))}</b>"
    if one.decision.better is not None:
        return say("not decided: picked of {count}; train it with fresh seeds", count=one.picked_of)
    if one.decision.more_seeds is not None:
        return say("needs {count} more seeds a side", count=one.decision.more_seeds)
    return say("not decided: 32 seeds would not show it")


def _folders(folders: Sequence[str]) -> str:
    return ", ".join(map(code, folders))


def _transfer(part: TransferSection) -> str:
    points = [Point(one.small, one.large, "proxy", one.proposal) for one in part.points]
    drawing = scatter("objective at the next size against the small proxies'", points)
    told = say(
        "Across: objective of the small proxies; up: at the next size ({about}).", about=text(part.about)
    )
    figure = (
        f"<div class=plots><figure>{drawing}<figcaption>{told}</figcaption></figure></div>" if points else ""
    )
    where = [
        (text(one.proposal), f"{one.small:.4f}", f"{one.large:.4f}", f"<span class=t>{_folders(one.folders)}</span>")
        for one in part.points
    ]  # fmt: skip
    order = [(named(name), *_ranks(one)) for name, one in part.by_measure.items()]
    pairs = [
        (f"{text(one.first)} − {text(one.second)}", f"{one.small:+.4f}", f"{one.large:+.4f}",
         say("same") if one.same_order else f"<b class=out>{say('changed')}</b>",
         "?" if one.decided is None else say("yes" if one.decided else "no"))
        for one in part.pairs
    ]  # fmt: skip
    gone = "".join(f"<li>{code(name)}: {text(why, 300)}</li>" for name, why in part.excluded.items())
    body = (
        figure
        + table(say("Objective at both sizes"), heads(("mixture", ">small", ">next size", "from")), where)
        + table(say("Order"), heads(("domain", ">rank correlation", ">p", ">pairs right")), order)
        + table(
            say("Pairs"),
            heads(("first less second", ">small", ">next size", "order", "decided when small")),
            pairs,
        )
        + (f"<p>{say('Excluded:')}</p><ul class=stopped>{gone}</ul>" if gone else "")
    )
    return section("transfer", say("Does the order hold at the next size"), body)


def _items(scores: Sequence[ItemScore]) -> str:
    said = {
        True: "tells mixtures apart",
        False: "cannot decide at this size",
        None: "not known: no replicates",
    }
    rows = [
        (text(one.score), f"{min(one.means.values()):.4f}", f"{max(one.means.values()):.4f}",
         number(one.signal.noise), number(one.signal.spread), number(one.signal.p, ".2g"), say(said[one.tells]),
         f"{one.proxies}")
        for one in scores
    ]  # fmt: skip
    columns = (
        "items",
        ">least",
        ">most",
        ">noise by seed",
        ">spread over mixtures",
        ">p",
        "verdict",
        ">proxies",
    )
    told = say(
        "Means by mixture. p: of no difference between any two; it must be below 0.05 by the number of rows."
    )
    names = [one.score for one in scores]
    means = [
        (text(name), *(number(one.means.get(name)) for one in scores))
        for name in dict.fromkeys(name for one in scores for name in one.means)
    ]
    by_mixture = table("", [say("mixture"), *(f">{text(name)}" for name in names)], means)
    body = table(told, heads(columns), rows) + details(say("By mixture"), by_mixture) if rows else ""
    return section("items", say("Scores of items"), body)


def _proxies(found: Report) -> str:
    domains = list(found.objective_weights)
    ends = {name: (min(own), max(own)) for name in domains
            if (own := [row.bits_per_byte[name] for row in found.proxies])}  # fmt: skip
    rows = [
        (code(row.folder), text(row.proposal), f"{row.seed}", f"{row.value:.4f}",
         *(_heat(row.bits_per_byte[name], *ends[name]) for name in domains))
        for row in sorted(found.proxies, key=lambda one: (one.value, one.name))
    ]  # fmt: skip
    columns = [*heads(("folder", "mixture", ">seed", ">objective")), *(f">{text(name)}" for name in domains)]
    told = say("Bits per byte as measured, best first; the deeper the colour, the better in its column.")
    return section("proxies", say("Proxies"), table(told, columns, rows))


def _heat(value: float, low: float, high: float) -> str:
    """A number on a colour; at most so deep that it is read on it in both schemes."""
    depth = round(_MOST_HEAT * (high - value) / (high - low)) if high > low else 0
    style = f"background:color-mix(in srgb,var(--bar) {depth}%,transparent);padding:.1rem .3rem;border-radius:.2rem"
    return f'<span style="{style}">{value:.4f}</span>'
