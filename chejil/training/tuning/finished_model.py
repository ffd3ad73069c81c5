"""What a fine-tuning leaves: `model/`, a Hugging Face folder like that of `chejil export`, or `adapter/`, PEFT's.

The weights are those of the best held-out loss, in the type that the base has on disk. The tokenizer is the base's with
the template that was trained; generation stops at what ended the answers. It appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import torch

from chejil import __version__
from chejil.curation import shards
from chejil.training.conversations.chat_encoding import ChatEncoder
from chejil.training.exporting import whole_folder
from chejil.training.tuning import adapter_folder
from chejil.training.tuning.base_model import TORCH, BaseModel

LINEAGE, CARD = "lineage.json", "README.md"
FORMAT = "chejil fine-tuning 1"
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt",
)  # fmt: skip
_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate")


def lineage(told: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What the model is from: this training, and the base with its own lineage where it has one.

    Args:
        told: name, step, rows, base hashes, conversations, evaluation.
    """
    before = Path(base) / LINEAGE
    return {
        "format": FORMAT,
        **told,
        "start_from": {
            "name": Path(base).resolve().name,
            "lineage": shards.read_json(str(before)) if before.is_file() else None,
        },
        "versions": {"chejil": __version__, **{name: metadata.version(name) for name in _PACKAGES}},
    }


def write_model(
    folder: Path, model: Any, weights: Mapping[str, torch.Tensor], base: BaseModel, encoder: ChatEncoder,
    ends: Sequence[int], told: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write all weights.

    Args:
        weights: whole, on the CPU.
        ends: ids of the tokens that end answers.
    """
    dtype = getattr(torch, TORCH[base.dtype])
    model.generation_config.eos_token_id = stops(ends, model.generation_config.eos_token_id)
    with whole_folder.in_one_piece(folder.absolute(), str(folder)) as part:
        cast = {name: one.to(dtype) if one.is_floating_point() else one for name, one in weights.items()}
        model.config.dtype = dtype
        model.save_pretrained(str(part), state_dict=cast)
        for name, content in tokenizer_files(str(base.folder), encoder):
            shards.write_bytes(str(part), name, content)
        shards.write_json(str(part), LINEAGE, lineage(told, str(base.folder)))
        shards.write_bytes(str(part), CARD, "\n".join(_card(told, str(base.folder), encoder)).encode())


def write_adapter(
    folder: Path, model: Any, weights: Mapping[str, torch.Tensor], base: str, encoder: ChatEncoder,
    told: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write an adapter, and the tokenizer with the template that it was trained with."""
    adapter_folder.write(model, str(folder), base, lineage(told, base), weights)
    for name, content in tokenizer_files(base, encoder):
        shards.write_bytes(str(folder), name, content)


def stops(ends: Sequence[int], before: int | Sequence[int] | None) -> list[int]:
    """What generation ends at: what ended the answers, and what did before."""
    known = [] if before is None else [before] if isinstance(before, int) else list(before)
    return list(dict.fromkeys([*map(int, ends), *known]))


def tokenizer_files(base: str, encoder: ChatEncoder) -> Iterator[tuple[str, bytes]]:
    """The base's, with the template."""
    for name in _TOKENIZER_FILES:
        file = Path(base) / name
        if not file.is_file():
            continue
        content = file.read_bytes()
        if name == "tokenizer_config.json":
            config = {**orjson.loads(content), "chat_template": encoder.template}
            content = orjson.dumps(config, option=orjson.OPT_INDENT_2)
        yield name, content
    yield "chat_template.jinja", encoder.template.encode()


def _card(told: Mapping[str, Any], base: str, encoder: ChatEncoder) -> Iterator[str]:
    held = told.get("held_out") or {}
    counts = told["conversations"]
    yield from ("---", "library_name: transformers", "pipeline_tag: text-generation", "---", "")
    yield from (f"# {told['name']}", "", told["about"], "") if told["about"] else (f"# {told['name']}", "")
    yield f"Fine-tuned from `{Path(base).resolve().name}` on {counts['conversations']:,} conversations "
    yield f"({counts['learnt_tokens']:,} learnt tokens) with the chat template {encoder.name}, {told['step']:,} steps."
    if held:
        yield ""
        yield f"Loss of held-out conversations: {held['before']:.4f} before, {held['loss']:.4f} after (nats a token)."
    yield ""
    yield "`lineage.json` says what it is from."
    yield ""
