"""A training's folder: its resolved config, its tokenizer, and a lock, so that two trainings never share it.

runs/NAME/
  config.yaml       every default written out; without what only says where (`tokens` are named as they were given)
  tokenizer.json    of the token shards
  checkpoints/      see checkpoints.py
  metrics.jsonl     see metrics.py
  tensorboard/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from pydantic import BaseModel

from chejil.curation import shards
from chejil.errors import RunError
from chejil.tokenizer import held_folder
from chejil.training.config import PretrainConfig
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.loop.parallel import World

CONFIG, TOKENIZER, CHECKPOINTS = "config.yaml", "tokenizer.json", "checkpoints"
NAMES = {CONFIG, TOKENIZER, CHECKPOINTS, "metrics.jsonl", "tensorboard"}


def _foreign(names: set[str]) -> str | None:
    if names >= {CONFIG, TOKENIZER}:
        return None
    other = sorted(names - (NAMES - {CONFIG}))  # the tokenizer is written before it
    return f"this holds something else than a training: {', '.join(other[:3])}" if other else None


@contextmanager
def held(folder: Path, world: World, foreign: Callable[[set[str]], str | None] = _foreign) -> Iterator[None]:
    """Hold the folder in rank 0 while the block lasts.

    Args:
        foreign: from the names in the folder, what it holds that is no such training's; None: nothing.

    Raises:
        RunError: another training holds it, it holds something else, or it is a URL.
    """
    if folder.parts and folder.parts[0].endswith(":"):  # of s3://bucket/run a path is s3:/bucket/run
        mend = "choose a folder of a disk that all processes see for --out"
        raise RunError("checkpoints need a file system", where=str(folder), mend=mend)
    if not world.is_main:
        yield
        return
    with held_folder.held(str(folder), lambda _: None, foreign):
        yield


def written(config: BaseModel) -> str:
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
