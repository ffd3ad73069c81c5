"""The first sections of a report: what came in and out, the funnel, sources and languages, reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from chejil.curation.manifest import Manifest
from chejil.curation.report import GROUPS, megabytes, ratio, reason_group, share, totals
from chejil.curation.reporting.layout import bar, code, say, section, table, text, tiles, word
from chejil.filters.tokens import NUM_TOKENIZED_BYTES, NUM_TOKENS

MAX_ROWS = 400
"""Rows of a table: a run with more sources or reasons says the rest in manifest.json."""

_MAX_FAILED = 50


def head(run: Manifest, sizes: Iterable[Mapping[str, Any]]) -> str:
    """Name, what it is about, what came in and out, what stopped."""
    kept = sum(row["bytes"] for row in run.funnel if row["reason"] is None)
    every = sum(row["bytes"] for row in run.funnel)
    read = sum(file["bytes"] or 0 for entry in run.inputs for file in entry["files"])
    pairs = [
        (megabytes(read), say("of input files ({count})", count=f"{len(run.inputs):,}")),
        (f"{run.documents:,}", say("documents read")),
        (f"{run.kept:,}", say("documents kept ({share})", share=share(run.kept, run.documents))),
        (megabytes(kept), say("of text kept ({share})", share=share(kept, every))),
        *_tokens_kept(sizes),
        (f"{run.quarantined.total():,}", say("records quarantined")),
    ]
    about = f"<p>{text(run.about, 2000)}</p>" if run.about else ""
    return f"<h1>{text(run.name)}</h1>{about}{_law(run)}{tiles(pairs)}{_stopped(run)}\n"


def _tokens_kept(sizes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    kept = [row for row in sizes if row["kept"] and NUM_TOKENS in row]
    if not kept:
        return []
    tokens, num_bytes = (sum(row[name] for row in kept) for name in (NUM_TOKENS, NUM_TOKENIZED_BYTES))
    return [(f"{tokens:,}", say("tokens kept, {ratio} bytes each", ratio=ratio(num_bytes, tokens)))]


def _law(run: Manifest) -> str:
    numbers = {
        "records": run.documents + run.quarantined.total(),
        "quarantined": run.quarantined.total(),
        "documents": run.documents,
        "kept": run.kept,
        "dropped": run.documents - run.kept,
    }
    bold = {name: f"<b>{number:,}</b>" for name, number in numbers.items()}
    sentence = (
        "Of {records} records read, {quarantined} could not be used as documents and lie in quarantine. "
        "Of the other {documents}, {kept} were kept and {dropped} dropped, each for a reason that is named below."
    )
    return f"<p>{say(sentence, **bold)}</p>"


def _stopped(run: Manifest) -> str:
    if not run.failed:
        return ""
    some = run.failed[:_MAX_FAILED]
    rows = "".join(f"<li>{code(entry['shard'])} {text(entry['what'], 300)}</li>" for entry in some)
    more = f"<li>+ {len(run.failed) - len(some):,}</li>" if len(some) < len(run.failed) else ""
    return section("stopped", say("Shards that stopped"), f'<ul class="warning">{rows}{more}</ul>')


def unmasked(run: Manifest) -> str:
    """A warning to whoever passes the page on."""
    note = say("Personal data was not masked in this run; the samples below show the text as it stands.")
    return "" if "mask_pii" in run.edited else f"<p class=warning>{note}</p>\n"


def funnel(run: Manifest) -> str:
    """What is left after each kind of reason, in the order of the recipe."""
    gone: dict[str, Counter] = {}
    for (reason,), counts in totals(
        run.funnel, "reason", where=lambda row: row["reason"] is not None
    ).items():
        gone.setdefault(reason_group(reason), Counter()).update(counts)
    documents, num_bytes = run.documents, sum(row["bytes"] for row in run.funnel)
    whole = documents
    rows = [(say("documents read"), f"{documents:,}", "", "", megabytes(num_bytes), bar(documents, whole))]
    for name in [*(group for stage in run.stages for group in GROUPS.get(stage["name"], ())), *gone]:
        if name not in gone:
            continue
        counts = gone.pop(name)
        documents -= counts["documents"]
        num_bytes -= counts["bytes"]
        less = f"−{counts['documents']:,}"
        part = share(counts["documents"], whole)
        rows.append(
            (
                say("after {kind}", kind=word(name)),
                f"{documents:,}",
                less,
                part,
                megabytes(num_bytes),
                bar(documents, whole),
            )
        )
    columns = (
        say("step"),
        f">{say('left')}",
        f">{say('dropped')}",
        f">{say('of all')}",
        f">{say('text')}",
        "|",
    )
    return section(
        "funnel", say("Funnel"), table(say("In the order of the recipe."), columns, rows) if whole else ""
    )


def by_source(run: Manifest, sizes: Iterable[Mapping[str, Any]]) -> str:
    """Documents, text, characters and words by source and language, read and kept."""
    sizes = list(sizes)
    with_tokens = any(NUM_TOKENS in row for row in sizes)
    every = totals(run.funnel, "source", "lang")
    kept = totals(run.funnel, "source", "lang", where=lambda row: row["reason"] is None)
    measured = {(row["source"], row["lang"]): row for row in sizes if row["kept"]}
    rows = []
    for (source, lang), counts in list(every.items())[:MAX_ROWS]:
        left, size = kept.get((source, lang), Counter()), measured.get((source, lang or "unknown"), {})
        rows.append(
            (
                text(source),
                text(lang or "unknown"),
                f"{counts['documents']:,}",
                f"{left['documents']:,}",
                share(left["documents"], counts["documents"]),
                megabytes(counts["bytes"]),
                megabytes(left["bytes"]),
                bar(left["bytes"], counts["bytes"]),
                *_counted(size),
                *(_of_tokens(size) if with_tokens else ()),
            )
        )
    heads = [say("source"), say("language"), f">{say('documents')}", f">{say('kept')}", f">{say('share')}"]
    heads += [f">{say('text')}", f">{say('text kept')}", f"|{say('share of text kept')}"]
    heads += [f">{say('characters kept')}", f">{say('words kept')}", f">{say('bytes a character')}"]
    heads += [f">{say('tokens kept')}", f">{say('bytes a token')}"] if with_tokens else []
    note = say("Text as it was judged, before spans are masked or cut. Words are eojeol in Korean.")
    return section("sources", say("By source and language"), table(note, heads, rows))


def _counted(size: Mapping[str, Any]) -> tuple[str, str, str]:
    if "num_chars" not in size:
        return "", "", ""
    words = f"{size['num_words']:,}" if "num_words" in size else ""
    return f"{size['num_chars']:,}", words, ratio(size["num_bytes"], size["num_chars"])


def _of_tokens(size: Mapping[str, Any]) -> tuple[str, str]:
    tokens = size.get(NUM_TOKENS, 0)
    return f"{tokens:,}", ratio(size.get(NUM_TOKENIZED_BYTES, 0), tokens)


def reasons(run: Manifest, found: Iterable[Mapping[str, Any]], samples: Mapping[str, str]) -> str:
    """Reasons: as the first one, at all, and alone; with samples that fold out."""
    dropped = totals(run.funnel, "reason", where=lambda row: row["reason"] is not None)
    at_all: dict[str, Counter] = {}
    for row in found:
        at_all.setdefault(row["reason"], Counter()).update(documents=row["documents"], alone=row["alone"])
    order = sorted(at_all, key=lambda name: (-dropped.get((name,), Counter())["documents"], name))
    most = max((counts["documents"] for counts in dropped.values()), default=0)
    rows = []
    for reason in order[:MAX_ROWS]:
        first, some = dropped.get((reason,), Counter()), at_all[reason]
        numbers = (
            f"{first['documents']:,}",
            share(first["documents"], run.documents),
            bar(first["documents"], most),
        )
        more = (megabytes(first["bytes"]), f"{some['documents']:,}", f"{some['alone']:,}")
        rows.append((code(reason), *numbers, *more))
    heads = (say("reason"), f">{say('first')}", f">{say('of all')}", "|", f">{say('text')}")
    note = say(
        "A document may have many reasons. First: it is counted here in the funnel. At all: it has this reason, "
        "whatever else. Alone: it has no other. What would be kept without it, chejil whatif says: survivors of "
        "duplicates are then chosen again."
    )
    body = table(note, (*heads, f">{say('at all')}", f">{say('alone')}"), rows)
    shown = "".join(samples.get(reason, "") for reason in order[:MAX_ROWS])
    return section(
        "reasons", say("Why documents were dropped"), body + _with_title(shown, say("Dropped documents"))
    )


def _with_title(body: str, title: str) -> str:
    return f"<h3>{title}</h3>{body}" if body else ""


def kept_samples(samples: Mapping[str, str]) -> str:
    """What was kept, by source."""
    return section("kept", say("Kept documents"), "".join(samples[name] for name in sorted(samples)))
