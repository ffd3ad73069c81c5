"""How a plan is shown: what it costs first, then by which formula, memory, disk, data, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import RenderableType

from chejil import terminal
from chejil.training.planning import ledger_view, memory
from chejil.training.planning.compute_plan import ComputePlan, accumulation
from chejil.training.planning.ledger_view import short

PARTS = {
    "weights": "weights (fp32, sharded)",
    "gradients": "gradients (fp32, sharded)",
    "optimiser": "AdamW's moments (fp32, sharded)",
    "gathered": "whole layers and vocabulary, gathered",
    "activations": "activations",
    "logits": "logits and loss",
}


def plan(found: ComputePlan) -> Iterator[RenderableType]:
    """Tables and lines."""
    yield from _headline(found)
    yield from _formulas(found)
    yield from _parameters(found)
    yield from _memory(found)
    yield _disk(found)
    yield from _sources(found)
    for warned in found.warnings:
        yield f"warning: {warned.what}\n  mend: {warned.mend}"


def _headline(found: ComputePlan) -> Iterator[str]:
    hardware, seconds = found.hardware, found.hours * 3600
    yield (
        f"{found.config.name}: {_hours(found.cost.gpu_hours)} GPU hours, {_span(found.hours)} on {hardware.gpus:,} × "
        f"{hardware.device} at {hardware.mfu:.1%} MFU of {found.device.bf16_tflops:g} TFLOP/s ({found.device.source})"
    )
    rate, steps = found.tokens / seconds, found.config.steps
    yield (
        f"{short(found.tokens)} tokens in {steps:,} steps of {found.config.batch_tokens:,} tokens "
        f"({found.config.batch_rows:,} rows of {found.config.row_tokens:,}; "
        f"{accumulation(found.config, hardware.gpus):g} micro batches a GPU and step): "
        f"{rate:,.0f} tokens/s, {rate / hardware.gpus:,.0f} a GPU, {seconds / steps:,.3g} s a step"
    )


def _span(hours: float) -> str:
    if hours < 1:
        return f"{hours * 3600:,.3g} seconds"
    return f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:,.1f} hours"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def _formulas(found: ComputePlan) -> Iterator[RenderableType]:
    head = (
        "formula",
        "FLOPs a token>",
        "FLOPs>",
        "GPU hours at this MFU>",
        "MFU of these hours>",
        "what it counts",
    )
    rows = [
        (
            ("→ " if cost is found.cost else "  ") + cost.formula, f"{cost.flops_per_token:.4g}", f"{cost.flops:.4g}",
            _hours(cost.gpu_hours), f"{cost.mfu:.1%}", cost.about,
        )
        for cost in found.costs
    ]  # fmt: skip
    yield terminal.table(head, rows)
    yield "MFU = FLOPs a token · tokens/s / (GPUs · peak); → is the config's `flops`; recomputation counts nothing"


def _parameters(found: ComputePlan) -> Iterator[RenderableType]:
    model = found.model
    rows = [(kind, f"{count:,}", short(count)) for kind, count in model.counts().items()]
    yield terminal.table(("parameters", "count>", ">"), rows)
    tied = "tied: the output head is the embedding" if model.tied else "untied: embedding and output head"
    named = (
        f"; {short(model.named_parameters)} rounds `{model.named_count()}`" if model.named_parameters else ""
    )
    ratio = found.tokens / model.multiplying_parameters
    yield f"{tied}{named}; {ratio:,.0f} tokens a parameter of `body + one vocabulary matrix` (Chinchilla: 20)"


def _memory(found: ComputePlan) -> Iterator[RenderableType]:
    kinds = [
        ("→ " if kind == found.config.activation_checkpointing else "") + kind for kind in found.memories
    ]
    rows = [
        (PARTS[part], *(f"{asdict(one)[part] / 1e9:,.3f}" for one in found.memories.values()))
        for part in PARTS
    ]
    rows.append(("all", *(f"{one.total / 1e9:,.3f}" for one in found.memories.values())))
    yield terminal.table(("GB a GPU, by activation checkpointing", *(f"{kind}>" for kind in kinds)), rows)
    ranks = memory.ranks_of_a_copy(found.config, found.hardware.gpus)
    there = f" of {found.device.memory_gb:g} GB" if found.device.memory_gb else ""
    yield f"{found.memory.total / 1e9:,.1f} GB{there}; one copy of the weights is divided over {ranks} GPUs"


def _disk(found: ComputePlan) -> str:
    sizes, kept = memory.checkpoint_bytes(found.model), memory.kept_checkpoints(found.config)
    return (
        f"a checkpoint {sizes['checkpoint'] / 1e9:,.1f} GB (fp32 weights and moments), {kept} kept in the end: "
        f"{kept * sizes['checkpoint'] / 1e9:,.0f} GB; exported {sizes['export_bf16'] / 1e9:,.1f} GB in bf16, "
        f"{sizes['export_fp32'] / 1e9:,.1f} GB in fp32"
    )


def _sources(found: ComputePlan) -> Iterator[RenderableType]:
    if not found.sources:
        return
    heads = (
        "source",
        "bytes %>",
        "tokens %>",
        "tokens>",
        "unique>",
        "epochs>",
        "worth>",
        "bytes/token>",
        "sizes",
    )
    rows = [
        (
            row.source, f"{row.byte_share:.2%}", f"{row.token_share:.2%}", short(row.tokens),
            short(row.unique_tokens) if row.unique_tokens else "?",
            f"{row.epochs:.2f}" if row.epochs is not None else "?",
            f"{row.effective_tokens / row.tokens:.1%}" if row.effective_tokens is not None and row.tokens else "?",
            f"{row.bytes_per_token:.2f}" if row.bytes_per_token else "?",
            "measured" if row.measured else "expected",
        )
        for row in found.sources
    ]  # fmt: skip
    yield terminal.table(heads, rows)
    yield from ledger_view.summary(found.ledger)
