"""Where a model runs: the freest GPU that it fits on, Apple's GPU, else the CPU.

Free memory is asked of the driver (`torch.cuda.mem_get_info`), by number: no text of nvidia-smi is read, so GPU 10 is
GPU 10, and CUDA_VISIBLE_DEVICES holds. Asking a GPU makes a context there, some 0.5 GB that stay until the process
ends; so of several GPUs a child process asks, and nothing is left on those that are not chosen (2 to 5 s, the import of
torch). A GPU that cannot be asked (all its memory taken, or held by another process alone) is passed over.

That all GPUs are busy is no error: the model runs on the CPU and a note says so. A device that is named is taken as it
is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chejil.errors import ChejilError

WORKSPACE_BYTES = 1 << 30
"""Beside weights and cache: CUDA's context (about 0.5 GB), the libraries' workspace, activations of a prompt."""

_ASK = """
import json, torch
found = []
for number in range(torch.cuda.device_count()):
    try:
        free, total = torch.cuda.mem_get_info(number)
    except Exception:
        free, total = 0, 0
    found.append([torch.cuda.get_device_name(number), free, total])
print("GPUS", json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU; both sizes are 0 where it cannot be asked."""

    number: int
    name: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What a process can compute on beside the CPU."""

    gpus: tuple[Gpu, ...] = ()
    has_mps: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A device as torch names it, and what is to be said about it."""

    device: str
    note: str | None = None


def machine() -> Machine:
    """This one."""
    import torch

    number = torch.cuda.device_count()  # asks the driver without making a context
    backend: Any = getattr(torch.backends, "mps", None)
    rows = _in_a_child() if number > 1 else [_row(torch, one) for one in range(number)]
    gpus = tuple(Gpu(one, *row) for one, row in enumerate(rows))
    return Machine(gpus, backend is not None and backend.is_available())


def _row(torch: Any, number: int) -> tuple[str, int, int]:
    try:
        free, total = torch.cuda.mem_get_info(number)
        return torch.cuda.get_device_name(number), free, total
    except RuntimeError:  # out of memory, in exclusive use, a driver that is too old
        return "GPU", 0, 0


def _in_a_child() -> list[tuple[str, int, int]]:
    try:
        done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=120)
        lines = [line for line in done.stdout.splitlines() if line.startswith("GPUS ")]
        return [(name, free, total) for name, free, total in json.loads(lines[-1].removeprefix("GPUS "))]
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return []


def choose(asked: str, needed_bytes: int, found: Machine, passed_over: Sequence[str] = ()) -> Choice:
    """Where to run.

    Args:
        asked: `auto`, `cpu`, `mps`, `cuda` (the freest) or `cuda:NUMBER`.
        needed_bytes: weights and key-value cache.
        passed_over: devices that turned out to be full.

    Raises:
        ChejilError: there is no such device.
    """
    if asked in ("auto", "cuda"):
        if asked == "cuda" and not found.gpus:
            raise ChejilError("there is no CUDA device", mend="--device auto, or cpu")
        return _freest(asked, needed_bytes, found, passed_over)
    if asked == "cpu" or (asked == "mps" and found.has_mps):
        return Choice(asked)
    numbers = [gpu.number for gpu in found.gpus]
    number = asked.removeprefix("cuda:")
    if asked.startswith("cuda:") and number.isdecimal() and int(number) in numbers:
        return Choice(f"cuda:{int(number)}")
    known = ["auto", "cpu", *(["mps"] if found.has_mps else []), *(f"cuda:{one}" for one in numbers)]
    raise ChejilError(f"there is no device '{asked[:40]}'", mend=f"one of {', '.join(known)}")


def _freest(asked: str, needed_bytes: int, found: Machine, passed_over: Sequence[str]) -> Choice:
    gpus = [gpu for gpu in found.gpus if f"cuda:{gpu.number}" not in passed_over]
    # Of equally free ones the first: max() keeps it.
    best = max(gpus, key=lambda gpu: gpu.free_bytes, default=None)
    if best is not None and (best.free_bytes >= needed_bytes + WORKSPACE_BYTES or asked == "cuda"):
        return Choice(f"cuda:{best.number}")
    if found.has_mps and "mps" not in passed_over:
        return Choice("mps")
    return Choice("cpu", _busy(needed_bytes, found.gpus) if found.gpus else None)


def _busy(needed_bytes: int, gpus: Sequence[Gpu]) -> str:
    free = ", ".join(f"{gpu.number}: {_gib(gpu.free_bytes)}" for gpu in gpus)
    needs = _gib(needed_bytes + WORKSPACE_BYTES)
    return f"no GPU has the {needs} GiB free that this model needs (GiB free of {free}): it runs on the CPU"


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f}"
