"""What answers: a folder of Hugging Face or of `chejil export`, an adapter, a name on the hub.

All but the last are known by the hash of their weights, so that a result is of these bytes and not of a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.results import ModelIdentity
from chejil.training.tuning import adapter_base, adapter_folder, base_model

_WEIGHTS = ("*.safetensors", "*.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tekken.json")
_ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class ModelFolder:
    """A model.

    Args:
        pretrained: folder or name of the weights.
        tokenizer: folder or name of the tokenizer.
        adapter: folder of an adapter on top of them.
        identity: what a result says of it.
    """

    pretrained: str
    tokenizer: str
    adapter: str | None
    identity: ModelIdentity


def unusable(what: str, error: Exception, where: str) -> ChejilError:
    """What a library says of a file that it cannot load; each raises its own: OSError, SafetensorError, bare ones.

    Args:
        what: `the model`, `the tokenizer`.
    """
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    mend = "one of its files is torn, or of a kind that is not known here: fetch or export it again"
    return ChejilError(f"{what} cannot be loaded: {first}", where=where, mend=mend)


def find(model: str, local_only: bool) -> ModelFolder:
    """What a name or path names.

    Raises:
        ChejilError: no such folder, no weights, no tokenizer, or an adapter whose base is not there.
    """
    path = Path(model)
    if not path.is_dir():
        return _on_hub(model, local_only)
    if (path / _ADAPTER).is_file():
        return _adapter(path)
    if not (path / "config.json").is_file():
        raise ChejilError(
            "no model: there is no config.json", where=model, mend=f"chejil export RUN --out {model}"
        )
    return ModelFolder(model, _tokenizer([path]), None, _identity(path, _weights(path)))


def _on_hub(model: str, local_only: bool) -> ModelFolder:
    if local_only or model.count("/") != 1 or model.startswith((".", "/", "~")):
        mend = "name a folder with config.json, weights and tokenizer"
        raise ChejilError("there is no such model", where=model, mend=mend)
    return ModelFolder(model, model, None, ModelIdentity(name=model, revision="main"))


def _adapter(path: Path) -> ModelFolder:
    base = adapter_base.find(path)
    adapter_folder.require_base(adapter_folder.read(str(path)), base_model.read(base))
    weights = [*_weights(path), *_weights(base)]
    return ModelFolder(str(base), _tokenizer([path, base]), str(path), _identity(path, weights))


def _weights(path: Path) -> list[Path]:
    for pattern in _WEIGHTS:
        if found := sorted(path.glob(pattern)):
            return found
    raise ChejilError("no weights: there is no *.safetensors", where=str(path), mend="get the model again")


def _tokenizer(places: list[Path]) -> str:
    for place in places:
        if any((place / name).is_file() for name in _TOKENIZERS):
            return str(place)
    raise ChejilError(
        "the model has no tokenizer",
        where=str(places[0]),
        mend="put its tokenizer.json there, e.g. by chejil export --tokenizer",
    )


def _identity(path: Path, weights: list[Path]) -> ModelIdentity:
    state = xxhash.xxh3_128()
    for line in _hashes(weights):
        state.update(line.encode())
    return ModelIdentity(name=path.resolve().name, path=str(path), hash=state.hexdigest())


def _hashes(weights: list[Path]) -> Iterator[str]:
    for file in weights:
        yield f"{file.name} {shards.file_hash(str(file))}\n"


def tokenizer_hash(folder: ModelFolder) -> str | None:
    """xxh3-128 over the tokenizer's files; None where they are on the hub."""
    place = Path(folder.tokenizer)
    files = [place / name for name in (*_TOKENIZERS, "tokenizer_config.json") if (place / name).is_file()]
    return xxhash.xxh3_128_hexdigest("".join(_hashes(files)).encode()) if files else None
