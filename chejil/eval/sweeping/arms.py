"""Arms: does a filter, a threshold, a deduplication help the model. Curated runs, compared by proxies with seeds.

Each arm is trained on as it stands, all sources by size; the arms differ in nothing but what the curation kept. A
stricter arm has less text, so its pool is smaller in proportion and is repeated more often, as the large run would.

All are measured on the same text: excerpts of documents that are held out by their ids in *every* arm, taken from the
first. Held-out documents that one arm has dropped are no ground to compare on: the arm would be measured on what it
was told to despise. Two things are not looked for: near-duplicates of held-out text under other ids, which an arm
without deduplication trains on, and texts that the arms have rewritten differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from chejil.curation import finished_files, shards
from chejil.curation.executors.scheduled import absolute
from chejil.curation.progress import Progress
from chejil.curation.stage import Record
from chejil.errors import ChejilError
from chejil.eval.sweeping import (
    proxy_queue,
    sequence_pool,
    sweep_folder,
    sweep_plan,
    sweep_settings,
    sweep_sources,
)
from chejil.eval.sweeping.sequence_pool import EXCERPTS, POOL
from chejil.eval.sweeping.sweep_plan import Proxy
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.eval.sweeping.sweep_sources import Named
from chejil.tokenizer.encoding import encoding, token_shards
from chejil.tokenizer.encoding.token_shards import TokenShards
from chejil.training.config import PretrainConfig
from chejil.training.data import held_out
from chejil.training.data.held_out import Held, HeldOutSettings
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_corpus import TokenCorpus

FOLDER, CUT = "arms", "work/arms.json"
NARROWED = (
    "arms are measured on text that all of them keep, as the first has it: of two arms of which one is a part of the "
    "other, that is the stricter one's own kind of text"
)
"""What a reader of the verdicts must know."""


@dataclass(frozen=True)
class ArmsPlan:
    """Arms by name, each a folder of token shards or a curated run, and its documents; `seeds` proxies of each."""

    settings: SweepSettings
    folders: Mapping[str, str]
    documents: Mapping[str, int]
    base: PretrainConfig
    seeds: int

    @property
    def proxy_tokens(self) -> int:
        """Tokens that a proxy trains on: whole steps."""
        return self.base.steps * self.base.batch_tokens

    @property
    def part(self) -> float | None:
        """Share of the large run that a proxy is."""
        target = self.settings.target
        return self.proxy_tokens / target.total_tokens if target else None


def _num_documents(folder: str) -> int:
    """Documents of an arm: of token shards, or of what a run has kept.

    Raises:
        ChejilError: the folder is neither, or is not finished.
    """
    there = shards.is_folder(folder)
    if there and token_shards.is_one(folder):
        return TokenShards(folder).num_documents
    content = finished_files.manifest_content(folder) if there else None
    if not isinstance(content, dict) or "files" not in content:
        what = "no finished run and no token shards here"
        mend = "name a folder that `chejil run` or `chejil encode` wrote"
        raise ChejilError(what, where=f"--arms {folder}", mend=mend)
    return sum(file["rows"] for path, file in content["files"].items() if path.startswith("clean/"))


def plan(settings: SweepSettings, folders: Sequence[str]) -> ArmsPlan:
    """The arms, named by their folders.

    Raises:
        ChejilError: fewer than two, two of one name, or one that is neither a finished run nor token shards.
    """
    names = [PurePosixPath(folder.rstrip("/")).name for folder in folders]
    if len(folders) < 2:
        raise ChejilError("one arm", where="--arms", mend="name two curated runs or more")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        mend = "name each folder once; an arm is called by the last part of its path"
        raise ChejilError(f"two arms are called '{twice[0]}'", where="--arms", mend=mend)
    documents = {name: _num_documents(folder) for name, folder in zip(names, folders, strict=True)}
    base = sweep_settings.proxy_config(settings.proxy)
    return ArmsPlan(
        settings, dict(zip(names, folders, strict=True)), documents, base, settings.proposals.replicate_seeds
    )


def run(found: ArmsPlan, out: str, workers: int, bars: Progress) -> dict[str, Any]:
    """Encode the arms, cut their pools, train their proxies; returns sweep.json.

    Raises:
        ChejilError: what a user can mend; what is done stays.
    """
    root = absolute(out)
    with sweep_folder.held(root, bars.say):
        sweep_folder.refuse_other(root, found.settings.name, arms=True)
        sweep_folder.write_settings(root, found.settings)
        tokens = {name: _tokens(found, name, root, workers, bars) for name in found.folders}
        _cut(found, tokens, root)
        held = [_text(found, name, folder, root) for name, folder in tokens.items()]
        domains, warnings = _domains(found, root)
        for warning in warnings:
            bars.say(f"warning: {warning}")
        wanted = list(_proxies(found))
        records: dict[str, Record] = {}
        try:
            proxy_queue.train_all(root, wanted, found.settings, domains, workers, bars, records)
        finally:
            names = [(proxy.name, proxy.proposal, proxy.seed) for proxy in wanted]
            rows = sweep_folder.proxy_rows(names, records, found.proxy_tokens)
            done = _close(found, root, held, domains, rows, records, warnings)
        return done


def _domains(found: ArmsPlan, root: str) -> tuple[tuple[Named, ...], list[str]]:
    """What is measured, with a warning for each stream that nobody asked for and of which too little is held out.

    Raises:
        ChejilError: too little is held out of a domain that is asked for, or nothing is of one of the languages.
    """
    streams = sweep_sources.streams_of([shards.join(root, EXCERPTS)])
    domains = sweep_sources.named(found.settings.domains, streams, "domains")
    if found.settings.domains:
        sweep_folder.refuse_unmeasured(root, domains)
    few = sweep_folder.unmeasured(root, domains)
    kept = tuple(one for one in domains if one.name not in few)
    sweep_sources.refuse_one_language(kept, streams, "--arms")
    return kept, [
        f"not measured: {count} documents of {name} are held out by all arms, fewer than {sweep_folder.LEAST_EXCERPTS}"
        for name, count in few.items()
    ]


def _tokens(found: ArmsPlan, name: str, root: str, workers: int, bars: Progress) -> str:
    """The arm's token shards: itself, or its run encoded with the tokenizer of the sweep's `tokens`."""
    folder = found.folders[name]
    if token_shards.is_one(folder):
        return folder
    tokenizer = shards.join(found.settings.tokens[0], "tokenizer.json")
    if shards.size(tokenizer) is None:
        what = "no tokenizer for the arms"
        raise ChejilError(
            what, where=found.settings.tokens[0], mend="name token shards in `tokens`: theirs is taken"
        )
    out = shards.join(root, f"{FOLDER}/{name}/tokens")
    encoding.encode([folder], tokenizer, out, workers=workers, progress=bars)
    return out


def _cut(found: ArmsPlan, tokens: Mapping[str, str], root: str) -> None:
    """Cut a pool an arm, and the excerpts that all are measured on; not again for the same settings."""
    corpora = {name: TokenCorpus([folder]) for name, folder in tokens.items()}
    first = next(iter(corpora.values()))
    for corpus in corpora.values():  # of one tokenizer: a corpus of all of them says so
        TokenCorpus([first.root, corpus.root])
    aside, row = found.settings.held_out, found.base.row_tokens
    said = [[one.fingerprint, one.ids_hash] for one in corpora.values()]
    key = xxhash.xxh3_128_hexdigest(orjson.dumps([list(corpora), said, found.part, aside.model_dump(), row]))
    pools = {name: f"{FOLDER}/{name}/{POOL}" for name in corpora}
    if sweep_folder.is_cut(root, CUT, key, (*pools.values(), EXCERPTS)):
        return
    shards.remove(shards.join(root, CUT))
    settings = HeldOutSettings(share=aside.share, seed=aside.seed)
    held = {name: held_out.held_out(corpus, settings, None) for name, corpus in corpora.items()}
    for name, corpus in corpora.items():
        out = shards.join(root, pools[name])
        sequence_pool.write_pool(corpus, out, {"*": min(1.0, found.part or 1.0)}, held[name], row)
    common = _common(first, held[next(iter(held))], corpora, held)
    sequence_pool.write_excerpts(first, shards.join(root, EXCERPTS), common, aside.seed, row, aside.excerpts)
    shards.write_json(root, CUT, {"key": key})


def _common(
    first: TokenCorpus, own: Held, corpora: Mapping[str, TokenCorpus], held: Mapping[str, Held]
) -> Held:
    """Held-out documents of the first arm that every other has set aside, too.

    Raises:
        ChejilError: there is none.
    """
    others = [_ids(corpus, held[name]) for name, corpus in corpora.items()][1:]
    found: Held = {}
    for name, (numbers, hashes) in own.items():
        ids = _ids_of(first, name, numbers)
        shared = np.array([all(one in other for other in others) for one in ids], bool)
        if shared.any():
            found[name] = numbers[shared], hashes[shared]
    if not found:
        mend = "arms are runs over the same sources; or raise held_out.share"
        raise ChejilError("no held-out document is in every arm", where="--arms", mend=mend)
    return found


def _ids(corpus: TokenCorpus, held: Held) -> set[str]:
    return {one for name, (numbers, _) in held.items() for one in _ids_of(corpus, name, numbers)}


def _ids_of(corpus: TokenCorpus, name: str, numbers: np.ndarray) -> list[str]:
    source, _, lang = name.rpartition("/")
    ids: list[str] = []
    first = 0
    for shard in corpus.groups[source, lang]:
        mine = numbers[(numbers >= first) & (numbers < first + shard.num_documents)] - first
        ids += shard.documents()["id"].take(pa.array(mine)).to_pylist() if len(mine) else []
        first += shard.num_documents
    return ids


def _proxies(found: ArmsPlan) -> list[Proxy]:
    return [
        Proxy(f"{name}-{seed}", name, seed, _config(found, name, seed))
        for name in found.folders
        for seed in range(found.seeds)
    ]


def _config(found: ArmsPlan, name: str, seed: int) -> PretrainConfig:
    suite = sweep_plan.SUITE if found.settings.proxy.suite else None
    return sweep_plan.on_pool(found.base, f"{FOLDER}/{name}/{POOL}", MixtureStages(), seed, suite)


def _close(
    found: ArmsPlan,
    root: str,
    held: list[dict[str, Any]],
    domains: Sequence[Named],
    rows: list[dict[str, Any]],
    records: dict[str, Record],
    warnings: Sequence[str],
) -> dict[str, Any]:
    seeds, num = list(range(found.seeds)), found.seeds * len(found.folders)
    content = {
        "sources": [],
        "domains": [one.as_dict() for one in domains],
        "proposals": [{"name": name, "kind": "arm", "weights": {}, "seeds": seeds} for name in found.folders],
        "proxies": rows,
        "transfer": None,
        "arms": {"names": list(found.folders), "text": held},
        "cost": sweep_folder.cost(sweep_plan.cost(found.settings, found.base, num, 1), records),
        "warnings": [NARROWED, *warnings],
    }
    return sweep_folder.write(root, found.settings, len(rows) == num, content)


def _text(found: ArmsPlan, name: str, tokens: str, root: str) -> dict[str, Any]:
    """What an arm holds, as sweep_file.ArmText."""
    whole, pool = TokenShards(tokens), TokenShards(shards.join(root, FOLDER, name, POOL))
    return {
        "name": name, "documents": whole.num_documents, "tokens": whole.num_tokens,
        "bytes": sum(group.num_bytes for group in whole.groups), "pool_tokens": pool.num_tokens,
        "proxy_epochs": found.proxy_tokens / max(1, pool.num_tokens),
    }  # fmt: skip
