"""What is wrong with a plan, or likely to be: each with how to mend it; also what a training would be refused for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

from chejil.training.config import PretrainConfig
from chejil.training.data.token_sizes import TokenSizes
from chejil.training.modelling.model_sizes import ModelSize
from chejil.training.planning.devices import Device
from chejil.training.planning.epochs import MANY_EPOCHS, SourceEpochs
from chejil.training.planning.memory import FITS_SHARE, Memory, ranks_of_a_copy

SHORT_DOCUMENT_SHARE = 0.25
"""Documents shorter than this share of a row, on the mean, leave most of what attention could see to others."""


@dataclass(frozen=True)
class Warned:
    """A warning: a name for programs, what is wrong, how to mend it."""

    kind: str
    what: str
    mend: str


def of(
    config: PretrainConfig,
    model: ModelSize,
    gpus: int,
    device: Device,
    memory: Memory,
    sources: Sequence[SourceEpochs],
    sizes: TokenSizes,
) -> list[Warned]:
    """All warnings."""
    return [
        *_vocabulary(config, model, gpus, sizes),
        *_batch(config, gpus),
        *_sharding(config, gpus),
        *_memory(memory, device),
        *_epochs(sources),
        *_documents(config, sizes),
        *_absent(sources, sizes),
    ]


def _vocabulary(config: PretrainConfig, model: ModelSize, gpus: int, sizes: TokenSizes) -> Iterator[Warned]:
    ranks = ranks_of_a_copy(config, gpus)
    if model.vocab % gpus:
        what = f"the vocabulary of {model.vocab:,} does not divide by {gpus} GPUs ({model.vocab / gpus:,.1f} rows each)"
        near = -(-model.vocab // lcm(gpus, 64)) * lcm(gpus, 64)
        mend = f"model.vocab={near} ({near // gpus} rows each): uneven shards resumed wrongly in torchtitan (#1136)"
        if model.vocab % ranks == 0:
            mend = (
                f"none as long as groups of {ranks} share the weights; for fsdp over all, model.vocab={near}"
            )
        yield Warned("vocabulary", what, mend)
    elif model.vocab % 64:
        what = f"the vocabulary of {model.vocab:,} is no multiple of 64: matrix units work in blocks"
        yield Warned("vocabulary", what, f"model.vocab={-(-model.vocab // 64) * 64}")
    if sizes.num_ids is not None and sizes.num_ids > model.vocab:
        what = f"the tokenizer has {sizes.num_ids:,} ids, the model {model.vocab:,}: the training is refused"
        yield Warned("tokenizer", what, f"model.vocab={-(-sizes.num_ids // 64) * 64} or more")


def _batch(config: PretrainConfig, gpus: int) -> Iterator[Warned]:
    rows, at_once = config.batch_rows, gpus * config.micro_batch_rows
    if rows % at_once:
        what = (
            f"a batch of {rows:,} rows does not divide by {gpus} GPUs of {config.micro_batch_rows} rows each"
        )
        near = max(1, round(rows / at_once)) * at_once * config.row_tokens
        mend = f"batch_tokens={near} ({near // config.row_tokens} rows)"
        yield Warned("batch", what, mend if rows >= at_once else f"{mend}, or fewer GPUs")


def _sharding(config: PretrainConfig, gpus: int) -> Iterator[Warned]:
    ranks = ranks_of_a_copy(config, gpus)
    if gpus % ranks:
        what = f"{gpus} GPUs do not divide into groups of {ranks}"
        yield Warned("sharding", what, "sharding.group_ranks that divides the GPUs")


def _memory(memory: Memory, device: Device) -> Iterator[Warned]:
    if device.memory_gb is None:
        what = "the memory of the device is not known: whether the plan fits is not checked"
        yield Warned("memory", what, f"it needs {memory.total / 1e9:,.1f} GB a GPU, and about a tenth more")
    elif memory.total > FITS_SHARE * device.memory_gb * 1e9:
        what = (
            f"{memory.total / 1e9:,.1f} GB a GPU do not fit into {device.memory_gb:g} GB with 10 % to spare"
        )
        yield Warned("memory", what, _memory_mend(memory))


def _memory_mend(memory: Memory) -> str:
    """By what takes most."""
    parts = {
        "activations": "activation_checkpointing=selective or full, or fewer micro_batch_rows",
        "logits": "fewer micro_batch_rows",
        "optimiser": "more GPUs, or sharding.kind=fsdp",
        "gathered": "sharding.reshard_after_forward=true",
    }
    return parts[max(parts, key=lambda part: getattr(memory, part))]


def _epochs(sources: Sequence[SourceEpochs]) -> Iterator[Warned]:
    for row in sources:
        if row.epochs is not None and row.max_epochs is not None and row.epochs > row.max_epochs:
            read = f"{row.source} is read {row.epochs:.3g} times"
            what = f"{read}, its cap is {row.max_epochs:g}: the training is refused"
            mend = f"lower its weight to {row.max_epochs / row.epochs:.2g} of what it is, or raise max_epochs"
            yield Warned("epoch_cap", what, mend)
        elif row.epochs is not None and row.epochs > MANY_EPOCHS and row.effective_tokens is not None:
            worth = row.effective_tokens / row.tokens
            what = (
                f"{row.source} is read {row.epochs:.3g} times: its tokens are worth {worth:.0%} of new ones"
            )
            yield Warned("epochs", what, f"lower its weight to {MANY_EPOCHS / row.epochs:.2g} of what it is")
    unknown = [row.source for row in sources if row.epochs is None]
    if unknown:
        what = f"nobody says how many tokens there are of {', '.join(unknown)}: epochs are not known"
        yield Warned("unknown_size", what, "encode them, or give expected.SOURCE.tokens")


def _documents(config: PretrainConfig, sizes: TokenSizes) -> Iterator[Warned]:
    for (source, lang), size in sorted(sizes.groups.items()):
        mean = size.tokens / size.documents if size.documents else 0
        if 0 < mean < SHORT_DOCUMENT_SHARE * config.row_tokens:
            what = f"documents of {source}/{lang} have {mean:,.0f} tokens on the mean, a row {config.row_tokens:,}"
            mend = "a shorter context_tokens costs less attention: documents do not see one another"
            yield Warned("context", what, mend)


def _absent(sources: Sequence[SourceEpochs], sizes: TokenSizes) -> Iterator[Warned]:
    missing = [row.source for row in sources if not row.measured and not sizes.absent]
    if missing:
        what = f"the token shards hold nothing of {', '.join(missing)}: the training is refused"
        yield Warned("missing_source", what, "encode it, or take it out of the weights")
    for folder in sizes.absent:
        what = f"no token shards in {folder} yet: sizes are those that `expected` says"
        yield Warned("tokens", what, f"chejil encode … --out {folder}")
