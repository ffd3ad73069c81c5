"""`chejil ablate run`: a sweep of mixtures, from its plan to `sweep.json`.

The pool is cut once for its settings, proxies with a record are left alone (proxy_queue.py): a call that was killed is
called again, and a sweep grows, since proposals are drawn one behind the other (proposals.py).
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import xxhash

from chejil.curation import shards
from chejil.curation.executors.scheduled import absolute
from chejil.curation.progress import Progress
from chejil.curation.stage import Record
from chejil.eval.ablation_reports import sweep_file
from chejil.eval.sweeping import (
    proxy_queue,
    sequence_pool,
    sweep_folder,
    sweep_plan,
    transfer,
)
from chejil.eval.sweeping.sequence_pool import EXCERPTS, POOL
from chejil.eval.sweeping.sweep_plan import SweepPlan, proxies
from chejil.eval.sweeping.sweep_settings import HeldOut
from chejil.eval.sweeping.sweep_sources import Named
from chejil.tokenizer.encoding.token_shards import TokenShards
from chejil.training.data import held_out
from chejil.training.data.held_out import HeldOutSettings
from chejil.training.data.token_corpus import TokenCorpus

CUT = "work/cut.json"
"""What pool and excerpts were cut by: written last, so a folder that was cut by half has none."""

_ALL = 1 - 2**-53
"""The largest share below one."""


def run(found: SweepPlan, out: str, workers: int, bars: Progress) -> dict[str, Any]:
    """Train what is not trained yet.

    Args:
        workers: proxies at a time, on this machine; elsewhere the executor says how many.

    Returns:
        sweep.json.

    Raises:
        ChejilError: what a user can mend; what is done stays.
    """
    root = absolute(out)
    with sweep_folder.held(root, bars.say):
        sweep_folder.refuse_other(root, found.settings.name, arms=False)
        sweep_folder.write_settings(root, found.settings)
        _cut(found, root, bars)
        found = _with_trained(found, root)
        wanted = list(proxies(found))
        records: dict[str, Record] = {}
        try:
            proxy_queue.train_all(root, wanted, found.settings, found.text.domains, workers, bars, records)
        finally:
            names = [(proxy.name, proxy.proposal, proxy.seed) for proxy in wanted]
            done = _close(found, root, sweep_folder.proxy_rows(names, records, found.proxy_tokens), records)
        return done


def _cut(found: SweepPlan, root: str, bars: Progress) -> None:
    """Cut pool and excerpts, unless they lie there whole, by the same settings of the same tokens."""
    corpus, aside = TokenCorpus(found.settings.tokens), found.settings.held_out
    shares, row, domains = found.text.pool_shares(found.part), found.base.row_tokens, found.text.domains
    key = _key(found, corpus)
    if sweep_folder.is_cut(root, CUT, key, (POOL, EXCERPTS)):
        return
    shards.remove(shards.join(root, CUT))
    bars.start("pool", 1, 0)
    held = held_out.held_out(corpus, _aside(corpus, shares, domains, aside), None)
    sequence_pool.write_pool(corpus, shards.join(root, POOL), shares, held, row)
    sequence_pool.write_excerpts(corpus, shards.join(root, EXCERPTS), held, aside.seed, row, aside.excerpts)
    sweep_folder.refuse_unmeasured(root, domains)
    shards.write_json(root, CUT, {"key": key})
    bars.advance("pool", POOL)
    bars.finish("pool")


def _key(found: SweepPlan, corpus: TokenCorpus) -> str:
    """What pool and excerpts are cut by."""
    said = [
        corpus.fingerprint,
        corpus.ids_hash,
        found.text.pool_shares(found.part),
        found.settings.held_out.model_dump(),
        [one.pattern for one in found.text.domains],
        found.base.row_tokens,
    ]
    return xxhash.xxh3_128_hexdigest(orjson.dumps(said))


def num_trained(found: SweepPlan, out: str) -> int | None:
    """How many of the plan's proxies a folder has already; None where it is no sweep's. Nothing is written."""
    root, suite = absolute(out), found.settings.proxy.suite
    if shards.size(shards.join(root, sweep_folder.SETTINGS)) is None:
        return None
    key = _key(found, TokenCorpus(found.settings.tokens))
    if not sweep_folder.is_cut(root, CUT, key, (POOL, EXCERPTS)):
        return 0
    own = shards.join(root, sweep_plan.SUITE)
    if suite is not None and (shards.size(own) is None or shards.file_hash(own) != shards.file_hash(suite)):
        return 0
    return len(proxy_queue.trained(root, list(proxies(found)), found.settings, found.text.domains))


def _aside(
    corpus: TokenCorpus, shares: Mapping[str, float], domains: Sequence[Named], aside: HeldOut
) -> HeldOutSettings:
    """What is set aside of each stream: of one that no proxy reads all of it, if it is measured, and else nothing."""
    unread = [name for name in sequence_pool.streams(corpus) if not sequence_pool.part_of(shares, name)]
    measured = {name: any(one.means(name) for one in domains) for name in unread}
    of_unread = {glob.escape(name): _ALL if there else 0.0 for name, there in measured.items()}
    return HeldOutSettings(share=aside.share, shares=of_unread, seed=aside.seed)


def _close(
    found: SweepPlan, root: str, rows: list[dict[str, Any]], records: dict[str, Record]
) -> dict[str, Any]:
    here = {one.name: one for one in found.text.here}
    proposals = [
        {"name": one.name, "kind": one.kind, "weights": one.mixture.by_name(), "seeds": list(one.seeds)}
        for one in found.proposals
    ]
    domains = [one.as_dict() for one in found.text.domains]
    excerpts = TokenShards(shards.join(root, EXCERPTS)).fingerprint
    larger, warnings = _transfer(root, proposals, domains, excerpts)
    content = {
        "sources": [
            {**source.model_dump(), "patterns": [here[source.name].pattern]} for source in found.text.sources
        ],
        "domains": domains,
        "limits": {
            "low": found.asked.low, "high": found.asked.high, "horizon_tokens": found.asked.horizon_tokens,
            "max_epochs": found.asked.max_epochs, "proxy_tokens": found.asked.proxy_tokens,
            "least_tokens": found.asked.least_sequences * found.asked.sequence_tokens,
        },
        "proposals": proposals,
        "proxies": rows,
        "transfer": larger,
        "arms": None,
        "cost": sweep_folder.cost(sweep_plan.cost(found.settings, found.base, found.num_proxies, 1), records),
        "excerpts": excerpts,
        "pool": [asdict(group) for group in TokenShards(shards.join(root, POOL)).groups],
        "warnings": [*found.warnings, *warnings],
    }  # fmt: skip
    return sweep_folder.write(root, found.settings, len(rows) == found.num_proxies, content)


def _with_trained(found: SweepPlan, root: str) -> SweepPlan:
    """The plan with seeds that are trained already: a sweep that grows gives its several seeds to other mixtures."""
    several = found.asked.replicate_seeds
    every = replace(
        found,
        proposals=tuple(
            replace(one, seeds=tuple(range(max(several, len(one.seeds))))) for one in found.proposals
        ),
    )
    done = proxy_queue.trained(root, list(proxies(every)), found.settings, found.text.domains)
    kept = (
        tuple(seed for seed in might.seeds if seed in one.seeds or f"{one.name}-{seed}" in done)
        for one, might in zip(found.proposals, every.proposals, strict=True)
    )
    return replace(
        found,
        proposals=tuple(replace(one, seeds=own) for one, own in zip(found.proposals, kept, strict=True)),
    )


def _transfer(
    root: str, proposals: list[dict[str, Any]], domains: list[dict[str, Any]], excerpts: str
) -> tuple[dict[str, Any] | None, list[str]]:
    """What the next size has measured of these mixtures on this text, and a warning for each that is of others."""
    nested = shards.read_json(shards.join(root, sweep_folder.TRANSFER, sweep_folder.SWEEP))
    if nested is None:
        return None, []
    if nested["domains"] != domains or nested["excerpts"] != excerpts:
        return None, ["the next size was measured on other text: `chejil ablate run --transfer` again"]
    weights, now = (
        {one["name"]: one["weights"] for one in some} for some in (nested["proposals"], proposals)
    )
    rows, warnings = [], []
    for row in nested["proxies"]:
        if now.get(row["proposal"]) != weights[row["proposal"]]:
            warnings.append(
                f"the next size's {row['proposal']} is another mixture: `chejil ablate run --transfer` again"
            )
            continue
        files = [{**file, "path": f"{sweep_folder.TRANSFER}/{file['path']}"} for file in row["files"]]
        rows.append({**row, "files": files})
    return ({"about": nested["about"], "proxies": rows} if rows else None), warnings


def run_transfer(found: SweepPlan, out: str, workers: int, bars: Progress) -> dict[str, Any]:
    """Train the best mixtures, natural and the worst at the next size; returns sweep.json with what they measured.

    Raises:
        ChejilError: as `run`; a next size without its settings.
    """
    transfer.of(found.settings)
    run(found, out, workers, bars)
    larger = transfer.plan(found, sweep_file.read(out))
    run(larger, str(Path(out) / sweep_folder.TRANSFER), workers, bars)
    return run(found, out, workers, bars)
