"""Models in folders: what a folder is, how much memory its model needs, and the model itself.

Weights are loaded in the type that they are stored in, fp32 ones on a GPU in bf16 (half the memory, and what such
models are trained in); fp16 where the GPU has no bf16. No code of a folder is run (`trust_remote_code` stays off).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.chatting import devices
from chejil.training import library_logs
from chejil.training.installed import require_lora
from chejil.training.tuning import adapter_base, adapter_folder, base_model
from chejil.training.tuning.sft_config import ADAPTER, MODEL

DTYPES = {
    "fp32": "float32", "float32": "float32", "bf16": "bfloat16", "bfloat16": "bfloat16", "fp16": "float16",
    "float16": "float16",
}  # fmt: skip
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}
_CACHE_TOKENS = 8192
"""Of the key-value cache that a GPU must have room for; few chats are longer."""


@dataclass(frozen=True)
class Place:
    """A model's folder, and the adapter's that changes it."""

    model: Path
    adapter: Path | None = None

    @property
    def tokenizer(self) -> Path:
        """Where the tokenizer is: beside the adapter, if it has one."""
        own = self.adapter is not None and (self.adapter / "tokenizer.json").is_file()
        return self.adapter if own and self.adapter else self.model


def place_of(folder: str | Path) -> Place:
    """What a folder holds.

    Raises:
        ChejilError: no model: a training that is not exported, an adapter without its base, something else.
    """
    path = Path(folder)
    if not path.is_dir():
        mend = "name a folder with config.json and weights, an adapter's folder, or an endpoint: http://HOST/v1#MODEL"
        raise ChejilError("no such folder", where=str(folder), mend=mend)
    if (path / "adapter_config.json").is_file():
        return Place(adapter_base.find(path), path)
    if (path / "config.json").is_file():
        return Place(path)
    for left in (path / MODEL, path / ADAPTER):
        if left.is_dir():
            raise ChejilError("a fine-tuning's folder", where=str(folder), mend=f"name what it left: {left}")
    if (path / "checkpoints").is_dir() or re.fullmatch(r"step-\d+", path.name):
        mend = f"chejil export {folder} --out {path.name}-model, and name that folder"
        raise ChejilError("a training's folder, not exported yet", where=str(folder), mend=mend)
    raise ChejilError(
        "no model: there is no config.json", where=str(folder), mend="name a folder of `chejil export`, or any other"
        " that transformers loads",
    )  # fmt: skip


def _json(path: Path) -> dict[str, Any]:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ChejilError(f"cannot be read: {error}", where=str(path), mend="copy it again") from None


@dataclass(frozen=True)
class Loaded:
    """A model on its device."""

    model: Any
    device: str
    dtype: str
    notes: tuple[str, ...]


def load(place: Place, device: str, dtype: str) -> Loaded:
    """The model of a folder, ready to answer.

    Args:
        device: see devices.choose.
        dtype: auto, or a name of DTYPES.

    Raises:
        ChejilError: it cannot be loaded, or the device that was named is full.
    """
    if dtype != "auto" and dtype not in DTYPES:
        raise ChejilError(f"no type '{dtype[:40]}'", mend=did_you_mean(dtype, ["auto", *DTYPES]))
    config = _json(place.model / "config.json")
    stored = _stored(config)
    asked = DTYPES.get(dtype, "bfloat16" if stored == "float32" else stored)
    found = devices.machine() if device != "cpu" else devices.Machine()
    full: list[str] = []
    choice = devices.choose(device, needed_bytes(place.model, config, asked), found)
    kind = ""
    model: Any = None
    while True:
        kind, before = _type_on(choice.device, stored, dtype), kind
        model = _model(place, kind) if kind != before else model
        try:
            model = model.to(choice.device)
            break
        except RuntimeError as error:  # OutOfMemoryError is one; others of a broken driver, too
            if choice.device == "cpu" or device not in ("auto", "cuda"):
                raise _full(choice.device, error) from None
        # Somebody took the memory between asking and loading.
        full.append(choice.device)
        choice = devices.choose("auto", needed_bytes(place.model, config, asked), found, full)
    notes = (*([choice.note] if choice.note else []), *(f"{one} turned out to be full" for one in full))
    return Loaded(model.eval(), choice.device, kind, notes)


def _full(device: str, error: RuntimeError) -> ChejilError:
    said = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    return ChejilError(
        f"the model does not fit on {device}: {said}",
        mend="--device auto looks for a free one, --device cpu does without",
    )


def _stored(config: dict[str, Any]) -> str:
    named = config.get("dtype") or config.get("torch_dtype")
    inner = config.get("text_config") or {}
    return str(named or inner.get("dtype") or inner.get("torch_dtype") or "float32").removeprefix("torch.")


def _type_on(device: str, stored: str, asked: str) -> str:
    import torch

    if asked != "auto":
        return DTYPES[asked]
    if device.startswith("cuda"):
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        if stored == "float32" or (stored == "bfloat16" and not has_bf16):
            return "bfloat16" if has_bf16 else "float16"
    return stored if stored in _BYTES else "float32"


def needed_bytes(folder: Path, config: dict[str, Any], dtype: str) -> int:
    """Memory of weights and cache, in a type of numbers."""
    size = _BYTES.get(dtype, 4)
    files = list(folder.glob("*.safetensors")) or list(folder.glob("pytorch_model*.bin"))
    weights = sum(file.stat().st_size for file in files) * size // _BYTES.get(_stored(config), 4)
    text = config.get("text_config") or config
    heads = text.get("num_attention_heads") or 0
    head_size = text.get("head_dim") or (text.get("hidden_size") or 0) // max(1, heads)
    width = (text.get("num_key_value_heads") or heads) * head_size
    tokens = min(text.get("max_position_embeddings") or _CACHE_TOKENS, _CACHE_TOKENS)
    return weights + 2 * size * width * tokens * (text.get("num_hidden_layers") or 0)


def _model(place: Place, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    if place.adapter is not None:
        require_lora()
    read_as = dtype if place.adapter is None else "float32"
    with library_logs.no_bars("transformers"):
        try:
            made: Any = AutoModelForCausalLM.from_pretrained(
                str(place.model),
                dtype=getattr(torch, read_as),
                local_files_only=True,
                output_loading_info=True,
            )
        except Exception as error:  # the library raises OSError, ValueError, SafetensorError …
            what = f"transformers cannot load it: {type(error).__name__} {' '.join(str(error).split())[:300]}"
            raise ChejilError(
                what, where=str(place.model), mend="see whether all its files are there"
            ) from None
    model, told = made
    if lacking := sorted(told["missing_keys"]):
        what = f"weights are missing, {len(lacking):,} of them, e.g. {lacking[0]}"
        raise ChejilError(what, where=str(place.model), mend="copy the folder again, or export it again")
    return model if place.adapter is None else _with_adapter(model, place, dtype)


def _with_adapter(model: Any, place: Place, dtype: str) -> Any:
    """The adapter's product added to the weights in fp32, and cast once: low precision would round the sum twice."""
    import torch

    assert place.adapter is not None
    adapter = adapter_folder.read(str(place.adapter))
    adapter_folder.require_base(adapter, base_model.read(place.model))
    merged = adapter_folder.load(model, adapter).merge_and_unload()
    return merged.to(getattr(torch, dtype))
