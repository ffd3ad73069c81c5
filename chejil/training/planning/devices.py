"""Devices: the peak that MFU is measured against. A device that is not known is said to be unknown, never guessed."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean


class Device(BaseModel):
    """A device by its data sheet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bf16_tflops: float = Field(gt=0, description="Peak of dense bf16 products, TFLOP/s.")
    memory_gb: float | None = Field(None, gt=0, description="1e9 bytes; null: unknown.")
    names: tuple[str, ...] = Field((), description="Parts of the names by which drivers call it.")
    source: str = Field(description="Where the peak stands.")

    @property
    def peak_flops(self) -> float:
        """FLOP/s."""
        return self.bf16_tflops * 1e12


@cache
def devices() -> dict[str, Device]:
    """The devices of devices.yaml by name."""
    text = (resources.files("chejil.training.planning") / "devices.yaml").read_text("utf-8")
    return {name: Device.model_validate(fields) for name, fields in yaml.safe_load(text).items()}


def device(name: str, peak_tflops: float | None = None) -> Device:
    """A device by its name.

    Args:
        peak_tflops: overrules the data sheet, and stands in for a device that is not known.

    Raises:
        ChejilError: it is not known and no peak is given.
    """
    known = devices().get(name)
    if peak_tflops is not None:
        memory = known.memory_gb if known else None
        return Device(bf16_tflops=peak_tflops, memory_gb=memory, source="--peak-tflops")
    if known is None:
        mend = f"{did_you_mean(name, devices())} Or give --peak-tflops: dense bf16, without sparsity"
        raise ChejilError(f"no device '{name}' is known", mend=mend)
    return known


def by_driver_name(driver_name: str) -> str | None:
    """The device that a driver calls so; None if it is not known.

    >>> by_driver_name("NVIDIA H100 80GB HBM3")
    'h100-sxm'
    """
    words = f" {driver_name} ".casefold()
    fitting = [
        (len(part), name)
        for name, known in devices().items()
        for part in known.names
        # A whole word: "NVIDIA L4" is no L40S, and "B200" no GB200.
        if f" {part} ".casefold() in words
    ]
    return max(fitting)[1] if fitting else None
