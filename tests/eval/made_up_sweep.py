"""A sweep's folder without any training: proxies of a made-up world whose law is known, with rows that match."""

import json
from math import log
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from chejil.curation import shards
from chejil.eval.ablating.known_law import DOMAINS, LANGUAGES, SOURCES, train, world
from chejil.eval.ablating.mixtures import Mixture, mixture
from chejil.eval.ablating.proposals import ProposalSettings, propose

SEQUENCES = 40
NAMES = tuple(source.name for source in SOURCES)


def proposals(proxies=32, seed=1):
    """As the self-test proposes them."""
    asked = ProposalSettings(
        sources=list(SOURCES), proxies=proxies, seed=seed, horizon_tokens=4e11, proxy_tokens=50e6
    )
    return [
        {"name": one.name, "kind": one.kind, "weights": one.mixture.by_name(), "seeds": list(one.seeds)}
        for one in propose(asked).proposals
    ]


def values_of(proposal, seed, world_seed=1, law=None):
    """Bits per byte by domain."""
    law = law or world(world_seed)
    made = Mixture(NAMES, mixture(proposal["weights"], NAMES).weights)
    return dict(train(law, proposal["name"], made, seed, world_seed).bits_per_byte)


def write_proxy(root, name, proposal, seed, bits, scores=None, folder="proxies"):
    """The files of a proxy, and its entry in sweep.json; rows add up to its bits per byte exactly enough."""
    own = Path(root) / folder / name
    own.mkdir(parents=True, exist_ok=True)
    columns = {"domain": [], "nats": [], "bytes": []}
    exact = {}
    for number, (domain, value) in enumerate(bits.items()):
        size = np.random.default_rng(number).integers(300, 2000, SEQUENCES)
        scatter = np.random.default_rng([number, seed, *proposal.encode()]).normal(0, 0.02, SEQUENCES)
        nats = (value + scatter - scatter @ size / size.sum()) * size * log(2)
        columns["domain"] += [domain] * SEQUENCES
        columns["nats"] += nats.tolist()
        columns["bytes"] += size.tolist()
        exact[domain] = float(nats.sum() / log(2) / size.sum())
    pq.write_table(pa.table(columns), own / "rows.parquet")
    parts = {f"{domain}/{'ko' if domain.startswith('ko') else 'en'}": {"bits_per_byte": value, "num_bytes": 1000}
             for domain, value in exact.items()}  # fmt: skip
    record = {"kind": "evaluation", "step": 10, "sources": parts}
    (own / "metrics.jsonl").write_bytes(
        orjson.dumps({"kind": "start"}) + b"\n" + orjson.dumps(record) + b"\n"
    )
    (own / "config.yaml").write_text(f"name: {json.dumps(name)}\n", "utf-8")
    rows = {"rows.parquet": len(columns["nats"])}
    files = [
        {"path": f"{folder}/{name}/{file}", "rows": rows.get(file, 0), "bytes": (own / file).stat().st_size,
         "hash": shards.file_hash(str(own / file))}
        for file in ("config.yaml", "metrics.jsonl", "rows.parquet")
    ]  # fmt: skip
    return {
        "name": name, "proposal": proposal, "seed": seed, "bits_per_byte": exact, "scores": scores or {},
        "tokens": 50_000_000, "error": None, "files": files,
    }  # fmt: skip


def content(root, asked, proxies, **more):
    """sweep.json around some proxies, written."""
    found = {
        "format": "chejil ablation 1", "name": "made-up", "about": "a law", "complete": True,
        "sources": [one.model_dump() for one in SOURCES],
        "domains": [{"name": name, "language": LANGUAGES[name]} for name in DOMAINS],
        "limits": {"low": {}, "high": {}, "horizon_tokens": 4e11, "max_epochs": 4.0, "proxy_tokens": 50e6,
                   "least_tokens": 51200.0},
        "objective": {"weights": {}, "english_worse_percent": None, "tether": 0.0},
        "proposals": asked, "proxies": proxies, "transfer": None, "arms": None,
        "cost": {"flops": 1.5e15, "share_of_target": 1e-6, "seconds": 1200.0},
    } | more  # fmt: skip
    for one in [*found["proxies"], *(found["transfer"]["proxies"] if found["transfer"] else [])]:
        write_config(root, found, one)
    shards.write_json(str(root), "sweep.json", found)
    return found


def write_config(root, found, proxy):
    """config.yaml as a training leaves it, and its record: what the proxy was trained on, by sweep.json."""
    file = next(one for one in proxy["files"] if one["path"].endswith("config.yaml"))
    asked = next(one for one in found["proposals"] if one["name"] == proxy["proposal"])
    weights = {}
    for source in found["sources"] if asked["weights"] else []:
        sizes = source.get("pattern_bytes") or {source["name"]: 1}
        for pattern, size in sizes.items():
            weights[pattern] = asked["weights"][source["name"]] * size / sum(sizes.values())
    said = {
        "name": proxy["name"], "tokens": [f"arms/{proxy['proposal']}/pool" if found["arms"] else "pool"],
        "mixture": {"stages": [{"from_tokens": 0, "weights": weights}] if weights else []},
        "total_tokens": proxy["tokens"], "batch_tokens": 1000, "seed": 1 + proxy["seed"],
    }  # fmt: skip
    place = Path(root) / file["path"]
    place.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
    file |= {"bytes": place.stat().st_size, "hash": shards.file_hash(str(place))}


def sweep(root, proxies=32, world_seed=1, **more):
    """A whole sweep with scores and the next size: top 3, natural, worst."""
    asked = proposals(proxies)
    made = []
    for one in asked:
        for seed in one["seeds"]:
            luck = np.random.default_rng([seed, *one["name"].encode(), 9]).normal(0, 0.01, 2)
            korean = sum(share for name, share in one["weights"].items() if name.endswith("-ko"))
            scores = {
                "kobest_boolq acc": 0.5 + float(luck[0]),
                "kobest_copa acc": 0.5 + 0.1 * korean + float(luck[1]),
            }
            bits = values_of(one, seed, world_seed)
            made.append(write_proxy(root, f"{one['name']}-{seed}", one["name"], seed, bits, scores))
    means = {}
    for one in made:
        means.setdefault(one["proposal"], []).append(np.mean(list(one["bits_per_byte"].values())))
    best = sorted(
        (float(np.mean(own)), name) for name, own in means.items() if name not in ("natural", "worst")
    )[:3]
    kept = [one for one in asked if one["name"] in {"natural", "worst", *(name for _, name in best)}]
    large = []
    for one in kept:
        bits = {name: value * 0.9 for name, value in values_of(one, 7, world_seed).items()}
        large.append(write_proxy(root, f"{one['name']}-0", one["name"], 0, bits, folder="transfer"))
    given = {"transfer": {"about": "3,000,000 parameters, 4 M tokens", "proxies": large}} | more
    return content(root, asked, made, **given)


def two_sources(root, steep=3.0):
    """Two sources with awkward names, two domains, ten mixtures; the first two have two seeds.

    Half of each is best; steep: of the law, 0 if mixtures change nothing.
    """
    sources = [
        {"name": "누리집", "language": "ko", "unique_bytes": 4_000_000, "bytes_per_token": 3.0,  # web site
         "patterns": ["web-ko/ko", "blog-ko/ko"], "pattern_bytes": {"web-ko/ko": 3_000_000, "blog-ko/ko": 1_000_000}},
        {"name": "web: en #1", "language": "en", "unique_bytes": 6_000_000, "bytes_per_token": 4.0},
    ]  # fmt: skip
    asked, made = [], []
    for at, share in enumerate(np.linspace(0.05, 0.95, 10).tolist()):
        name, seeds = f"random-{at:03d}", [0, 1] if at < 2 else [0]
        weights = {"누리집": share, "web: en #1": 1 - share}
        asked.append({"name": name, "kind": "random", "weights": weights, "seeds": seeds})
        for seed in seeds:
            bits = {
                "뉴스": 1.2 + 0.5 * np.exp(-steep * share),
                "news": 1.0 + 0.5 * np.exp(-steep * (1 - share)),
            }  # news
            luck = np.random.default_rng([at, seed]).normal(0, 0.001, 2)
            bits = {key: value + float(more) for (key, value), more in zip(bits.items(), luck, strict=True)}
            made.append(write_proxy(root, f"{name}-{seed}", name, seed, bits))
    domains = [{"name": "뉴스", "language": "ko"}, {"name": "news", "language": "en"}]
    return content(root, asked, made, sources=sources, limits={}, domains=domains)
