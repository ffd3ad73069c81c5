"""The queue of a sweep: proxies as units of work, on this machine, Slurm or Ray, each done once.

What decides a proxy is in its key: config, tokens, domains; not where and on how many cores it is trained. So a call
that was interrupted goes on where it stopped, and a sweep that asks for more proxies keeps those there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import xxhash

from chejil.curation import shards
from chejil.curation.executors.schedulers import executor as started
from chejil.curation.executors.settings import Local
from chejil.curation.progress import Progress
from chejil.curation.stage import Record, Stage, do, is_done, read_record, unit_key
from chejil.errors import ChejilError
from chejil.eval.sweeping import proxy_training, sweep_folder
from chejil.eval.sweeping.sequence_pool import EXCERPTS
from chejil.eval.sweeping.sweep_plan import SUITE, Proxy
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.eval.sweeping.sweep_sources import Named
from chejil.terminal import cores
from chejil.tokenizer.encoding.token_shards import TokenShards
from chejil.training.config import PretrainConfig

TOLD = {"name", "about", "logging", "checkpoints", "flops", "expected", "tokenizer"}
"""Of a config what decides no number: it may change, and what is trained stays."""


def train_all(
    root: str,
    wanted: Sequence[Proxy],
    settings: SweepSettings,
    domains: Sequence[Named],
    workers: int,
    bars: Progress,
    records: dict[str, Record],
) -> None:
    """Train what has no record yet.

    Args:
        root: the sweep's folder, absolute; the folders of tokens that the proxies name lie in it.
        workers: proxies at a time, on this machine.
        records: gets every record by the proxy's name, as proxies end.

    Raises:
        ChejilError: what a user can mend; what is done stays.
    """
    stage = _stage(root, wanted, settings, domains)
    records |= _records(stage, root, wanted)
    calls = [
        (name, do, (stage.unit(root, (name,), None, {}), name, unit_key(stage, name, []), stage.function))
        for name in (proxy.name for proxy in wanted) if name not in records
    ]  # fmt: skip
    Path(root, "work").mkdir(exist_ok=True)
    if calls:  # from here on the sweep is not what it says
        bars.say(f"{len(records)} of {len(wanted)} proxies are trained already, {len(calls)} are trained now")
        sweep_folder.remove_results(root)
    bars.start("proxies", len(wanted), len(records))
    with started(settings.executor, root, workers, bars.say) as executor:
        for outcome in executor.do(calls, stage.name):
            if outcome.error is not None:
                raise outcome.error
            records[outcome.name] = outcome.result
            bars.advance("proxies", outcome.name, outcome.result.counts["error"])
    bars.finish("proxies")


def trained(
    root: str, wanted: Sequence[Proxy], settings: SweepSettings, domains: Sequence[Named]
) -> dict[str, Record]:
    """Records of the proxies that are done, by name."""
    return _records(_stage(root, wanted, settings, domains), root, wanted)


def _records(stage: Stage, root: str, wanted: Sequence[Proxy]) -> dict[str, Record]:
    found = {proxy.name: read_record(root, stage.name, proxy.name) for proxy in wanted}
    return {
        name: record for name, record in found.items()
        if record is not None and is_done(root, record, unit_key(stage, name, []))
    }  # fmt: skip


def workers_of(settings: SweepSettings, base: PretrainConfig, asked: int | None) -> int:
    """Proxies at a time on this machine: what is asked for, or one a GPU, or one for so many cores as it takes.

    Raises:
        ChejilError: more are asked for than there are GPUs.
    """
    gpus = 0 if base.device == "cpu" else len(proxy_training.devices())
    if asked is None:
        return max(1, gpus or cores() // settings.proxy.threads)
    if base.device == "cuda" and isinstance(settings.executor, Local) and asked > gpus:
        raise ChejilError(f"{asked} proxies at a time and {gpus} GPUs", mend=f"--workers {max(1, gpus)}")
    return asked


def _stage(root: str, wanted: Sequence[Proxy], settings: SweepSettings, named: Sequence[Named]) -> Stage:
    folders = {EXCERPTS, *(folder for proxy in wanted for folder in proxy.config.tokens)}
    prints = {folder: TokenShards(shards.join(root, folder)).fingerprint for folder in sorted(folders)}
    if settings.proxy.suite is not None:
        prints[SUITE] = shards.file_hash(shards.join(root, SUITE))
    domains = {one.name: one.pattern for one in named}
    aside = {
        "threads": settings.proxy.threads,
        "keep": settings.proxy.keep_checkpoints,
        "domains": domains,
        "own_gpu": isinstance(settings.executor, Local),  # a cluster gives each task its own
    }
    own, said = {}, {}
    for proxy in wanted:
        config = proxy.config.model_dump(mode="json")
        decides = proxy.config.model_dump(mode="json", exclude=TOLD, exclude_defaults=True)
        read = [EXCERPTS, *proxy.config.tokens, *([SUITE] if SUITE in prints else [])]
        said[proxy.name] = {
            "config": decides,
            "domains": domains,
            "read": {name: prints[name] for name in read},
        }
        identity = xxhash.xxh3_128_hexdigest(orjson.dumps(said[proxy.name], option=orjson.OPT_SORT_KEYS))
        own[proxy.name] = {"config": config, "identity": identity, **aside}
    return Stage(proxy_training.STAGE, "map", proxy_training.train, {}, own_settings=own, fingerprints=said)
