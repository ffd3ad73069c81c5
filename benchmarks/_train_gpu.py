"""The 1.3 B model on one GPU: rows of 4,096 tokens, bf16, compiled; MFU by every formula, and what takes the time.

The peak is that of planning/devices.yaml by the driver's name; of a device that is not in it there are tokens a second
and no MFU. The table of kernels goes to train-profile.txt in the folder that the benchmark is started in.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from _common import row
from torch.profiler import ProfilerActivity, profile
from train import Batch, Step, batches, config_of

from chejil.training.modelling import model_sizes
from chejil.training.planning import devices

ROW_TOKENS = 4096
WARM, STEPS = 4, 12
TRIES = ((8, "none"), (8, "selective"), (4, "none"), (4, "selective"), (4, "full"))
"""Rows at once and activation checkpointing; the first that fit are measured, then sdpa in their place."""


def rows(lengths: list[int]) -> list[dict[str, Any]]:
    """Tokens a second of flex, beside sdpa, and shares of the peak."""
    for number, checkpointing in TRIES:
        flex = _rate(lengths, number, checkpointing, "flex", write=True)
        if flex is not None:
            break
        print(f"does not fit: {number} rows, checkpointing {checkpointing}", file=sys.stderr)
    else:
        return []
    sdpa = _rate(lengths, number, checkpointing, "sdpa", write=False)
    name = f"1b3, {number} x {ROW_TOKENS}, bf16, compiled, {checkpointing}"
    found = [row(name, flex, sdpa, "ours with sdpa", "tok/s")]
    return found + _shares(name, flex)


def _rate(lengths: list[int], number: int, checkpointing: str, attention: str, write: bool) -> float | None:
    """Tokens a second, median of steps; None where the memory does not suffice."""
    config = config_of(
        "1b3", number, ROW_TOKENS, device="cuda", precision="bf16", compile=True, attention=attention,
        activation_checkpointing=checkpointing,
    )  # fmt: skip
    step = None
    try:
        step = Step(config)
        data = [batch.to("cuda") for batch in batches(config, lengths, WARM + STEPS, number)]
        times = [_seconds(step, batch) for batch in data][WARM:]
        if write:
            _profile(step, data[:3])
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        if step is not None:
            step.close()
        step = None
        torch.cuda.empty_cache()
    return number * ROW_TOKENS / statistics.median(times)


def _seconds(step: Step, batch: Batch) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    step(batch)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def _profile(step: Step, data: list[Batch]) -> None:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        for batch in data:
            _seconds(step, batch)
    table = found.key_averages().table(sort_by="self_cuda_time_total", row_limit=40)
    Path("train-profile.txt").write_text(table, "utf-8")


def _shares(name: str, tokens_per_second: float) -> list[dict[str, Any]]:
    """MFU by each formula."""
    driver = torch.cuda.get_device_name()
    known = devices.by_driver_name(driver)
    if known is None:
        print(f"no MFU: the peak of '{driver}' is not known", file=sys.stderr)
        return []
    peak = devices.device(known).peak_flops
    size = model_sizes.size("1b3")
    flops = {formula: size.flops_per_token(formula, ROW_TOKENS) for formula in model_sizes.FORMULAS}
    return [
        row(f"{known} MFU {formula}, {name}", 100 * tokens_per_second * one / peak, None, "–", "%")
        for formula, one in flops.items()
    ]
