"""What the terminal shows of a run, a recipe, a signal and a document: tables and lines, nothing computed twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType

from chejil.curation.calibration.calibrate import Calibration
from chejil.curation.demo.demo import Demo
from chejil.curation.explain import Explanation
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe
from chejil.curation.report import megabytes, share, totals
from chejil.curation.scoring import is_slow, slots_of
from chejil.filters import preset_bounds
from chejil.filters.registry import Bound, Signal
from chejil.terminal import table

_MAX_REASONS = 25


def summary(run: Manifest, root: str) -> Iterator[RenderableType]:
    """The funnel: by source and language, dropped by reason, what was quarantined, what stopped."""
    yield _by_source(run)
    yield _by_reason(run)
    if run.edited:
        rows = [(name, rule, count) for name, e in run.edited.items() for rule, count in e["spans"].items()]
        yield table(("transform", "rule", "spans>"), rows)
    across = [
        (name, source, other, count)
        for name, rows in run.shared.items()
        for source, row in rows.items()
        for other, count in row.items()
        if source != other
    ]
    if across:
        across.sort(key=lambda row: -row[3])
        yield table(("shared by sources", "documents of", "are in", "documents>"), across[:_MAX_REASONS])
    if run.quarantined:
        yield table(("quarantined", "records>"), run.quarantined.most_common())
    for source in run.barren_sources:
        yield f"no document came from source '{source}': is its format right?"
    for entry in run.failed:
        yield f"stopped: {entry['shard']}: {entry['what']}"
    for shard in run.torn:
        yield f"torn: {shard}: what follows the tear is lost; fetch the file again, then run the same command"
    yield f"{run.documents:,} documents = {run.kept:,} kept + {run.documents - run.kept:,} dropped"
    if not run.units_done and not run.failed:
        yield "nothing to do: every stage is done for these inputs and this recipe"
    yield f"report: {root}/report.html"


def _by_source(run: Manifest) -> RenderableType:
    every = totals(run.funnel, "source", "lang")
    kept = totals(run.funnel, "source", "lang", where=lambda row: row["reason"] is None)
    rows = []
    for key, counts in sorted(every.items(), key=lambda item: (item[0][0], -item[1]["bytes"])):
        left = kept.get(key, {"documents": 0, "bytes": 0})
        rows.append(
            (
                key[0],
                key[1] or "unknown",
                counts["documents"],
                left["documents"],
                share(left["documents"], counts["documents"]),
                megabytes(counts["bytes"]),
                megabytes(left["bytes"]),
            )
        )
    return table(("source", "language", "documents>", "kept>", "share>", "text>", "kept>"), rows)


def _by_reason(run: Manifest) -> RenderableType:
    dropped = totals(run.funnel, "reason", where=lambda row: row["reason"] is not None)
    ranked = sorted(dropped.items(), key=lambda item: (-item[1]["documents"], item[0]))
    rows = [
        (reason, counts["documents"], megabytes(counts["bytes"]))
        for (reason,), counts in ranked[:_MAX_REASONS]
    ]
    rest = ranked[_MAX_REASONS:]
    if rest:
        rows.append((f"{len(rest)} more reasons", sum(c["documents"] for _, c in rest), ""))
    return table(("dropped, by first reason", "documents>", "text>"), rows)


def demo(done: Demo) -> Iterator[RenderableType]:
    """A demo's funnel, what was caught of what was planted, and whose text it was."""
    yield from summary(done.run, done.root)
    if done.caught:
        rows = [(row["kind"], row["planted"], row["caught"], row["note"]) for row in done.caught]
        yield table(("planted", "documents>", "caught>", ""), rows)
    yield from done.licences


def plan(rows: list[dict[str, Any]]) -> Iterator[RenderableType]:
    """What a run would do."""
    yield table(("stage", "units>", "to do>"), [(row["stage"], row["units"], row["to_do"]) for row in rows])
    if not any(row["to_do"] for row in rows):
        yield "nothing to do: every stage is done for these inputs and this recipe"


def checked(recipe: Recipe) -> Iterator[RenderableType]:
    """A recipe in which nothing is wrong."""
    yield f"{recipe.name}: {len(recipe.sources)} sources, stages {', '.join(e.name for e in recipe.stages)}"


def verified(result: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What `verify` found."""
    yield from result["problems"]
    wrong = len(result["problems"])
    yield f"{result['files']:,} files: {f'{wrong} problems' if wrong else 'every hash and count is right'}"
    if wrong:
        yield "mend: delete the files that are named and run the recipe again with this --out"


def signals(rows: list[dict[str, Any]]) -> Iterator[RenderableType]:
    """The registry, a line a signal."""
    yield table(
        ("signal", "unit", "kind", "ko", "en", "what"),
        [
            (
                r["name"],
                r["unit"],
                r["kind"],
                r["bounds"].get("ko"),
                r["bounds"].get("en"),
                " ".join(filter(None, (r["about"], f"({r['measured']})" if r["measured"] else ""))),
            )
            for r in rows
        ],
    )


def signal_row(signal: Signal) -> dict[str, Any]:
    """A signal as plain values; `bounds` are the defaults, `presets` those of every preset by language."""
    return {
        "name": signal.name,
        "family": signal.family,
        "unit": signal.unit,
        "kind": signal.kind,
        "about": signal.about,
        "source": signal.source,
        "on_request": is_slow(signal.name),
        "models": sorted(slots_of(signal.name)),
        "measured": measured(signal),
        "bounds": {lang: str(bound) for lang, bound in signal.bounds.items()},
        "presets": {
            name: {lang: {"low": bound.low, "high": bound.high} for lang, bound in limits.items()}
            for name, limits in preset_bounds.by_preset(signal.name).items()
        },
        "kept": [list(example) for example in signal.kept],
        "dropped": [list(example) for example in signal.dropped],
    }


def measured(signal: Signal) -> str | None:
    """Under which condition `score` measures a signal; None if it always does."""
    slots = " or ".join(f"score.models.{slot}" for slot in sorted(slots_of(signal.name)))
    conditions = ["on request"] if is_slow(signal.name) else []
    conditions += [f"needs a model: {slots}"] if slots else []
    return "; ".join(conditions) or None


def signal(row: dict[str, Any]) -> Iterator[RenderableType]:
    """One signal in full."""
    yield f"{row['name']}  ({row['kind']}, per {row['unit']}, family {row['family']})"
    yield f"  {row['about']}\n  {row['source']}"
    if row["measured"]:
        yield f"  {row['measured']}"
    rows = [
        (name, lang, str(Bound(**limits)))
        for name, by_lang in row["presets"].items()
        for lang, limits in by_lang.items()
    ]
    yield table(("preset", "language", "bound"), rows) if rows else "  no preset bounds it"
    for verdict in ("kept", "dropped"):
        for lang, text in row[verdict]:
            yield f"  {verdict} ({lang}): {text[:100]!r}"


def calibration(found: Calibration) -> Iterator[RenderableType]:
    """Proposed bounds beside the present ones, and what they would do."""
    for group in found.groups:
        name = f"{group.source}/{group.lang}" if group.source else group.lang
        yield table(
            (f"{name}", "unit", "present", "low>", "high>", "reference>", "run falls>", "run rises>"),
            [
                (
                    one.signal,
                    one.unit,
                    "" if one.present is None else str(Bound(**one.present)),
                    one.low,
                    one.high,
                    _percent(one.passes),
                    _percent(one.falls),
                    _percent(one.rises),
                )
                for one in group.proposals
            ],
        )
        yield (
            f"{name}: {_percent(group.passes)} of {group.reference_documents:,} documents of {found.reference} "
            f"pass all (present bounds: {_percent(group.passes_present)}); of {group.run_documents:,} of {found.run} "
            f"{_percent(group.falls)} would newly fall, {_percent(group.rises)} newly pass"
        )
        yield from (f"warning: {warning}" for warning in group.warnings)
    yield from (f"left out: {reason}" for reason in found.left_out)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def explanation(found: Explanation | list[dict[str, Any]]) -> Iterator[RenderableType]:
    """One document, or the quarantined record."""
    if isinstance(found, list):
        for row in found:
            yield f"quarantined: {row['reason']} at {row['file']}#{row['line']}: {row['detail']}\n  {row['excerpt']}"
        return
    decision = found.decision
    verdict = "kept" if decision["kept"] else f"dropped: {decision['reason']}"
    yield str(decision["id"])
    yield f"{decision['source']}:{decision['file']}#{decision['line']}, {decision['lang'] or 'unknown'}"
    yield f"{verdict}" + (
        f"   all reasons: {', '.join(decision['reasons'])}" if len(decision["reasons"]) > 1 else ""
    )
    if decision["duplicate_of"]:
        yield f"duplicate of {decision['duplicate_of']} (similarity {decision['similarity']:.2f})"
    yield _excerpt(found.excerpt)
    yield from _measured(found)
    if found.rules:
        rules = [(r["rule"], r.get("keep") or r.get("drop"), r["passes"]) for r in found.rules]
        yield table(("rule", "condition", "passes"), rules)
    if found.mates:
        mates = [(m.id, m.cluster, m.similarity, m.kept) for m in found.mates]
        yield table(("duplicates", "cluster", "similarity>", "kept"), mates)
    if found.contamination:
        hits = [
            (
                hit["task"],
                hit["item"],
                hit["evidence"],
                f"{hit['covered']} of {hit['weight']}",
                hit["text"][:200],
            )
            for hit in found.contamination
        ]
        yield table(("evaluation text", "item", "evidence", "weight found>", "what stands there"), hits)
    yield from _normalising(found)
    if found.edits:
        edits = [(e["transform"], e["rule"], e["confidence"], e["before"], e["after"]) for e in found.edits]
        yield table(("changed by", "rule", "confidence>", "before", "after"), edits)


def _measured(found: Explanation) -> Iterator[RenderableType]:
    """The signals that decide, failing ones first."""
    judged = sorted((m for m in found.signals if m.verdict), key=lambda m: m.verdict != "fails")
    if judged:
        rows = [(m.signal, m.value, m.unit, m.low, m.high, m.margin, m.verdict) for m in judged]
        yield table(("signal", "value>", "unit", "low>", "high>", "margin>", ""), rows)
    if len(judged) < len(found.signals):
        yield f"{len(found.signals) - len(judged)} more signals, which no bound judges here, stand in --json"


def _excerpt(text: str) -> str:
    lines = text.split("\n")[:6]
    return "\n".join(f"  │ {line[:96]}" for line in lines)


def _normalising(found: Explanation) -> Iterator[RenderableType]:
    if not found.changes:
        yield "normalising changed nothing"
        return
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.changes.items())
    yield f"normalising changed: {kinds}"
    for before, after in found.spans:
        yield f"  - {before!r}\n  + {after!r}"
