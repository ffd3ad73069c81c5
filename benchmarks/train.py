"""A step of our training beside the same model in the plain transformers Trainer: tokens a second, on packed rows.

Both get the same rows, weights, AdamW (fused), clipping and precision, and keep documents apart; their first losses are
compared, so that both do the same work. On the CPU: one thread, fp32, seconds of the processor, and runs of the two in
turn; medians of steps. Documents have the lengths of Korean and English web text (--corpus), at 5 bytes a token, their
tokens are random: no step asks what they are.

Where there is a GPU, _train_gpu.py measures the 1.3 B model on it. What could not be measured is said on stderr.
"""

from __future__ import annotations

from _common import arguments, one_core, row, show, texts  # isort: skip

one_core()

import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

from chejil.training.config import PretrainConfig  # noqa: E402
from chejil.training.data.rows import IGNORED  # noqa: E402
from chejil.training.loop.prefetch import DeviceRows  # noqa: E402

BYTES_PER_TOKEN = 5
WARM, ROUNDS = 2, 3
CASES = (("debug", 8, 256, 12), ("20m", 1, 2048, 2))
"""Model, rows, tokens of a row, steps of a round that are counted."""


@dataclass
class Batch:
    """Rows as `Rows` has them, as tensors: (B, T)."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor

    @property
    def rows(self) -> DeviceRows:
        """As the loop has them; of one source, bytes are not asked."""
        nothing = torch.zeros(len(self.ids), dtype=torch.int64, device=self.ids.device)
        learnt = (self.labels != IGNORED).sum(1)
        return DeviceRows(self.ids, self.labels, self.positions, nothing, nothing, learnt)

    def to(self, device: str) -> Batch:
        """On another device."""
        return Batch(*(one.to(device) for one in (self.ids, self.positions, self.labels)))


def batches(config: PretrainConfig, lengths: list[int], number: int, rows: int) -> list[Batch]:
    """Batches of packed documents, cut where rows end."""
    random, row_tokens, left = np.random.default_rng(1), config.row_tokens, iter(lengths * 100)
    vocab = config.model.resolved().vocab

    def positions() -> np.ndarray:
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < row_tokens:
            parts.append(np.arange(next(left)))
        return np.concatenate(parts)[:row_tokens]

    def batch() -> Batch:
        places = np.stack([positions() for _ in range(rows)])
        ids = random.integers(0, vocab, (rows, row_tokens + 1))
        labels = np.where(np.pad(places[:, 1:], ((0, 0), (0, 1))) == 0, -100, ids[:, 1:])
        return Batch(*(torch.from_numpy(np.ascontiguousarray(one)) for one in (ids[:, :-1], places, labels)))

    return [batch() for _ in range(number)]


def config_of(size: str, rows: int, row_tokens: int, **more: Any) -> PretrainConfig:
    fields = {"device": "cpu", "precision": "fp32", "compile": False, "sharding": {"kind": "none"}}
    fields |= {"spikes": {"sigma": None}, **more}  # random tokens have no usual loss
    return PretrainConfig.model_validate(
        {
            "name": "benchmark", "model": size, "tokens": "none", "context_tokens": row_tokens,
            "batch_tokens": rows * row_tokens, "micro_batch_rows": rows, "total_tokens": 10**9,
            "schedule": {"learning_rate": 1e-4}, **fields,
        }
    )  # fmt: skip


class Step:
    """The loop's own step, on one process; close it before the next one is made."""

    def __init__(self, config: PretrainConfig) -> None:
        from chejil.training.loop.building import build
        from chejil.training.loop.optimiser import adamw
        from chejil.training.loop.parallel import joined
        from chejil.training.loop.spike_guard import Guard
        from chejil.training.loop.step import Stepper

        self._left = ExitStack()
        world = self._left.enter_context(joined(config))
        model = build(config, world)
        optimiser = adamw(model, config, world.device)
        self._stepper, self._number = Stepper(config, world, model, optimiser, Guard(config.spikes)), 0

    def __call__(self, batch: Batch) -> float:
        """The mean loss, when the step is done."""
        taken = self._stepper.take(self._number, batch.rows, num_streams=1)
        self._number += 1
        return taken.loss

    def close(self) -> None:
        """Leave the process group."""
        self._left.close()


def ours(step: Step, data: list[Batch]) -> tuple[list[float], float]:
    """Seconds of each step but the first, and the first loss."""
    times, losses = [], []
    for batch in data:
        start = time.process_time()
        losses.append(step(batch))
        times.append(time.process_time() - start)
    step.close()
    return times[WARM:], losses[0]


def trainer(config: PretrainConfig, data: list[Batch]) -> tuple[list[float], float] | None:
    """The same of the Trainer, from one step's end to the next's, or None if it is not installed."""
    if find_spec("accelerate") is None:
        return None
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.utils import logging

    from chejil.training.modelling.llama import build

    logging.set_verbosity_error()
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    settings = config.optimiser
    with tempfile.TemporaryDirectory() as folder:
        plain = TrainingArguments(
            folder, use_cpu=True, per_device_train_batch_size=config.micro_batch_rows, max_steps=len(data),
            optim="adamw_torch_fused", learning_rate=config.schedule.learning_rate, lr_scheduler_type="constant",
            adam_beta1=settings.betas[0], adam_beta2=settings.betas[1], weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm or 1.0, logging_strategy="steps", logging_steps=1,
            save_strategy="no", report_to="none", disable_tqdm=True, dataloader_num_workers=0,
            dataloader_pin_memory=False,
        )  # fmt: skip
        model = build(config.model_copy(update={"attention": "sdpa"}))  # transformers' default
        model.config.use_cache = False  # with a cache, documents of a row see one another
        peer = Trainer(model, plain, train_dataset=_rows(data), callbacks=[Clock()])
        peer._get_train_sampler = lambda *_, **__: None  # type: ignore[method-assign]  # the rows in their order
        _silent(peer)
        peer.train()
    first = next(said["loss"] for said in peer.state.log_history if "loss" in said)
    return list(np.diff(ends)[WARM - 1 :]), float(first)


def _silent(peer: Any) -> None:
    """Its log keeps what it says, and nothing is printed into the table."""
    from transformers.trainer_callback import PrinterCallback

    peer.remove_callback(PrinterCallback)


def _rows(data: list[Batch]) -> list[dict[str, torch.Tensor]]:
    """Rows as transformers wants them: it moves labels by one place itself."""
    return [
        {"input_ids": ids, "position_ids": places, "labels": torch.nn.functional.pad(labels, (1, 0), value=-100)[:-1]}
        for batch in data
        for ids, places, labels in zip(batch.ids, batch.positions, batch.labels, strict=True)
    ]  # fmt: skip


def cpu_row(case: tuple[str, int, int, int], lengths: list[int]) -> dict[str, Any]:
    """Tokens a second of a case, ours and the Trainer's in turn."""
    size, rows, row_tokens, steps = case
    config = config_of(size, rows, row_tokens)
    data = batches(config, lengths, WARM + steps, rows)
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        times, loss = ours(Step(config), data)
        mine += times
        found = trainer(config, data)
        if found:
            theirs += found[0]
            assert abs(found[1] - loss) < 1e-2, f"not the same work: losses {loss} and {found[1]}"
    tokens = rows * row_tokens
    peer = tokens / statistics.median(theirs) if theirs else None
    name = f"{size}, {rows} x {row_tokens}, fp32, one thread"
    return row(name, tokens / statistics.median(mine), peer, "transformers Trainer", "tok/s")


def main() -> None:
    """Print what was measured, and say what was not."""
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    documents = [
        text
        for shards in ("mc4-ko", "c4-en")
        for text in texts(options.corpus, shards, options.megabytes / 4)
    ]
    lengths = [max(1, len(text.encode()) // BYTES_PER_TOKEN) for text in documents]
    lengths = np.random.default_rng(1).permutation(lengths).tolist()
    rows = [cpu_row(case, lengths) for case in CASES]
    if torch.cuda.is_available():
        import _train_gpu

        rows += _train_gpu.rows(lengths)
    else:
        print(
            "not measured, there is no GPU: 1b3 at 4,096 tokens, bf16, flex attention, MFU, profile",
            file=sys.stderr,
        )
    for package in ("accelerate", "torchtitan"):
        if find_spec(package) is None:
            print(f"no row beside {package}: it is not installed", file=sys.stderr)
    show("train", rows, options.json)


if __name__ == "__main__":
    main()
