"""An adapter's folder: PEFT's own two files, and beside them `chejil-adapter.json`, which says what base it is for.

PEFT names the base by the path that it had on that machine, and loads an adapter onto any model whose shapes fit: an
adapter of another base, or of the same one before its last thousand steps, gives a model that speaks, only worse. So
the hash of the base's weights is kept (base_model.py), and asked for. An adapter without that file, from plain PEFT, is
checked by names and shapes, and a note says that no more is known.

`PeftModel.from_pretrained` only warns of weights that it does not find, and leaves those layers as drawn: here every
weight of the file has to be used, and every weight of the adapter to be in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.exporting import whole_folder
from chejil.training.tuning import base_model, lora
from chejil.training.tuning.base_model import BaseModel, Tensor

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
FILE = "chejil-adapter.json"
FORMAT = "chejil adapter 1"
PREFIX = "base_model.model."
_COPY = "copy it again from where it was written; of a training, take another checkpoint"
_UNMERGEABLE = ("layer_replication", "alora_invocation_tokens", "arrow_config", "velora_config")
"""Settings of PEFT under which an adapter is more than a sum of matrices."""


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter that was read.

    Args:
        config: adapter_config.json.
        tensors: of its weights, by their names in the file.
        told: chejil-adapter.json; None of an adapter from elsewhere.
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    told: dict[str, Any] | None

    @property
    def base(self) -> str | None:
        """The base's place as it was then."""
        return self.config.get("base_model_name_or_path")

    @property
    def base_hash(self) -> str | None:
        """Of the base's weights; None where it is not told."""
        return self.told["base"]["weights"] if self.told else None


def write(
    model: Any,
    folder: str,
    base: str,
    told: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write an adapter: a new folder, or in the place of an adapter; it appears whole or not at all.

    Equal weights give equal bytes: PEFT writes the names of layers in the order of a set.

    Args:
        model: a peft.PeftModel.
        base: the folder of its base, as it was before the training.
        told: what else to keep, e.g. the training's name and step; JSON.
        weights: whole, by their names in the model, where the model's own are sharded.

    Returns:
        What chejil-adapter.json says.

    Raises:
        ChejilError: the folder holds something else, or the base is no model's folder.
    """
    place = Path(folder).expanduser().absolute()
    if place.exists() and not (place / CONFIG).is_file() and (not place.is_dir() or any(place.iterdir())):
        raise ChejilError("something else than an adapter is there", where=folder, mend="choose another name")
    found = base_model.read(base)
    content = {
        "format": FORMAT,
        "base": {"name": found.folder.resolve().name, "type": found.kind, **base_model.hashes(found)},
        "told": dict(told or {}),
    }
    with whole_folder.in_one_piece(place, folder) as part, lora.quiet():
        model.save_pretrained(
            str(part), save_embedding_layers=False, state_dict=None if weights is None else dict(weights)
        )
        config = orjson.loads((part / CONFIG).read_bytes())
        config["base_model_name_or_path"] = base
        for name in ("target_modules", "modules_to_save"):
            if isinstance(config.get(name), list):
                config[name].sort()
        shards.write_json(str(part), CONFIG, config)
        (part / "README.md").unlink(missing_ok=True)  # a form of PEFT with nothing filled in
        content["files"] = {name: shards.file_hash(str(part / name)) for name in (CONFIG, WEIGHTS)}
        shards.write_json(str(part), FILE, content)
    return content


def read(folder: str) -> Adapter:
    """An adapter whose files are whole.

    Raises:
        ChejilError: no adapter, one that is damaged or not LoRA, or weights that are not those of its config.
    """
    path = Path(folder).expanduser()
    if not (path / CONFIG).is_file():
        what = "a whole model, not an adapter" if (path / "config.json").is_file() else "no adapter"
        mend = f"give a folder with {CONFIG} and {WEIGHTS}, such as `lora:` of a fine-tuning writes"
        raise ChejilError(what, where=folder, mend=mend)
    config = _object(path / CONFIG)
    _refuse_kind(config, folder)
    if not (path / WEIGHTS).is_file():
        raise _no_weights(path, folder)
    told = _object(path / FILE) if (path / FILE).is_file() else None
    if told is not None:
        _refuse_changed(path, told)
    adapter = Adapter(path, config, base_model.tensors_of(path / WEIGHTS), told)
    _refuse_ranks(adapter)
    return adapter


def require_base(adapter: Adapter, base: BaseModel) -> list[str]:
    """Refuse a base that is not the adapter's; what is not known is returned as notes.

    Raises:
        ChejilError: its weights are others.
    """
    if adapter.told is None:
        named = f"; it was trained on a model called {adapter.base}" if adapter.base else ""
        return [f"the adapter does not say the hash of its base: checked by names and shapes only{named}"]
    then, now = adapter.told["base"], base_model.hashes(base)
    if then["weights"] != now["weights"]:
        what = (
            f"not the adapter's base: its weights are {str(now['weights'])[:12]}, the adapter was trained on "
            f"{then['weights'][:12]} ({then['name']}, {then['type']})"
        )
        mend = "give that one: --base FOLDER; the same model cast to another dtype is another base"
        raise ChejilError(what, where=str(base.folder), mend=mend)
    changed = [name for name in ("config", "tokenizer") if then[name] != now[name]]
    return [f"the base's {name}.json is not the one of the training" for name in changed]


def load(model: Any, adapter: Adapter, trainable: bool = False) -> Any:
    """The model with the adapter, as a peft.PeftModel, each of its weights in its place.

    Args:
        model: the adapter's base, loaded by transformers; it is changed in place.
        trainable: to go on training it.

    Raises:
        ChejilError: names or shapes are not those of the model.
    """
    import peft
    from peft.utils.save_and_load import get_peft_model_state_dict

    lora.steady(model)
    _refuse_misfit(adapter, model)
    try:
        with lora.quiet():
            made = peft.PeftModel.from_pretrained(
                model, str(adapter.folder), is_trainable=trainable, torch_device=str(model.device)
            )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise ChejilError(
            f"does not fit the model: {said}", where=str(adapter.folder), mend=_other_base(adapter)
        ) from error
    placed = get_peft_model_state_dict(made, save_embedding_layers=False)
    _refuse_differing(adapter, placed.keys())
    return made


def num_layers(adapter: Adapter) -> int:
    """Linear layers that it adapts."""
    return len(_layers(adapter))


def _object(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ChejilError(f"not JSON: {error}", where=str(file), mend=_COPY) from None
    if not isinstance(content, dict):
        raise ChejilError("no JSON object", where=str(file), mend=_COPY)
    return content


def _refuse_kind(config: Mapping[str, Any], folder: str) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        mend = "only LoRA can be merged here; PEFT itself loads others beside their base"
        raise ChejilError(f"an adapter of another kind: {kind}", where=folder, mend=mend)
    odd = [name for name in _UNMERGEABLE if config.get(name)]
    if odd:
        mend = "serve it unmerged with PEFT, or train one without that setting"
        raise ChejilError(f"cannot be merged: {CONFIG} has {odd[0]}", where=folder, mend=mend)


def _no_weights(path: Path, folder: str) -> ChejilError:
    if (path / PICKLE).is_file():
        mend = "PeftModel.from_pretrained(BASE, FOLDER).save_pretrained(NEW) of PEFT writes safetensors"
        return ChejilError(f"weights are a pickle ({PICKLE}), which may run code", where=folder, mend=mend)
    return ChejilError(f"{WEIGHTS} is missing", where=folder, mend=_COPY)


def _refuse_changed(path: Path, told: Mapping[str, Any]) -> None:
    try:
        known, files = told["format"] == FORMAT and told["base"]["weights"], dict(told["files"])
    except (KeyError, TypeError, ValueError):
        known, files = None, {}
    if not known:
        mend = "take the version of chejil that wrote it, or remove the file: then shapes alone are checked"
        raise ChejilError(f"not of the form '{FORMAT}'", where=str(path / FILE), mend=mend)
    for name, before in sorted(files.items()):
        if shards.file_hash(str(path / name)) != before:
            raise ChejilError("changed or damaged since it was written", where=str(path / name), mend=_COPY)


def _refuse_ranks(adapter: Adapter) -> None:
    """Each A has its B, of the rank that the config says."""
    where, patterns = str(adapter.folder / WEIGHTS), adapter.config.get("rank_pattern") or {}
    ranks = {adapter.config.get("r"), *patterns.values()}
    layers = _layers(adapter)
    if not layers:
        raise ChejilError("no weights of LoRA in it", where=where, mend=_COPY)
    for name, (down, up) in layers.items():
        if down is None or up is None:
            raise ChejilError(f"{name} has only one of lora_A and lora_B", where=where, mend=_COPY)
        if len(down.shape) != 2 or down.shape[0] != up.shape[1] or down.shape[0] not in ranks:
            what = (
                f"{name} has rank {down.shape[0]} and {up.shape[1]}, {CONFIG} says {adapter.config.get('r')}"
            )
            raise ChejilError(what, where=where, mend="the two files are of two adapters: restore both")


def _layers(adapter: Adapter) -> dict[str, tuple[Tensor | None, Tensor | None]]:
    """A and B of each adapted linear layer, by the layer's name in the base."""
    parts = ("lora_A", "lora_B")
    names = dict.fromkeys(
        name.removeprefix(PREFIX).partition(f".{part}.")[0]
        for name in adapter.tensors
        for part in parts
        if f".{part}." in name
    )
    return {
        name: (
            adapter.tensors.get(f"{PREFIX}{name}.lora_A.weight"),
            adapter.tensors.get(f"{PREFIX}{name}.lora_B.weight"),
        )
        for name in names
    }


def _pairs(adapter: Adapter) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    for name, (down, up) in _layers(adapter).items():
        if down is not None and up is not None:
            yield name, (down, up)


def _other_base(adapter: Adapter) -> str:
    return f"give the base that it was trained on ({adapter.base or 'it does not say which'}): --base FOLDER"


def _refuse_misfit(adapter: Adapter, model: Any) -> None:
    """Layers that the model does not have, or has in other shapes."""
    modules = dict(model.named_modules())
    for name, (down, up) in _pairs(adapter):
        if name not in modules:
            what = f"the adapter has a layer {name}, the model ({model.config.model_type}) none"
            raise ChejilError(what, where=str(adapter.folder), mend=_other_base(adapter))
        there = set(getattr(modules[name], "weight", up).shape)
        here = {up.shape[0], down.shape[1]}
        if here != there:
            what = f"{name} goes from {down.shape[1]} to {up.shape[0]} in the adapter, the model's is {sorted(there)}"
            raise ChejilError(what, where=str(adapter.folder), mend=_other_base(adapter))


def _refuse_differing(adapter: Adapter, placed: Any) -> None:
    missing = sorted(set(placed) - adapter.tensors.keys())
    unused = sorted(adapter.tensors.keys() - set(placed))
    if missing or unused:
        kind, names = ("misses", missing) if missing else ("has what its config does not name:", unused)
        what = f"the adapter's file {kind} {len(names)} weights, e.g. {names[0].removeprefix(PREFIX)}"
        raise ChejilError(what, where=str(adapter.folder / WEIGHTS), mend=_COPY)
