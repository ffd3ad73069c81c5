"""How fast a training goes: tokens a second, MFU, what it waits for, memory, time left.

Time is divided into three: training, waiting for data (a part of training) and what stands aside of it, evaluation and
checkpoints. Tokens a second and MFU are of training without what stands aside, so that they say what a step costs and
do not jump where something is evaluated; shares say what the rest costs, and the time left has it in.

A GPU works behind the host's back: the host has queued a step long before it is done. So an interval ends, and what
stands aside begins and ends, with the device idle (`synchronise`): once in so many steps, not in each.

MFU is the model's FLOPs over what the devices could have done (Chowdhery et al. 2022, PaLM, appendix B). Its value
hangs on the formula and on the peak: for one published run five conventions give 19.8 to 26.5 %. So the formula, the
peak and where it stands are said with it (`MeasuredModel.about`); a device that is not in planning/devices.yaml has no
MFU, and none is made up for it. Recomputed activations are not counted.

This module does not need torch before it reads a GPU's name or memory.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chejil.training.config import PretrainConfig
from chejil.training.modelling.model_sizes import FORMULAS
from chejil.training.planning import devices

SMOOTHING = 0.3
"""Weight of the last interval in the pace that the time left is taken from."""


@dataclass(frozen=True)
class Peak:
    """What one device could do.

    Args:
        device: as its driver calls it.
        flops: FLOP/s; None where it is not known.
        source: where the peak stands, or why there is none.
    """

    device: str
    flops: float | None
    source: str


def peak(driver_name: str | None, precision: str = "bf16") -> Peak:
    """The peak of a device.

    Args:
        driver_name: of a GPU; None is a CPU.
        precision: of products; the table has peaks of bf16 alone.

    >>> peak("NVIDIA A100-SXM4-80GB")
    Peak(device='NVIDIA A100-SXM4-80GB', flops=312000000000000.0, source='NVIDIA A100 data sheet')
    >>> peak(None)
    Peak(device='CPU', flops=None, source='the peak of a CPU is not known')
    """
    if driver_name is None:
        return Peak("CPU", None, "the peak of a CPU is not known")
    if precision != "bf16":
        return Peak(driver_name, None, f"peaks are of bf16, and this training is in {precision}")
    name = devices.by_driver_name(driver_name)
    if name is None:
        return Peak(driver_name, None, f"the peak of '{driver_name}' is not known (planning/devices.yaml)")
    known = devices.device(name)
    return Peak(driver_name, known.peak_flops, known.source)


@dataclass(frozen=True)
class MeasuredModel:
    """What MFU is made of: FLOPs of a token by a formula of FORMULAS, the peak of a device, and how many there are."""

    formula: str
    flops_per_token: int
    peak: Peak
    num_devices: int

    def mfu(self, tokens_per_second: float) -> float | None:
        """Of tokens a second over all devices; None where the peak is not known.

        >>> a100 = peak("NVIDIA A100-SXM4-80GB")
        >>> published = MeasuredModel("6n-named", 6 * 1_300_000_000, a100, 256)
        >>> round(published.mfu(1.4e12 / (8 * 24 * 3600)), 3)
        0.198
        """
        if self.peak.flops is None:
            return None
        return tokens_per_second * self.flops_per_token / (self.num_devices * self.peak.flops)

    def about(self) -> dict[str, Any]:
        """For the first record: with it every MFU that follows can be computed again."""
        return {
            "device": self.peak.device,
            "num_devices": self.num_devices,
            "peak_tflops": self.peak.flops / 1e12 if self.peak.flops else None,
            "peak_source": self.peak.source,
            "flops_formula": self.formula,
            "flops_formula_says": FORMULAS[self.formula],
            "flops_per_token": self.flops_per_token,
            "mfu_says": self.sentence(),
        }

    def sentence(self) -> str:
        """What MFU is of, or why there is none."""
        if self.peak.flops is None:
            return f"no MFU: {self.peak.source}"
        return (
            f"MFU: {self.flops_per_token / 1e9:.4g} GFLOP a token ({self.formula}), of {self.num_devices:,} × "
            f"{self.peak.flops / 1e12:g} TFLOP/s ({self.peak.source})"
        )


def measured(config: PretrainConfig, driver_name: str | None, num_devices: int) -> MeasuredModel:
    """The config's model and formula on so many devices; see `peak` for the driver's name."""
    flops = config.model.resolved().flops_per_token(config.flops, config.row_tokens)
    return MeasuredModel(config.flops, flops, peak(driver_name, config.precision), num_devices)


def driver_name(device: Any) -> str | None:
    """What the driver of a torch.device calls it; None of a CPU."""
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.get_device_name(device)


@dataclass
class Meter:
    """Measures a training on one rank, whose clock stands for all: steps end together.

        with meter.waiting():
            rows = batches.batch(step)
        …
        meter.add(config.batch_tokens)          # after each step
        with meter.aside("evaluation"):
            …
        record = meter.interval(step)           # the loss has been read: the device is done

    Args:
        model: what MFU is made of.
        num_steps: of the whole training.
        device: torch.device whose memory is read; None is a CPU.
        clock: seconds.
    """

    model: MeasuredModel
    num_steps: int
    device: Any = None
    clock: Callable[[], float] = time.perf_counter
    _tokens: int = field(default=0, init=False)
    _steps: int = field(default=0, init=False)
    _all_steps: int = field(default=0, init=False)
    _intervals: int = field(default=0, init=False)
    _spent: dict[str, float] = field(default_factory=dict, init=False)
    _all_aside: float = field(default=0.0, init=False)
    _pace: float | None = field(default=None, init=False)
    _aside: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._begin = self.clock()

    def add(self, tokens: int) -> None:
        """A step is done.

        Args:
            tokens: of all ranks: places of rows, padding too, since it is computed like the rest.
        """
        self._tokens += tokens
        self._steps += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The block waits for data. Within what stands aside it is a part of that."""
        begin = self.clock()
        try:
            yield
        finally:
            if self._aside is None:
                self._spend("data_wait", self.clock() - begin)

    @contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """The block is no training: `evaluation` or `checkpoint`. Within another one it is a part of that."""
        if self._aside is not None:
            yield
            return
        synchronise(self.device)
        begin, self._aside = self.clock(), name
        try:
            yield
        finally:
            synchronise(self.device)
            self._aside = None
            self._spend(name, self.clock() - begin)

    def interval(self, step: int) -> dict[str, Any]:
        """What a record says of the time since the last one, which ends here.

        Args:
            step: steps that are done.
        """
        synchronise(self.device)
        seconds = self.clock() - self._begin
        aside = sum(spent for name, spent in self._spent.items() if name != "data_wait")
        training = max(seconds - aside, 1e-9)
        rate = self._tokens / training
        found = {
            "seconds": seconds,
            "tokens_per_second": rate,
            "tokens_per_second_device": rate / self.model.num_devices,
            "mfu": self.model.mfu(rate),
            "data_wait_share": self._spent.get("data_wait", 0.0) / training,
            "evaluation_share": self._spent.get("evaluation", 0.0) / max(seconds, 1e-9),
            "checkpoint_share": self._spent.get("checkpoint", 0.0) / max(seconds, 1e-9),
            **memory(self.device),
        }
        self._next(training, aside)
        return found | {"seconds_left": self._seconds_left(step)}

    def _spend(self, name: str, seconds: float) -> None:
        self._spent[name] = self._spent.get(name, 0.0) + seconds

    def _next(self, training: float, aside: float) -> None:
        if self._steps:
            pace, self._intervals = training / self._steps, self._intervals + 1
            # The first interval has compilation in it: the second one takes its place.
            before = pace if self._pace is None or self._intervals <= 2 else self._pace
            self._pace = before + SMOOTHING * (pace - before)
        self._all_steps += self._steps
        self._all_aside += aside
        self._tokens, self._steps, self._spent, self._begin = 0, 0, {}, self.clock()

    def _seconds_left(self, step: int) -> float | None:
        if self._pace is None:
            return None
        return max(self.num_steps - step, 0) * (self._pace + self._all_aside / self._all_steps)


def synchronise(device: Any) -> None:
    """Wait until a GPU has done all that was queued; nothing on a CPU."""
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def memory(device: Any = None) -> dict[str, Any]:
    """Peak memory since the beginning: of a GPU as its allocator counts it, else of this process.

    Reserved is what nobody else can have; allocated what tensors took of it. Much more reserved than allocated is
    fragmentation.
    """
    if device is None or device.type != "cuda":
        return {"memory_of": "process", "memory_bytes": peak_resident_bytes(), "memory_reserved_bytes": None}
    import torch

    return {
        "memory_of": "device",
        "memory_bytes": torch.cuda.max_memory_allocated(device),
        "memory_reserved_bytes": torch.cuda.max_memory_reserved(device),
    }


def peak_resident_bytes() -> int | None:
    """The largest resident memory that this process has had; None where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # not ru_maxrss: on Linux it begins with that of the process that forked this one
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found[1]) * 1024 if found else None
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
