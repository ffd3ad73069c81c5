"""A training's folder: its resolved config, its tokenizer, and a lock, so that two trainings never share it.

runs/NAME/
  config.yaml       every default written out; without what only says where (`tokens` are named as they were given)
  tokenizer.json    of the token shards
  checkpoints/      see checkpoints.py
  metrics.jsonl     see metrics.py
  tensorboard/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from chejil.curation import shards
from chejil.errors import RunError
from chejil.tokenizer import held_folder
from chejil.training.config import PretrainConfig
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.loop.parallel import World

CONFIG, TOKENIZER, CHECKPOINTS = "config.yaml", "tokenizer.json", "checkpoints"
NAMES = {CONFIG, TOKENIZER, CHECKPOINTS, "metrics.jsonl", "tensorboard"}


@contextmanager
def held(folder: Path, world: World) -> Iterator[None]:
    """Hold the folder in rank 0 while the block lasts.

    Raises:
        RunError: another training holds it, or it holds something else.
    """
    if "://" in str(folder):
        mend = "choose a folder of a disk that all processes see for --out"
        raise RunError("checkpoints need a file system", where=str(folder), mend=mend)
    if not world.is_main:
        yield
        return
    with held_folder.held(str(folder), lambda _: None, _foreign):
        yield


def _foreign(names: set[str]) -> str | None:
    if names >= {CONFIG, TOKENIZER}:
        return None
    other = sorted(names - (NAMES - {CONFIG}))  # the tokenizer is written before it
    return f"this holds something else than a training: {', '.join(other[:3])}" if other else None


def written(config: PretrainConfig) -> str:
    """The config with every default, as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def begin(folder: Path, config: PretrainConfig, corpus: TokenCorpus, world: World) -> None:
    """Write, in rank 0, what says which training this is."""
    if not world.is_main:
        return
    file = corpus.folders[0].manifest["tokenizer"]["file"]
    files, path = shards.file_system(shards.join(corpus.root, file))
    shards.write_bytes(str(folder), TOKENIZER, files.cat_file(path))
    shards.write_bytes(str(folder), CONFIG, written(config).encode())
