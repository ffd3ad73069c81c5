"""`chejil verify SWEEP`: do the files say what sweep.json says, and does the report say what the sweep gives today.

Checked are the hash of every file, bits per byte of every proxy against its own held-out rows and its own metrics, what
it was trained on (trained_on.py), and report.json against a report made anew, number by number. Sums in another order
differ in the last digits: 1e-9 is equal for what is computed from the same numbers, 1e-5 for metrics, which another
pass over the text measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose, isfinite
from typing import Any

import orjson
import yaml

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.ablating.objective import ObjectiveSettings
from chejil.eval.ablation_reports import mixture_text, text_noise, trained_on
from chejil.eval.ablation_reports.report import CANDIDATE, JSON, MIXTURE, PAGE, report
from chejil.eval.ablation_reports.sweep_file import ROWS, Domain, Proxy, Sweep
from chejil.eval.ablation_reports.writing import plain

EQUAL = 1e-9
SAME_TEXT = 1e-5
METRICS = "metrics.jsonl"
_STALE = "run `chejil ablate report` again"


def proxies(sweep: Sweep) -> list[Proxy]:
    """All of them, those of the next size too."""
    return [*sweep.proxies, *(sweep.transfer.proxies if sweep.transfer else [])]


def num_files(root: str, sweep: Sweep) -> int:
    """How many files are checked."""
    made = sum(shards.size(shards.join(root, name)) is not None for name in (JSON, PAGE, MIXTURE, CANDIDATE))
    return 1 + made + sum(len(one.files) for one in proxies(sweep))


def verify(root: str, sweep: Sweep) -> list[str]:
    """What is wrong; nothing if all is right."""
    found: list[str] = []
    for own in (sweep.proxies, sweep.transfer.proxies if sweep.transfer else []):
        configs = {one.name: trained_on.config(root, one) for one in own}
        first_seed = trained_on.first_seed(own, configs)
        for one in own:
            found += _proxy(root, sweep, one, configs[one.name], first_seed)
    return found + list(trained_on.text(root, sweep)) + list(_report(root, sweep))


def _proxy(
    root: str, sweep: Sweep, one: Proxy, config: dict[str, Any] | None, first_seed: int | None
) -> list[str]:
    damaged = list(_files(root, one))
    if damaged or one.error is not None:
        return damaged
    return [*trained_on.proxy(sweep, one, config, first_seed), *_measured(root, one, sweep.domains)]


def _files(root: str, proxy: Proxy) -> Iterator[str]:
    for file in proxy.files:
        place = shards.join(root, file.path)
        size = shards.size(place)
        if size is None:
            yield f"{file.path}: missing"
        elif size != file.bytes:
            yield f"{file.path}: {size:,} bytes, {file.bytes:,} are recorded"
        elif shards.file_hash(place) != file.hash:
            yield f"{file.path}: another hash than is recorded"
    if proxy.error is None:
        for name in (ROWS, METRICS):
            if proxy.file(name) is None:
                yield f"{proxy.folder}/{name}: not recorded"


def _measured(root: str, proxy: Proxy, domains: Sequence[Domain]) -> Iterator[str]:
    rows, metrics = f"{proxy.folder}/{ROWS}", f"{proxy.folder}/{METRICS}"
    try:
        by_rows = {name: own.bits_per_byte for name, own in text_noise.read(root, rows).items()}
        by_metrics = _last_evaluation(root, metrics, domains)
    except ChejilError as error:
        yield str(error)
        return
    for name in (one.name for one in domains):
        said = proxy.bits_per_byte.get(name)
        for path, known, near in ((rows, by_rows, EQUAL), (metrics, by_metrics, SAME_TEXT)):
            if not _same(said, known.get(name), near):
                yield f"{path}: {_told(known.get(name))} bits per byte of {name}, sweep.json says {_told(said)}"


def _last_evaluation(root: str, path: str, domains: Sequence[Domain]) -> dict[str, float | None]:
    """Bits per byte by domain of the last evaluation, over all streams that a domain means."""
    url = shards.join(root, path)
    files, place = shards.file_system(url)
    lines = files.cat_file(place).splitlines()
    try:
        records = [record for record in map(orjson.loads, lines) if record.get("kind") == "evaluation"]
    except (orjson.JSONDecodeError, AttributeError):
        raise ChejilError("a line is no JSON object", where=url, mend="train the proxy again") from None
    parts = records[-1].get("sources", {}) if records else {}
    return {one.name: _joined([part for name, part in parts.items() if one.means(name)]) for one in domains}


def _joined(own: Sequence[Mapping[str, Any]]) -> float | None:
    values, sizes = [one.get("bits_per_byte") for one in own], [one.get("num_bytes") or 0 for one in own]
    if not own or None in values:
        return None
    if len(own) == 1:
        return float(values[0] or 0.0)
    return sum(float(value or 0) * size for value, size in zip(values, sizes, strict=True)) / (
        sum(sizes) or 1
    )


def _same(first: float | None, second: float | None, near: float) -> bool:
    missing = [one is None or not isfinite(one) for one in (first, second)]
    if any(missing):
        return all(missing)
    return isclose(first or 0.0, second or 0.0, rel_tol=near)


def _told(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.12g}"


def _report(root: str, sweep: Sweep) -> Iterator[str]:
    """The report made anew beside the one that lies there; nothing where there is none."""
    said = shards.read_json(shards.join(root, JSON))
    if said is None:
        return
    try:
        now = report(root, sweep, ObjectiveSettings(**said["objective"]))
    except (ChejilError, KeyError, TypeError, ValueError) as error:
        yield f"{JSON}: cannot be made again: {error}"
        return
    if apart := next(differences(said, plain(now)), None):
        yield f"{JSON}: {apart}; {_STALE}"
    yield from _page(root)
    texts = mixture_text.files(now)
    for name in (MIXTURE, CANDIDATE):
        yield from _mixture(root, name, mixture_text.content(now, texts[name]) if name in texts else None)


def differences(said: Any, now: Any, at: str = "") -> Iterator[str]:
    """Places where two JSON values differ, numbers by more than EQUAL.

    >>> list(differences({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}))
    ['a.1 is 2.0, the sweep gives 2.5']
    """
    if isinstance(said, dict) and isinstance(now, dict):
        for key in sorted(said.keys() | now.keys()):
            if key not in said or key not in now:
                yield f"{at}{key} is {'missing' if key in now else 'not what a report has'}"
            else:
                yield from differences(said[key], now[key], f"{at}{key}.")
    elif isinstance(said, list) and isinstance(now, list) and len(said) == len(now):
        for number, pair in enumerate(zip(said, now, strict=True)):
            yield from differences(*pair, f"{at}{number}.")
    elif not _equal(said, now):
        yield f"{at[:-1]} is {said!r:.60}, the sweep gives {now!r:.60}"


def _equal(said: Any, now: Any) -> bool:
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in (said, now)]
    return isclose(said, now, rel_tol=EQUAL, abs_tol=EQUAL) if all(numbers) else said == now


def _page(root: str) -> Iterator[str]:
    files, place = shards.file_system(shards.join(root, PAGE))
    if not files.exists(place):
        yield f"{PAGE}: missing; {_STALE}"
    elif shards.file_hash(shards.join(root, JSON)).encode() not in files.cat_file(place):
        yield f"{PAGE}: not the page of this {JSON}; {_STALE}"


def _mixture(root: str, name: str, now: dict[str, Any] | None) -> Iterator[str]:
    files, place = shards.file_system(shards.join(root, name))
    there = files.exists(place)
    if now is None:
        if there:
            yield f"{name}: the report has none; remove it"
        return
    if not there:
        yield f"{name}: missing; {_STALE}"
        return
    try:
        said = yaml.safe_load(files.cat_file(place))
    except (yaml.YAMLError, UnicodeDecodeError):
        said = None
    if apart := next(differences(said, now), None):
        yield f"{name}: {apart}; {_STALE}"
