"""Sweeps that last seconds: three sources of made-up tokens, proxies of three steps."""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
import small_token_shards as token_shards
import small_trainings

SOURCES = {("web", "ko"): (1, 240), ("law", "ko"): (2, 160), ("books", "en"): (3, 200)}


def tokens(folder, but=0):
    """Token shards of three sources; without the last `but` documents of each."""
    groups = {
        name: token_shards.documents(seed, num, 90, 20)[: num - but] for name, (seed, num) in SOURCES.items()
    }
    return token_shards.write(folder, groups)


def proxy(folder, **more):
    """The file of a proxy's config: one of three steps."""
    said = small_trainings.settings("unused", total_tokens=1536, **more)
    file = Path(folder) / "proxy.yaml"
    file.write_text(yaml.safe_dump(said), "utf-8")
    return file


def settings(folder, shards, **more):
    """A sweep of nine proxies."""
    return {
        "name": "small",
        "tokens": [str(shards)],
        "target": {"total_tokens": 15_360},
        "held_out": {"share": 0.1, "excerpts": 8},
        "proxy": {"config": str(proxy(folder))},
        "proposals": {"proxies": 9, "replicated": 1, "replicate_seeds": 2, "least_sequences": 1},
        **more,
    }


def file(folder, shards, **more):
    """The same as a file."""
    path = Path(folder) / "sweep.yaml"
    path.write_text(yaml.safe_dump(settings(folder, shards, **more)), "utf-8")
    return path
