"""What stands beside the weights of a merged model: tokenizer, generation_config.json, model card, lineage.

A fine-tuning that keeps its tokenizer with the adapter (its chat template, the token that ends an answer) has said what
the model is to be used with, so that one is taken; else the base's. Either as a whole: a tokenizer_config.json of one
and a tokenizer.json of the other make a third. Nothing measured is written here, so equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from chejil import __version__
from chejil.curation import shards
from chejil.training.exporting import lineage
from chejil.training.tuning import base_model
from chejil.training.tuning.adapter_folder import CONFIG, WEIGHTS, Adapter
from chejil.training.tuning.base_model import BaseModel

FORMAT = "chejil merge 1"
CARD, GENERATION, TEMPLATE = "README.md", "generation_config.json", "chat_template.jinja"
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "tokenizer.model", "spiece.model", TEMPLATE,
)  # fmt: skip
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
SETTINGS = ("r", "lora_alpha", "use_rslora", "use_dora", "target_modules", "modules_to_save", "bias")
_PACKAGES = ("torch", "transformers", "peft", "safetensors")


def tokenizer_of(adapter: Adapter, base: BaseModel) -> Path:
    """The folder whose tokenizer the merged model gets."""
    return next((one for one in (adapter.folder, base.folder) if (one / TOKENIZER[0]).is_file()), base.folder)


def generation_of(adapter: Adapter, base: BaseModel) -> Path | None:
    """The generation_config.json that the merged model gets; None: what its config implies."""
    files = [folder / GENERATION for folder in (adapter.folder, base.folder)]
    return next((file for file in files if file.is_file()), None)


def write(
    part: Path, adapter: Adapter, base: BaseModel, dtype: str, parameters: int
) -> dict[str, dict[str, Any]]:
    """Write them beside the weights; returns all files, with bytes and hash."""
    for source in _copied(adapter, base):
        shards.write_bytes(str(part), source.name, source.read_bytes())
    told = _lineage(adapter, base, dtype)
    card = "\n".join(_card(told, base, parameters, (part / TEMPLATE).is_file())) + "\n"
    shards.write_bytes(str(part), CARD, card.encode())
    files = {
        path.name: {"bytes": path.stat().st_size, "hash": shards.file_hash(str(path))}
        for path in sorted(part.iterdir())
    }
    shards.write_json(str(part), lineage.FILE, {**told, "files": files})
    return files


def _copied(adapter: Adapter, base: BaseModel) -> Iterator[Path]:
    tokenizer = tokenizer_of(adapter, base)
    yield from (tokenizer / name for name in TOKENIZER if (tokenizer / name).is_file())
    if tokenizer != adapter.folder and (adapter.folder / TEMPLATE).is_file():
        yield adapter.folder / TEMPLATE
    generation = generation_of(adapter, base)
    if generation is not None:
        yield generation
    for pattern in LICENCES:
        yield from sorted(file for file in base.folder.glob(pattern) if file.is_file())


def _lineage(adapter: Adapter, base: BaseModel, dtype: str) -> dict[str, Any]:
    before = base.folder / lineage.FILE
    config = {name: adapter.config[name] for name in SETTINGS if adapter.config.get(name) is not None}
    if isinstance(config.get("target_modules"), list):  # PEFT writes a set, in any order
        config["target_modules"] = sorted(config["target_modules"])
    return {
        "format": FORMAT,
        "base": {
            "name": base.folder.resolve().name,
            "type": base.kind,
            "dtype": base.dtype,
            **base_model.hashes(base),
            "lineage": shards.read_json(str(before)) if before.is_file() else None,
        },
        "adapter": {
            "name": adapter.folder.resolve().name,
            "files": {name: shards.file_hash(str(adapter.folder / name)) for name in (CONFIG, WEIGHTS)},
            "settings": config,
            "base_known": adapter.told is not None,
            "told": (adapter.told or {}).get("told"),
        },
        "dtype": dtype,
        "merged_with": {"chejil": __version__, **{name: metadata.version(name) for name in _PACKAGES}},
    }


def _card(told: dict[str, Any], base: BaseModel, parameters: int, chats: bool) -> Iterator[str]:
    adapter, settings = told["adapter"], told["adapter"]["settings"]
    head = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": [base.kind, "chejil", "merged"],
    }
    yield f"---\n{yaml.safe_dump(head, sort_keys=False).rstrip()}\n---\n"
    yield f"# {told['base']['name']} with {adapter['name']}\n"
    yield f"A LoRA adapter merged into its base in fp32 and cast once to {told['dtype']}: {parameters:,} parameters."
    yield "The logits were compared with those of the unmerged model before this folder appeared.\n"
    if chats:
        yield f"Conversations are written by `{TEMPLATE}`: `tokenizer.apply_chat_template(messages)`.\n"
    yield "| what | name | hash (xxh3-128) |\n|---|---|---|"
    yield f"| base, its weights | {told['base']['name']} ({base.kind}, {base.dtype}) | `{told['base']['weights']}` |"
    yield f"| adapter | {adapter['name']} | `{adapter['files'][WEIGHTS]}` |\n"
    if not adapter["base_known"]:
        yield "The adapter did not say the hash of its base; names and shapes of the layers fit.\n"
    yield f"Rank {settings['r']}, alpha {settings.get('lora_alpha')}, layers: {_layers(settings)}.\n"
    yield "`lineage.json` has this for programs, and the base's own lineage where it has one. Versions: "
    yield ", ".join(f"{name} {version}" for name, version in sorted(told["merged_with"].items())) + "."


def _layers(settings: dict[str, Any]) -> str:
    layers = settings.get("target_modules") or []
    return f"`{layers}`" if isinstance(layers, str) else ", ".join(layers)
