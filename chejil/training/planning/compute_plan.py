"""What a pretraining costs, before it is begun: FLOPs, time, memory, disk, epochs, and what is wrong with it.

    MFU = FLOPs a token · tokens a second / (GPUs · peak of a GPU)
    GPU hours = FLOPs a token · tokens / (peak · MFU) / 3600

FLOPs a token are those of the config's formula (model_sizes.FORMULAS), the peak is that of dense bf16 products by the
data sheet (devices.yaml). Other formulas stand beside it, since the same run has another MFU under each: the published
run took 49,152 A100 hours (256 GPUs, 8 days), 19.8 % by 6·1.3e9·1.4e12 / (49,152 h · 312 TFLOP/s), 20.3 % with the
1.336 B weights that multiply, 26.5 % as PaLM counts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.data import token_sizes
from chejil.training.modelling.model_sizes import FORMULAS, ModelSize
from chejil.training.planning import epoch_ledger, epochs, memory, plan_warnings
from chejil.training.planning.devices import Device
from chejil.training.planning.devices import device as known_device
from chejil.training.planning.epoch_ledger import EpochLedger
from chejil.training.planning.epochs import SourceEpochs
from chejil.training.planning.memory import Memory
from chejil.training.planning.plan_warnings import Warned


@dataclass(frozen=True)
class Hardware:
    """What a plan is made for.

    Args:
        gpus: of the training.
        device: its name.
        mfu: model FLOPs utilisation by the config's formula, 0 to 1.
        peak_tflops: overrules the data sheet; needed where the device is not known.
    """

    gpus: int = 1
    device: str = "a100-80g"
    mfu: float = 0.4
    peak_tflops: float | None = None


@dataclass(frozen=True)
class FormulaCost:
    """A run by one convention: FLOPs, hours at the plan's MFU, and what MFU the plan's hours are by it."""

    formula: str
    about: str
    flops_per_token: int
    flops: float
    gpu_hours: float
    mfu: float


@dataclass(frozen=True)
class ComputePlan:
    """A plan; bytes are of one GPU where they are memory."""

    config: PretrainConfig
    hardware: Hardware
    device: Device
    model: ModelSize
    costs: list[FormulaCost]
    memories: dict[str, Memory]
    sources: list[SourceEpochs]
    ledger: EpochLedger
    warnings: list[Warned] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Trained on: whole steps."""
        return self.config.steps * self.config.batch_tokens

    @property
    def cost(self) -> FormulaCost:
        """By the config's formula."""
        return next(cost for cost in self.costs if cost.formula == self.config.flops)

    @property
    def hours(self) -> float:
        """Of wall clock."""
        return self.cost.gpu_hours / self.hardware.gpus

    @property
    def memory(self) -> Memory:
        """With the config's checkpointing."""
        return self.memories[self.config.activation_checkpointing]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        config, model = self.config, self.model
        seconds = self.hours * 3600
        return {
            "name": config.name,
            "gpu_hours": self.cost.gpu_hours,
            "hours": self.hours,
            "days": self.hours / 24,
            "tokens_per_second": self.tokens / seconds,
            "tokens_per_second_per_gpu": self.tokens / seconds / self.hardware.gpus,
            "seconds_per_step": seconds / config.steps,
            "hardware": {**asdict(self.hardware), **self.device.model_dump(exclude={"names"})},
            "mfu_formula": f"FLOPs a token ({config.flops}) · tokens a second / (GPUs · peak)",
            "flops": asdict(self.cost),
            "formulas": [asdict(cost) for cost in self.costs],
            "model": model.model_dump(),
            "parameters": {
                **model.counts(),
                "named": model.named_parameters,
                "named_is": model.named_count(),
                "embedding": model.embedding_parameters,
                "tied": model.tied,
            },
            "steps": config.steps,
            "tokens": self.tokens,
            "tokens_per_parameter": self.tokens / model.multiplying_parameters,
            "batch": {
                "tokens": config.batch_tokens, "rows": config.batch_rows, "row_tokens": config.row_tokens,
                "accumulation_steps": accumulation(config, self.hardware.gpus),
            },
            "memory": {**asdict(self.memory), "total": self.memory.total},
            "memory_by_checkpointing": {
                kind: {**asdict(one), "total": one.total} for kind, one in self.memories.items()
            },
            "ranks_of_a_copy": memory.ranks_of_a_copy(config, self.hardware.gpus),
            "disk": {**memory.checkpoint_bytes(model), "kept_checkpoints": memory.kept_checkpoints(config)},
            "sources": [asdict(row) for row in self.sources],
            "effective_tokens": self.effective_tokens,
            "ledger": asdict(self.ledger),
            "warnings": [asdict(warned) for warned in self.warnings],
        }  # fmt: skip

    @property
    def effective_tokens(self) -> int | None:
        """What all tokens are worth in new ones; None where that of a source is not known."""
        known = [row.effective_tokens for row in self.sources if row.effective_tokens is not None]
        return sum(known) if known and len(known) == len(self.sources) else None


def plan(config: PretrainConfig, hardware: Hardware) -> ComputePlan:
    """The plan of a training.

    Raises:
        ChejilError: an unknown device, numbers that cannot be, or files that the config names and that are damaged.
    """
    _refuse_impossible(hardware)
    config, model = config.with_mixture(), config.model.resolved()
    device = known_device(hardware.device, hardware.peak_tflops)
    sizes = token_sizes.read(config.tokens)
    tokens = config.steps * config.batch_tokens
    found = ComputePlan(
        config=config,
        hardware=hardware,
        device=device,
        model=model,
        costs=_costs(config, model, hardware, device, tokens),
        memories={kind: memory.of_gpu(config, model, hardware.gpus, kind) for kind in memory.CHECKPOINTING},
        sources=epochs.ledger(config.mixture, config.expected, sizes, tokens),
        ledger=epoch_ledger.of(config.mixture, config.expected, sizes, tokens),
    )
    found.warnings.extend(
        plan_warnings.of(config, model, hardware.gpus, device, found.memory, found.sources, sizes)
    )
    return found


def gpu_hours(flops: float, peak_flops: float, mfu: float) -> float:
    """Hours of one GPU.

    >>> round(gpu_hours(6 * 1.3e9 * 1.4e12, 312e12, 0.19779911747685186))  # the published run
    49152
    """
    return flops / (peak_flops * mfu) / 3600


def mfu(flops: float, peak_flops: float, hours: float) -> float:
    """Model FLOPs utilisation of a run that took so many GPU hours.

    >>> round(mfu(6 * 1.3e9 * 1.4e12, 312e12, 49_152), 3)
    0.198
    """
    return flops / (peak_flops * hours * 3600)


def accumulation(config: PretrainConfig, gpus: int) -> float:
    """Micro batches of a rank in a step; a whole number, or the batch does not divide."""
    return config.batch_rows / (gpus * config.micro_batch_rows)


def _costs(
    config: PretrainConfig, model: ModelSize, hardware: Hardware, device: Device, tokens: int
) -> list[FormulaCost]:
    """The run by every formula that the model has numbers for."""
    usable = [name for name in FORMULAS if name != "6n-named" or model.named_parameters is not None]
    per_token = {name: model.flops_per_token(name, config.row_tokens) for name in {*usable, config.flops}}
    hours = gpu_hours(per_token[config.flops] * tokens, device.peak_flops, hardware.mfu)
    return [
        FormulaCost(
            formula=name,
            about=FORMULAS[name],
            flops_per_token=per_token[name],
            flops=float(per_token[name] * tokens),
            gpu_hours=gpu_hours(per_token[name] * tokens, device.peak_flops, hardware.mfu),
            mfu=mfu(per_token[name] * tokens, device.peak_flops, hours),
        )
        for name in usable
    ]


def _refuse_impossible(hardware: Hardware) -> None:
    if not 0 < hardware.mfu <= 1:
        mend = "0.4 is usual; the published run had 0.198"
        raise ChejilError(f"an MFU of {hardware.mfu:g}: it is a share above 0, at most 1", mend=mend)
    if hardware.gpus < 1:
        raise ChejilError(f"{hardware.gpus} GPUs", mend="give --gpus 1 or more")
    if hardware.peak_tflops is not None and not 0 < hardware.peak_tflops < 1e6:
        mend = "give TFLOP/s of dense bf16 products: an A100 has 312"
        raise ChejilError(f"a peak of {hardware.peak_tflops:g} TFLOP/s", mend=mend)
