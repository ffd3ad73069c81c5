"""`chejil merge-lora`: an adapter and its base as one model, merged in fp32, cast once, compared before it appears.

A merge into bf16 moves logits (peft#1388: a loss of 2.1178 became 2.1214), and merge tools that write fp16 of a bf16
base, or round base or adapter first, do so for nothing. Here base and adapter are fp32 and the sum is rounded once, to
what the base's files have. That one rounding is all of it: 5e-2 of the largest logit on 24 layers of 1,024 in bf16,
1e-5 in fp32. An adapter that was rounded to bf16 before adds little to it (mean 4.80e-2 instead of 4.78e-2), so what
helps is only to know the number, and `--dtype fp32` (or fp16, for weights within its range) where it matters.

Memory: the weights in fp32 and one layer twice; 28 GB for a 7B. Measured of 349 M: 2.5 GB to fp32, 4.0 GB to bf16
(half of it freed and kept by the allocator), 20 s of one core.

Four comparisons on texts of both languages (logit_differences.py), all against the unmerged model in fp32:

    what the adapter changes    base - adapted      the scale of the others; 0: it was never trained
    merged in fp32              has to be nothing   a layer missed or merged twice is seen here
    cast to DTYPE               the rounding        inevitable, and told
    as written, read again      has to be the cast  what a tool will load (tied heads, scaled layers of RWKV)
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.exporting import whole_folder
from chejil.training.tuning import (
    adapter_base,
    adapter_folder,
    base_model,
    loaded_model,
    logit_differences,
    lora,
    merged_files,
)
from chejil.training.tuning.adapter_folder import Adapter
from chejil.training.tuning.base_model import TORCH, BaseModel
from chejil.training.tuning.logit_differences import Difference, difference, logits

Dtype = Literal["fp32", "bf16", "fp16"]
MAX_SHARD = "5GB"


@dataclass(frozen=True)
class Merged:
    """What was written; `notes` say what is not known or has changed."""

    out: str
    adapter: str
    base: str
    dtype: str
    parameters: int
    adapted_layers: int
    rank: int
    places: int
    differences: list[Difference]
    files: dict[str, dict[str, Any]]
    notes: list[str]


def merge(
    adapter: str,
    out: str,
    base: str | None = None,
    dtype: Dtype | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Merged:
    """Merge an adapter into its base, as a new folder that transformers loads.

    Args:
        out: the new folder, on a local disk.
        base: its folder; None: where the adapter says that it was.
        dtype: of the weights; None: that of the base's files.
        say: hears what is done.

    Raises:
        ChejilError: `out` holds something; an adapter that is damaged, not LoRA or of another base; a base that is
            quantised or damaged; weights that fp16 cannot hold; or a merged model that is not the unmerged one.
    """
    folder = _new(out)
    read = adapter_folder.read(adapter)
    found = base_model.read(base or adapter_base.find(read.folder))
    say(f"checking the base, {found.folder}")
    notes = adapter_folder.require_base(read, found)
    kept: Dtype = dtype or found.dtype  # type: ignore[assignment]
    with whole_folder.in_one_piece(folder, out) as part:
        made = _made(part, read, found, kept, say)
        files = merged_files.write(part, read, found, kept, made.parameters)
    notes += list(_notes(made.differences, kept, made.untied))
    layers, rank = adapter_folder.num_layers(read), int(read.config["r"])
    return Merged(
        out, adapter, str(found.folder), kept, made.parameters, layers, rank, made.places, made.differences, files,
        notes,
    )  # fmt: skip


@dataclass(frozen=True)
class _Made:
    parameters: int
    places: int
    differences: list[Difference]
    untied: bool


def _made(part: Path, adapter: Adapter, base: BaseModel, dtype: Dtype, say: Callable[[str], None]) -> _Made:
    """Load, merge, compare, cast, write, read again, compare."""
    say("loading the base in fp32")
    model = _loaded(base.folder)
    ids = _ids(adapter, base, model)
    before = logits(model, ids)
    model = adapter_folder.load(model, adapter)
    unmerged = logits(model, ids)
    found = [difference("the adapter changes the base by", before, unmerged)]
    tied = model.get_base_model().config.get_text_config().tie_word_embeddings
    say("merging in fp32")
    model = _merged(model, adapter)
    found.append(difference("merged in fp32, not unmerged", unmerged, logits(model, ids)))
    _refuse_apart(found[-1], adapter)
    _round(model, dtype)
    rounded = logits(model, ids)
    if dtype != "fp32":
        found.append(difference(f"cast to {dtype}, not unmerged", unmerged, rounded))
    untied = tied and not model.config.get_text_config().tie_word_embeddings
    parameters = sum(one.numel() for one in model.parameters())
    say("writing, and reading again")
    _save(model, part, adapter, base, dtype)
    del model  # before the other is there: PEFT leaves circles behind
    gc.collect()
    found.append(difference("read again, not as cast", rounded, logits(_loaded(part), ids)))
    _refuse_apart(found[-1], adapter)
    return _Made(parameters, sum(map(len, ids)), found, untied)


def _new(out: str) -> Path:
    shards.refuse_empty(out)
    if "://" in out:
        raise ChejilError(
            "a model is written to a local disk", where=out, mend="give a folder, and copy it then"
        )
    folder = Path(out).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChejilError("is there already", where=out, mend="choose another --out, or remove it")
    return folder


def _loaded(folder: Path) -> Any:
    """A causal model in fp32 with all weights from the files, and none drawn."""
    model = loaded_model.load(folder)
    lora.steady(model)
    return model


def _ids(adapter: Adapter, base: BaseModel, model: Any) -> list[list[int]]:
    rows = model.get_input_embeddings().weight.shape[0]
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return [row[:longest] for row in logit_differences.ids_of(merged_files.tokenizer_of(adapter, base), rows)]


def _merged(model: Any, adapter: Adapter) -> Any:
    try:
        with lora.quiet():
            return model.merge_and_unload(safe_merge=True)
    except ValueError as error:  # not a number in it
        what = f"the adapter's weights are broken: {str(error).splitlines()[0]}"
        mend = "its training has diverged: take a checkpoint from before, or a lower learning rate"
        raise ChejilError(what, where=str(adapter.folder), mend=mend) from error


def _refuse_apart(found: Difference, adapter: Adapter) -> None:
    if found.is_nothing:
        return
    limit = logit_differences.TOLERANCE * max(1.0, found.largest_logit)
    what = f"the merged model is another than the unmerged one: {found.what}, logits by {found.largest:.3g}"
    mend = f"nothing was written (allowed: {limit:.2g}); serve it unmerged with PEFT, and report this adapter"
    raise ChejilError(what, where=str(adapter.folder), mend=mend)


def _round(model: Any, dtype: Dtype) -> None:
    """Weights that `dtype` can hold, still in fp32: what comes out is what a reader of the files has."""
    import torch

    wanted = getattr(torch, TORCH[dtype])
    with torch.no_grad():
        for name, one in model.named_parameters():
            rounded = one.to(wanted)
            if not torch.isfinite(rounded).all():
                what = f"{name} has weights that {dtype} cannot hold (largest {float(one.abs().max()):.3g})"
                raise ChejilError(what, mend="--dtype bf16 holds them, or fp32")
            one.copy_(rounded)


def _save(model: Any, part: Path, adapter: Adapter, base: BaseModel, dtype: Dtype) -> None:
    import torch
    from transformers import AutoConfig, GenerationConfig
    from transformers.utils import logging

    wanted = getattr(torch, TORCH[dtype])
    for one in model.parameters():
        one.data = one.data.to(wanted)
    model.config.dtype = wanted
    if base.kind == "rwkv":  # see lora.steady
        model.config.rescale_every = AutoConfig.from_pretrained(base.folder).rescale_every
    if merged_files.generation_of(adapter, base) is not None:  # copied as it stands, valid or not
        model.generation_config = GenerationConfig()
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(part, max_shard_size=MAX_SHARD)
    finally:
        if bars:
            logging.enable_progress_bar()


def _notes(found: list[Difference], dtype: str, untied: bool) -> list[str]:
    notes = []
    change, rounding = found[0].largest, found[2].largest if dtype != "fp32" else 0.0
    if change == 0:
        notes.append("the adapter changes nothing: it was never trained, or its B is all zero")
    elif rounding > change:
        notes.append(f"the rounding to {dtype} moves logits further than the adapter does: take --dtype fp32")
    if untied:
        notes.append(
            "the embedding was trained and the head was not: they are no longer tied in the merged model"
        )
    return notes
