"""What two runs were told and what they read: settings that differ, by path, input files, versions, files written.

Presets are written out, so a recipe that says `ko: koen` and one that says `ko: {preset: koen, num_words: {low: 30}}`
differ in one number: `stages.filter.bounds.ko.num_words.low`, 20 and 30. Of presets that changed with the version of
Chejil the present content is compared; the versions are listed beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chejil.curation.filtering import LanguageLimits
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe, StageEntry

Changed = dict[str, Any]
"""What it is (`setting`, `file`, `package`), and `one` and `other`; None where a run does not have it."""


def settings(one: Recipe, other: Recipe) -> list[Changed]:
    """Settings that differ, by their path in the recipe; where the data lie is no setting."""
    return list(_differing("setting", dict(_flat(_tree(one))), dict(_flat(_tree(other)))))


def _tree(recipe: Recipe) -> dict[str, Any]:
    plain = recipe.model_dump(mode="json", include={"name", "sources"})
    stages = {entry.name: _stage(entry) for entry in recipe.stages}
    return {**plain, "stages": {"": list(stages), **stages}}


def _stage(entry: StageEntry) -> Any:
    plain = entry.settings.model_dump(mode="json")
    if entry.name == "filter":
        filter_ = entry.settings
        plain["bounds"] = _bounds(filter_.bounds)  # type: ignore[union-attr]
        plain["by_source"] = {source: _bounds(own) for source, own in filter_.by_source.items()}  # type: ignore[union-attr]
    return plain


def _bounds(bounds: Mapping[Any, LanguageLimits]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for lang, limits in bounds.items():
        resolved = limits.resolve(lang)
        written[lang] = (
            resolved
            if isinstance(resolved, str)
            else {name: {"low": bound.low, "high": bound.high} for name, bound in resolved.items()}
        )
    return written


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by path; a list is a leaf."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for name, value in tree.items():
        yield from _flat(value, f"{path}.{name}" if path and name else path or str(name))


def _differing(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Changed]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield {what: name, "one": one.get(name), "other": other.get(name)}


def versions(one: Manifest, other: Manifest) -> list[Changed]:
    """Packages and models that differ."""
    return list(_differing("package", one.versions, other.versions))


def inputs(one: Manifest, other: Manifest) -> list[Changed]:
    """Input files whose content differs, or that one run alone has read; by hash."""
    return list(_differing("file", _inputs(one), _inputs(other)))


def _inputs(run: Manifest) -> dict[str, str]:
    return {
        f"{entry['shard'].split('/')[0]}/{file['name']}": file["hash"]
        for entry in run.inputs
        for file in entry["files"]
    }


def folders(one: Manifest, other: Manifest) -> list[dict[str, Any]]:
    """Of each folder, how many files are the same byte for byte, differ, or are in one run alone."""
    counts: dict[str, Counter[str]] = {}
    for path in sorted({*one.files, *other.files}):
        pair = [run.files.get(path, {}).get("hash") for run in (one, other)]
        kind = "only_other" if pair[0] is None else "only_one" if pair[1] is None else "differ"
        counts.setdefault(_folder(path), Counter())[kind if pair[0] != pair[1] else "same"] += 1
    names = ("same", "differ", "only_one", "only_other")
    return [{"folder": folder, **{name: found[name] for name in names}} for folder, found in counts.items()]


def _folder(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "edits" else parts[0]


def edited(one: Manifest, other: Manifest) -> list[dict[str, Any]]:
    """Spans by transform and rule in both runs."""
    spans = [_spans(run) for run in (one, other)]
    return [
        _counts({"transform": key[0], "rule": key[1]}, key, spans) for key in sorted({*spans[0], *spans[1]})
    ]


def _spans(run: Manifest) -> Counter[tuple[str, str]]:
    every = (
        (name, rule, count) for name, said in run.edited.items() for rule, count in said["spans"].items()
    )
    return Counter({(name, rule): count for name, rule, count in every})


def normalised(one: Manifest, other: Manifest) -> list[dict[str, Any]]:
    """Documents that normalising changed in both runs, by kind."""
    changed = [_changed(run.inputs) for run in (one, other)]
    kinds = [
        kind for kind in dict.fromkeys([*changed[0], *changed[1]]) if changed[0][kind] or changed[1][kind]
    ]
    return [_counts({"kind": kind}, kind, changed) for kind in kinds]


def _changed(inputs: Iterable[Mapping[str, Any]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for entry in inputs:
        total.update(entry["changed"])
    return total


def _counts(names: dict[str, str], key: Any, counts: list[Counter]) -> dict[str, Any]:
    return {**names, "one": counts[0][key], "other": counts[1][key]}
