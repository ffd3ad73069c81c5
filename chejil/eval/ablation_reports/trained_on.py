"""What each proxy was trained on, by the files of the sweep, beside what sweep.json says of it.

`config.yaml` of a proxy is hashed and holds its mixture, its seed and its tokens; the natural mixture follows from the
sizes of the sources; the manifests of the pool and of the held-out text say what there was. So a proposal whose weights
were changed, or a source whose size was, is found. Sizes that are all wrong by one factor are not: they cancel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any

import yaml

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.ablating import mixtures
from chejil.eval.ablation_reports.sweep_file import NAME, Proxy, Sweep
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.encoding.token_shards import TokenShards

CONFIG, POOL, HELD_OUT = "config.yaml", "pool", "held-out"
NEAR = 1e-6
"""Shares of bytes that differ by less are the same: files hold all digits, other libraries add otherwise."""


def proxy(sweep: Sweep, one: Proxy, said: Mapping[str, Any] | None, first_seed: int | None) -> Iterator[str]:
    """What config.yaml of a proxy and sweep.json say otherwise.

    Args:
        said: its `config`.
        first_seed: of the training whose proxy has seed 0; see `first_seed`.
    """
    place = f"{one.folder}/{CONFIG}"
    if said is None:
        yield f"{place}: not the config of a training"
        return
    if sweep.arms is None:
        yield from _mixture(place, _weights(said), _asked(sweep, one))
    elif not said["tokens"][0].endswith(f"arms/{one.proposal}/pool"):
        yield f"{place}: trained on {said['tokens'][0]}, {NAME} says on arm {one.proposal}"
    if first_seed is not None and said["seed"] - first_seed != one.seed:
        yield f"{place}: seed {said['seed'] - first_seed}, {NAME} says {one.seed}"
    tokens = -(-said["total_tokens"] // said["batch_tokens"]) * said["batch_tokens"]
    if tokens != one.tokens:
        yield f"{place}: {tokens:,} tokens, {NAME} says {one.tokens:,}"


def config(root: str, one: Proxy) -> dict[str, Any] | None:
    """The settings that a proxy was trained with, as far as they are compared; None if they are none."""
    files, place = shards.file_system(shards.join(root, one.folder, CONFIG))
    try:
        said = yaml.safe_load(files.cat_file(place))
        kept = {name: int(said[name]) for name in ("seed", "total_tokens", "batch_tokens")}
        return kept | {"tokens": [str(said["tokens"][0])], "stages": list(said["mixture"]["stages"])}
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, IndexError, TypeError, ValueError):
        return None


def first_seed(proxies: list[Proxy], configs: Mapping[str, Mapping[str, Any] | None]) -> int | None:
    """The seed that most trainings count from: a proxy's own is added to it.

    Args:
        configs: of each proxy by name.
    """
    starts = [said["seed"] - one.seed for one in proxies if (said := configs[one.name]) is not None]
    return max(sorted(set(starts)), key=starts.count) if starts else None


def _weights(said: Mapping[str, Any]) -> dict[str, float]:
    return dict(said["stages"][0].get("weights", {})) if said["stages"] else {}


def _asked(sweep: Sweep, one: Proxy) -> dict[str, float]:
    """Shares of bytes by stream that sweep.json says."""
    weights = sweep.mixture(one.proposal).by_name()
    return {
        pattern: weights[source.name] * share
        for source in sweep.sources
        for pattern, share in source.shares().items()
        if weights[source.name] > 0
    }


def _mixture(place: str, trained: Mapping[str, float], asked: Mapping[str, float]) -> Iterator[str]:
    for name in sorted(trained.keys() | asked.keys()):
        mine, theirs = trained.get(name, 0.0), asked.get(name, 0.0)
        if not isclose(mine, theirs, rel_tol=NEAR):
            yield f"{place}: trained on {mine:.4%} of {name}, {NAME} says {theirs:.4%}"
            return


def text(root: str, sweep: Sweep) -> Iterator[str]:
    """What sizes of sources, pool and held-out text say otherwise."""
    yield from _natural(sweep)
    yield from _pool(root, sweep)
    yield from _arms(root, sweep)
    if sweep.excerpts is not None:
        try:
            if TokenShards(shards.join(root, HELD_OUT)).fingerprint != sweep.excerpts:
                yield f"{HELD_OUT}/{token_shards.MANIFEST}: another text than {NAME} says"
        except ChejilError as error:
            yield f"{HELD_OUT}: {error.what}"


def _natural(sweep: Sweep) -> Iterator[str]:
    """The natural mixture made again from the sizes; those who trained on it are checked by their configs."""
    name = sweep.of_kind("natural")
    if name is None or sweep.arms is not None:
        return
    made = sweep.bounds().moved_in(mixtures.natural(sweep.sources).vector[None])
    said = sweep.mixture(name).vector
    for at, source in enumerate(sweep.sources):
        if not len(made) or not isclose(made[0][at], said[at], rel_tol=NEAR):
            share = f"{made[0][at]:.4%}" if len(made) else "nothing"
            yield f"{NAME}: sizes and limits make {share} of {source.name} natural, proposal {name} has {said[at]:.4%}"
            return


def _arms(root: str, sweep: Sweep) -> Iterator[str]:
    """The pools of arms; their whole text lies elsewhere, so what is said of that is believed."""
    for one in sweep.arms.text if sweep.arms else ():
        if sweep.arms is None or one.name not in sweep.arms.names:
            yield f"{NAME}: text of an unknown arm '{one.name}'"
            continue
        place = shards.join("arms", one.name, POOL)
        try:
            if TokenShards(shards.join(root, place)).num_tokens != one.pool_tokens:
                yield f"{place}/{token_shards.MANIFEST}: another size than {NAME} says"
            read = {proxy.tokens for proxy in sweep.proxies if proxy.proposal == one.name}
            if any(not isclose(tokens / max(1, one.pool_tokens), one.proxy_epochs) for tokens in read):
                yield f"{NAME}: {one.proxy_epochs:.4g} epochs of arm {one.name} are not its tokens by the pool's"
        except ChejilError as error:
            yield f"{place}: {error.what}"


def _pool(root: str, sweep: Sweep) -> Iterator[str]:
    if sweep.pool is None:
        return
    try:
        groups = TokenShards(shards.join(root, POOL)).groups
    except ChejilError as error:
        yield f"{POOL}: {error.what}"
        return
    there = {(one.source, one.lang): (one.num_tokens, one.num_bytes) for one in groups}
    said = {(one.source, one.lang): (one.num_tokens, one.num_bytes) for one in sweep.pool}
    for source, lang in sorted(there.keys() | said.keys()):
        if there.get((source, lang)) != said.get((source, lang)):
            yield f"{POOL}/{token_shards.MANIFEST}: another size of {source}/{lang} than {NAME} says"
