"""The data card of a run: what a colleague or a hub must know of the clean shards, in Markdown.

The front matter is that of Hugging Face dataset cards: a folder with `clean/` and the card as README.md is a data set
that `datasets` loads. Nothing here is asserted that the run has not counted; what the recipe does not look at (personal
data, evaluation sets, duplicates) is said to be unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl
import yaml

from chejil.curation import lookup, manifest, shards
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe, Settings
from chejil.curation.report import megabytes, ratio, share, totals
from chejil.curation.token_totals import Tokens, tokens_kept
from chejil.filters.catalogue import LANGUAGES, SIGNALS
from chejil.filters.registry import Bound
from chejil.filters.tokens import SLOT, TOKEN_SIZES

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"))  # fmt: skip
"""Names of the hub for numbers of documents below a limit."""

_LARGEST = "10B<n<100B"
_MAX_ROWS = 40


def data_card(root: str) -> str:
    """The card of a finished run.

    Raises:
        RunError: no finished run lies there.
    """
    run, recipe, kept = manifest.read(root), lookup.recipe_of(root), licences(root)
    front = yaml.safe_dump(front_matter(run, kept), sort_keys=False, allow_unicode=True)
    parts = [
        f"# {run.name}",
        run.about,
        *_contents(run, recipe, tokens_kept(root, run, recipe)),
        *_sources(run, recipe, kept),
        *_making(run, recipe),
        *_bounds(run, recipe),
        *_reasons(run),
        *_duplicates(run, recipe),
        *_personal_data(run, recipe),
        *_contamination(run, recipe),
        *_limits(run, recipe),
    ]
    body = "\n\n".join(part for part in parts if part)
    return f"---\n{front}---\n\n{body}\n"


def licences(root: str) -> Counter[tuple[str, str]]:
    """Documents that are kept, by source and licence (empty where a record names none)."""
    found: Counter[tuple[str, str]] = Counter()
    for path in shards.below(root, "clean"):
        if path.endswith(".parquet"):
            table = shards.read_shard(shards.join(root, path), ["source", "license"])
            groups = pl.DataFrame(pl.from_arrow(table)).group_by("source", "license").len()
            found.update({(source, licence or ""): number for source, licence, number in groups.iter_rows()})
    return found


def front_matter(run: Manifest, kept: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """What the hub reads. One licence for all is named; of several, or none, the table of the card tells."""
    known = {licence for _, licence in kept}
    langs = [lang for lang in ("ko", "en") if totals(run.funnel, "lang", where=_is_kept).get((lang,))]
    one = next(iter(known)) if len(known) == 1 and "" not in known else None
    licence = _licence(one) if one else {"license": "other", "license_name": "by-source"}
    configs = [{"config_name": "default", "data_files": "clean/**/*.parquet"}]
    configs += [{"config_name": lang, "data_files": f"clean/*/{lang}/**/*.parquet"} for lang in langs]
    return {
        "pretty_name": run.name,
        **({"language": langs} if langs else {}),
        **licence,
        "size_categories": [next((name for limit, name in _SIZES if run.kept < limit), _LARGEST)],
        "task_categories": ["text-generation"],
        "tags": ["chejil", "pretraining"],
        **({"configs": configs} if run.kept else {}),
    }


@cache
def hub_licences() -> frozenset[str]:
    """hub_licences.yaml: identifiers that the hub knows."""
    text = (files("chejil.curation") / "hub_licences.yaml").read_text("utf-8")
    return frozenset(yaml.safe_load(text)["licences"])


def _licence(name: str) -> dict[str, str]:
    """The hub's identifier where the name is plainly one's, else its own, with a link if it is an address."""
    slug = "-".join(re.findall(r"[\w.+]+", name.lower()))
    if slug in hub_licences() - {"other", "unknown"}:
        return {"license": slug}
    if re.match(r"https?://", name):
        address = re.sub(r"^https?-", "", slug).replace(".", "-")
        return {"license": "other", "license_name": address, "license_link": name}
    return {"license": "other", "license_name": slug or "by-source"}


def _is_kept(row: Mapping[str, Any]) -> bool:
    return row["reason"] is None


def _contents(run: Manifest, recipe: Recipe, tokens: Tokens) -> Iterator[str]:
    writing = recipe.stage("write")
    weight = ", weight (by cluster size)" if writing is not None and writing.weights is not None else ""
    kept = totals(run.funnel, "source", "lang", where=_is_kept)
    every = totals(run.funnel, "source")
    num_bytes = sum(counts["bytes"] for counts in kept.values())
    edited = " before spans were masked or cut" if recipe.transforms() else ""
    yield "## What is in it"
    yield (
        f"{run.kept:,} documents, {megabytes(num_bytes)} of text{edited}: {share(run.kept, run.documents)} of the "
        f"{run.documents:,} documents that were read. Columns: id, text (UTF-8, NFC), source, lang, url, timestamp, "
        f"license, meta (JSON of what the record carried), cluster_size{weight}."
    )
    rows = [
        (source, lang or "unknown", f"{counts['documents']:,}", megabytes(counts["bytes"]),
         share(counts["documents"], every[(source,)]["documents"]),
         *_of_tokens(tokens, [(source, lang)]))
        for (source, lang), counts in sorted(kept.items(), key=str)
    ]  # fmt: skip
    heads = ("source", "language", "documents", "text", "of its source")
    yield _table((*heads, *(("tokens", "bytes a token") if tokens else ())), rows)
    if tokens:
        number, each = _of_tokens(tokens, tokens)
        yield (
            f"{number} tokens, {each} bytes each, by the tokenizer with the xxh3-128 `{run.versions[SLOT]}`, without "
            "special tokens: of the text as it was judged, before spans are masked or cut."
        )


def _of_tokens(tokens: Tokens, groups: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """Tokens and bytes a token of some groups, nothing where none were counted."""
    if not tokens:
        return ()
    known = [tokens[group] for group in groups if group in tokens]
    num_tokens, num_bytes = (sum(sizes[name] for sizes in known) for name in TOKEN_SIZES)
    return f"{num_tokens:,}", ratio(num_bytes, num_tokens)


def _sources(run: Manifest, recipe: Recipe, kept: Mapping[tuple[str, str], int]) -> Iterator[str]:
    num_files: Counter[str] = Counter()
    for entry in run.inputs:
        num_files[entry["shard"].split("/")[0]] += len(entry["files"])
    rows = []
    for name, source in recipe.sources.items():
        own = sorted((licence, number) for (other, licence), number in kept.items() if other == name)
        said = ", ".join(f"{licence or 'not stated'} ({number:,})" for licence, number in own)
        rows.append((name, source.layout.about, f"{num_files[name]:,}", said or "nothing kept"))
    yield "## Where it comes from"
    yield (
        "Licences are those that the records or the recipe name, with the documents that are kept; hashes of all files "
        "stand in `manifest.json`."
    )
    yield _table(("source", "format", "files", "licence"), rows)


def _making(run: Manifest, recipe: Recipe) -> Iterator[str]:
    yield "## How it was made"
    yield f"With Chejil {run.versions['chejil']}; `recipe.yaml` makes it again from the same files. In this order:"
    steps = [f"{entry.name}{_told(entry.name, entry.settings)}" for entry in recipe.stages]
    yield "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _told(stage: str, settings: Settings) -> str:
    """What the recipe sets itself; the filter has a section of its own."""
    own = settings.model_dump(mode="json", exclude_defaults=True)
    if not own or stage == "filter":
        return ""
    return f": `{yaml.safe_dump(own, default_flow_style=True, allow_unicode=True, width=1000).strip()}`"


def _bounds(run: Manifest, recipe: Recipe) -> Iterator[str]:
    settings = recipe.stage("filter")
    if settings is None:
        return
    policy = settings.policy("")
    yield "## Filters"
    words = [f"{lang}: {limits}" for lang, limits in policy.languages.items() if isinstance(limits, str)]
    if words:
        yield "Whole languages: " + ", ".join(words) + "."
    judged = {lang: policy.languages[lang] for lang in LANGUAGES if lang in policy.languages}
    tables = {lang: limits for lang, limits in judged.items() if not isinstance(limits, str)}
    names = [name for name in SIGNALS if any(name in limits for limits in tables.values())]
    rows = [
        (f"`{name}`", SIGNALS[name].unit, *(_interval(limits.get(name)) for limits in tables.values()))
        for name in names
    ]
    if rows:
        yield _table(("signal", "unit", *tables), rows)
    yield "\n".join(f"- `{rule.name}`: {rule.verdict} where `{rule.condition}`" for rule in policy.rules)
    for source in settings.by_source:
        yield f"Documents of `{source}` have bounds of their own, see `recipe.yaml`."


def _interval(bound: Bound | None) -> str:
    if bound is None or bound.low is None or bound.high is None:
        edge = "" if bound is None or bound.low is None else f"≥ {bound.low:g}"
        return edge if bound is None or bound.high is None else f"≤ {bound.high:g}"
    return f"{bound.low:g} to {bound.high:g}"


def _reasons(run: Manifest) -> Iterator[str]:
    dropped = totals(run.funnel, "reason", where=lambda row: row["reason"] is not None)
    rows = [
        (f"`{reason}`", f"{counts['documents']:,}", megabytes(counts["bytes"]))
        for (reason,), counts in sorted(dropped.items(), key=lambda item: -item[1]["documents"])
    ]
    if not rows:
        return
    yield "## What was left out"
    yield "By the first reason that holds; all reasons of each document stand in `decisions/`."
    yield _table(("reason", "documents", "text"), rows[:_MAX_ROWS])
    if len(rows) > _MAX_ROWS:
        yield f"And {len(rows) - _MAX_ROWS} rarer ones."


def _duplicates(run: Manifest, recipe: Recipe) -> Iterator[str]:
    yield "## Duplicates"
    stages = [
        name for name in ("exact_dedup", "near_dedup", "line_dedup", "substring_dedup") if recipe.stage(name)
    ]
    if not stages:
        yield "Nobody has looked for duplicates."
        return
    yield f"Stages: {', '.join(stages)}. `cluster_size` says how often a document stood in the corpus."
    rows = [
        (stage, source, other, f"{number:,}")
        for stage, table in run.shared.items()
        for source, row in table.items()
        for other, number in row.items()
        if source != other
    ]
    if rows:
        yield _table(("by", "documents of", "are also in", "documents"), rows[:_MAX_ROWS])


def _personal_data(run: Manifest, recipe: Recipe) -> Iterator[str]:
    yield "## Personal data"
    settings = recipe.stage("mask_pii")
    if settings is None:
        yield "**Not masked.** The recipe has no stage `mask_pii`."
        return
    found = run.edited.get("mask_pii", {"documents": 0, "spans": {}})
    yield (
        f"Found by rules and checksums and replaced ({settings.style}) in {found['documents']:,} documents. "
        "Names of people are not looked for."
    )
    yield _table(
        ("kind", "places"), [(kind, f"{number:,}") for kind, number in sorted(found["spans"].items())]
    )


def _contamination(run: Manifest, recipe: Recipe) -> Iterator[str]:
    yield "## Evaluation sets"
    if recipe.stage("decontaminate") is None:
        yield "**Not looked for.** A model that is trained on this may have read the tests that it is given."
        return
    rows = [
        (task, f"{row['items']:,}", f"{row['items_found']:,}", f"{row['documents']:,}")
        for task, row in run.contamination.items()
    ]
    did = "dropped" if recipe.stage("decontaminate").action == "drop" else "cut"
    yield f"Documents (or spans) that hold items of these tasks were {did}:"
    yield _table(("task", "items", "found", "documents"), rows)


def _limits(run: Manifest, recipe: Recipe) -> Iterator[str]:
    yield "## What is known to be missing or wrong"
    limits = [
        f"{number:,} records were no documents (`{reason}`), see `quarantine/`"
        for reason, number in run.quarantined.most_common()
    ]
    limits += [f"`{entry['shard']}` could not be read: {entry['what']}" for entry in run.failed]
    limits += [f"`{shard}` is torn: what follows the tear is missing" for shard in run.torn]
    if recipe.stage("filter") is None:
        limits.append("no filter was applied")
    limits.append("filters judge form and vocabulary: nobody has checked what the documents claim")
    yield "\n".join(f"- {limit}" for limit in limits)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines)
