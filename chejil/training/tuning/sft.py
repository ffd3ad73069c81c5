"""Fine-tuning: what `chejil sft` does, from conversations to a model that answers and stops.

runs/NAME/
  config.yaml         every default written out
  audit.json          what the audit found, and counts of conversations
  quarantine.jsonl    what was left out, with file, line and reason
  checkpoints/        see sft_checkpoints.py
  metrics.jsonl       as of a pretraining (loop/metrics.py)
  tensorboard/
  model/, or adapter/ of LoRA: the weights of the best held-out loss
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer import held_folder
from chejil.tokenizer.files import byte_level
from chejil.training import library_logs
from chejil.training.data import token_bytes
from chejil.training.loop import stopping, throughput, training_folder
from chejil.training.loop.live_view import View
from chejil.training.loop.parallel import World, joined
from chejil.training.tuning import (
    base_model,
    finished_model,
    loaded_model,
    lora,
    row_isolation,
    sft_checkpoints,
    sft_data,
    sft_rows,
    sft_suite,
)
from chejil.training.tuning import trainer_arguments as arguments
from chejil.training.tuning.base_model import BaseModel
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_config import ADAPTER, MODEL, SftConfig
from chejil.training.tuning.sft_data import SftData
from chejil.training.tuning.sft_journal import CHECKPOINTS, SftJournal
from chejil.training.tuning.sft_rows import Rows
from chejil.training.tuning.sft_suite import SuiteConversations
from chejil.training.tuning.sft_trainer import ConversationTrainer

CONFIG, AUDIT, QUARANTINE = "config.yaml", "audit.json", "quarantine.jsonl"
NAMES = (CONFIG, AUDIT, QUARANTINE, CHECKPOINTS, "metrics.jsonl", "tensorboard", MODEL,
         ADAPTER)  # fmt: skip
FREE = {"about", "evaluation", "logging", "device", "micro_batch_rows", "sharding", "checkpoints", "attention",
        "activation_checkpointing", "max_truncated_share"}  # fmt: skip
"""Of a config: what may change when a training goes on. `model` is told by its weights."""

Views = Callable[[World, int], View]


def sft(
    config: SftConfig,
    folder: Path,
    view_of: Views,
    show: Callable[[SftData], None],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any] | None:
    """Fine-tune a model, or go on with it from its last checkpoint.

    Args:
        folder: of the training, on a disk that all processes see.
        view_of: makes what shows it, of so many steps.
        say: is told how far the reading is.
        show: is called with what was read and audited, before anything is trained, in the first process.

    Returns:
        name, folder, model (or adapter), from_step, step, num_steps, stopped_by, conversations (counts), and held_out:
        `before` and `after`: loss, sources, languages. None in all processes but the first.

    Raises:
        ChejilError: what a user can mend; the last checkpoint is whole.
    """
    with (
        warnings.catch_warnings(action="ignore", category=FutureWarning),
        library_logs.silenced("transformers", "trl", "accelerate"),
        joined(config) as world,
        training_folder.held(folder, world, _foreign),
    ):
        arguments.refuse_idle_gpus(world)
        base = base_model.read(config.model)  # before hours of reading
        suite = sft_suite.read(config)
        data = sft_data.read(config, say if world.is_main else lambda _: None)
        if world.is_main:
            show(data)
        data.audit.require()
        return _Training(config, folder, world, data, base, suite).run(view_of)


class _Training:
    def __init__(
        self,
        config: SftConfig,
        folder: Path,
        world: World,
        data: SftData,
        base: BaseModel,
        suite: SuiteConversations | None,
    ) -> None:
        self.config, self.folder, self.world, self.data, self.base = config, folder, world, data, base
        self.suite = suite
        self.rows = sft_rows.rows_of(data.train, config)
        fixed = config.model_dump(mode="json", exclude={*FREE, "model", "conversations"})
        self.told = {
            "rows": self.rows.hash,
            "held_out": data.held_out.hash,
            "base": base_model.hashes(self.base),
            "config": fixed,
            "is_sharded": arguments.is_sharded(config, world),
        }

    def run(self, view_of: Views) -> dict[str, Any] | None:
        checkpoints = self.folder / CHECKPOINTS
        found = sft_checkpoints.last(checkpoints, self.told)
        begin = found[1] if found else 0
        self._write_folder(checkpoints)
        with view_of(self.world, self.rows.num_steps) as view, stopping.asked() as asked:
            journal = SftJournal(
                self.folder, self.config, view, _tokens_until(self.rows), begin, asked, self.world.is_main
            )
            if self.suite is not None:
                view.say(self.suite.cost(self.config, journal.tokens_until))
            with journal:
                trainer = self._trainer(journal, begin)
                journal.start(
                    name=self.config.name,
                    world=self.world.size,
                    num_parameters=_weights(trainer.model),
                    device=throughput.driver_name(self.world.device) or "CPU",
                    num_devices=self.world.size,
                )
                trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
                step = trainer.state.global_step
                is_done = step == self.rows.num_steps
                held_out = journal.before_and_best(trainer.best_step) if is_done else None
                if is_done:
                    self._finish(trainer, held_out)
                journal.end(step)
        return self._result(begin, step, None if is_done else asked.name, held_out)

    def _write_folder(self, checkpoints: Path) -> None:
        with self.world.main_first():
            if not self.world.is_main:
                return
            sft_checkpoints.remove_parts(checkpoints)
            audited = {"audit": asdict(self.data.audit), "conversations": self.data.counts()}
            shards.write_json(str(self.folder), AUDIT, audited)  # first: a folder is known by it
            shards.write_bytes(str(self.folder), CONFIG, training_folder.written(self.config).encode())
            shards.write_bytes(str(self.folder), QUARANTINE, self.data.quarantine())

    def _trainer(self, journal: SftJournal, begin: int) -> ConversationTrainer:
        held = self.data.held_out
        model = self._model()
        args = arguments.arguments(
            self.config, self.world, str(self.folder / CHECKPOINTS), self.rows.num_steps, held.num > 0
        )
        args.eval_on_start = held.num > 0 and begin == 0
        return ConversationTrainer(
            rows=self._held_out_rows() if held.num else None,
            suite=self.suite,
            suite_every=sft_suite.every(self.config, self.rows.num_steps),
            journal=journal,
            told=self.told,
            keep_last=self.config.checkpoints.keep_last,
            model=model,
            args=args,
            train_dataset=self.rows.dataset(),
            processing_class=transformers.AutoTokenizer.from_pretrained(self.config.model),
        )

    def _model(self) -> Any:
        kind = arguments.attention(self.config, self.world)
        model = loaded_model.load(self.config.model, attn_implementation=kind)
        context = getattr(model.config, "max_position_embeddings", None)
        if context and self.config.context_tokens > context:
            mend = f"context_tokens: {context}"
            raise ChejilError(
                f"context_tokens {self.config.context_tokens:,}: the model has {context:,}", mend=mend
            )
        num_ids, embedding = byte_level.read(self.config.model).num_ids, model.get_input_embeddings()
        if num_ids > len(embedding.weight):
            raise ChejilError("the tokenizer has more ids than the model rows", where=self.config.model)
        if self.config.packing == "packed" and kind in ("sdpa", "eager"):
            row_isolation.require_isolation(model, num_ids)
        if self.config.lora is None:
            return model
        found = lora.adapted(model, self.config.lora, self.data.encoder.special, self.config.seed)
        if found.head_trains:
            mend = "leave token_rows and the head out of modules_to_save, or train all weights (lora: null)"
            raise ChejilError(
                "TRL takes the head's weights as they are: rows of it would not train", mend=mend
            )
        return found.model

    def _held_out_rows(self) -> HeldOutRows:
        table = token_bytes.of_file(self.config.model)
        batch = self.config.context_tokens * self.config.micro_batch_rows
        return HeldOutRows(self.data.held_out, self.data.names, table, batch)

    def _finish(self, trainer: ConversationTrainer, held_out: dict[str, Any] | None) -> None:
        """Write the weights of the best held-out loss, which the trainer has loaded."""
        told = {
            "name": self.config.name,
            "about": self.config.about,
            "step": trainer.best_step,
            "config": self.config.model_dump(mode="json"),
            "rows": self.told["rows"],
            "base": self.told["base"],
            "conversations": self.data.counts(),
            "held_out": held_out,
        }
        weights = trainer.whole_weights()
        if self.world.is_main:
            self._write(trainer, weights, told)
        self.world.barrier()  # who leaves earlier takes the connections along

    def _write(
        self, trainer: ConversationTrainer, weights: dict[str, torch.Tensor], told: dict[str, Any]
    ) -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        place, encoder = self.folder / self.leaves, self.data.encoder
        if self.config.lora is None:
            finished_model.write_model(place, model, weights, self.base, encoder, self.data.ends, told)
        else:
            finished_model.write_adapter(place, model, weights, self.config.model, encoder, told)

    @property
    def leaves(self) -> str:
        """What it writes in the end."""
        return MODEL if self.config.lora is None else ADAPTER

    def _result(
        self, begin: int, step: int, stopped_by: str | None, held_out: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        if not self.world.is_main:
            return None
        return {
            "name": self.config.name,
            "folder": str(self.folder),
            self.leaves: None if stopped_by else str(self.folder / self.leaves),
            "from_step": begin,
            "step": step,
            "num_steps": self.rows.num_steps,
            "stopped_by": stopped_by,
            "rows": self.rows.num,
            "conversations": self.data.counts(),
            "held_out": held_out,
        }


def _tokens_until(rows: Rows) -> np.ndarray:
    """(num_steps + 1) int64: tokens read before each step."""
    lengths = np.diff(rows.table["input_ids"].combine_chunks().offsets.to_numpy())
    per_step = lengths[rows.order].reshape(rows.num_steps, rows.batch_rows).sum(axis=1)
    return np.concatenate([[0], np.cumsum(per_step)])


def _weights(model: Any) -> int:
    return sum(one.numel() for one in model.parameters())


def _foreign(names: set[str]) -> str | None:
    other = held_folder.but(names, NAMES)
    ours = not names or any(f"{name}.".startswith(f"{AUDIT}.") for name in names)
    if other or not ours:
        return f"this holds something else than a fine-tuning: {', '.join((other or sorted(names))[:3])}"
    return None
