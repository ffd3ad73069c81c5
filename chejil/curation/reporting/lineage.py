"""Where a run came from: input files with their hashes, stages with their keys, versions, the recipe; and its time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import xxhash

from chejil.curation.manifest import Manifest
from chejil.curation.report import megabytes
from chejil.curation.reporting.layout import code, details, say, section, table, text

_MAX_INPUTS = 500
_MAX_RECIPE = 120_000
_SEEDS = re.compile(r"^\s*(?:- )?(?:seed|permutation_seed)\s*:\s*(\S+)", re.MULTILINE)


def lineage(run: Manifest, recipe: str) -> str:
    """The section."""
    body = _versions(run) + _stages(run.stages) + _inputs(run) + _recipe(recipe)
    note = say(
        "The same inputs, recipe and versions give the same bytes; chejil verify compares them with manifest.json."
    )
    return section("lineage", say("Lineage"), f"<p>{note}</p>{body}")


def _versions(run: Manifest) -> str:
    rows = [(code(name), text(version)) for name, version in sorted(run.versions.items())]
    return details(
        say("Versions"), table(say("What decides the bytes."), (say("package"), say("version")), rows)
    )


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (code(s["name"]), text(s["version"]), f"{len(s['keys']):,}", code(_key(s["keys"]))) for s in stages
    ]
    heads = (say("stage"), f">{say('version')}", f">{say('units')}", say("hash of its keys"))
    note = say(
        "A unit's key is a hash of the stage's settings and of the content that it read; all keys are in manifest.json."
    )
    return details(say("Stages and keys"), table(note, heads, rows))


def _key(keys: Mapping[str, str]) -> str:
    return xxhash.xxh3_128_hexdigest(
        "\n".join(f"{name} {key}" for name, key in sorted(keys.items())).encode()
    )


def _inputs(run: Manifest) -> str:
    files = [(entry["shard"], file) for entry in run.inputs for file in entry["files"]]
    rows = [
        (code(shard), code(file["name"]), megabytes(file["bytes"] or 0), code(file["hash"]))
        for shard, file in files[:_MAX_INPUTS]
    ]
    if len(files) > _MAX_INPUTS:
        rows.append((say("{count} more in manifest.json", count=f"{len(files) - _MAX_INPUTS:,}"), "", "", ""))
    heads = (say("shard"), say("file"), f">{say('size')}", say("hash (xxh3-128)"))
    return details(say("Input files"), table(say("As they were read."), heads, rows))


def _recipe(recipe: str) -> str:
    shown = f"<pre tabindex=0>{text(recipe, _MAX_RECIPE)}</pre>"
    seeds = ", ".join(code(seed) for seed in _SEEDS.findall(recipe))
    note = f"<p>{say('Seeds: {seeds}', seeds=seeds)}</p>" if seeds else ""
    return details(say("Recipe, every default written out"), note + shown)


def seconds(timings: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> str:
    """The section on time: what timings.json holds, by stage."""
    known = timings.get("stages", {})
    rows = [_time(stage["name"], known[stage["name"]]) for stage in stages if stage["name"] in known]
    total = sum(entry["seconds"] for entry in known.values())
    heads = (
        say("stage"),
        f">{say('units')}",
        f">{say('seconds')}",
        f">{say('documents/s')}",
        f">{say('MB/s')}",
    )
    parts = {
        "when": text(timings.get("finished", "–")),
        "seconds": f"{total:,.1f}",
        "workers": timings.get("workers", "–"),
    }
    note = say(
        "Finished {when}; {seconds} s in all, {workers} workers. Of each stage the last time that it did anything.",
        **parts,
    )
    return section("time", say("Time and throughput"), table(note, heads, rows))


def _time(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    return code(name), f"{entry['units']:,}", f"{entry['seconds']:,.2f}", *_pace(entry)


def _pace(entry: Mapping[str, Any]) -> Iterator[str]:
    taken = max(entry["seconds"], 1e-6)
    yield f"{entry['documents'] / taken:,.0f}" if entry["documents"] else ""
    yield f"{entry['bytes'] / 1e6 / taken:,.1f}" if entry["bytes"] else ""
