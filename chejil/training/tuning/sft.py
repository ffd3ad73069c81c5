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

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import yaml

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer import held_folder
from chejil.training.data import token_bytes
from chejil.training.loop import stopping
from chejil.training.loop.live_view import View
from chejil.training.loop.parallel import World, joined
from chejil.training.tuning import base_model, finished_model, lora, row_isolation, sft_checkpoints, sft_data, sft_rows
from chejil.training.tuning import trainer_arguments as arguments
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_config import SftConfig
from chejil.training.tuning.sft_data import SftData
from chejil.training.tuning.sft_journal import CHECKPOINTS, SftJournal
from chejil.training.tuning.sft_rows import Rows
from chejil.training.tuning.sft_trainer import ConversationTrainer

CONFIG, AUDIT, QUARANTINE = "config.yaml", "audit.json", "quarantine.jsonl"
NAMES = (CONFIG, AUDIT, QUARANTINE, CHECKPOINTS, "metrics.jsonl", "tensorboard", finished_model.MODEL,
         finished_model.ADAPTER)  # fmt: skip
FREE = {"about", "logging", "device", "micro_batch_rows", "sharding", "checkpoints", "attention",
        "activation_checkpointing", "max_truncated_share"}  # fmt: skip
"""Of a config: what may change when a training goes on. `model` is told by its weights."""

Views = Callable[[World, int], View]


def sft(config: SftConfig, folder: Path, view_of: Views, show: Callable[[SftData], None]) -> dict[str, Any] | None:
    """Fine-tune a model, or go on with it from its last checkpoint.

    Args:
        folder: of the training, on a disk that all processes see.
        view_of: makes what shows it, of so many steps.
        show: is called with what was read and audited, before anything is trained, in the first process.

    Returns:
        name, folder, model (or adapter), from_step, step, num_steps, stopped_by, conversations (counts), and of held-out
        conversations `before` and `after`: loss, sources, languages. None in all processes but the first.

    Raises:
        ChejilError: what a user can mend; the last checkpoint is whole.
    """
    with _quiet(), joined(config) as world, _held(folder, world):
        arguments.refuse_idle_gpus(world)
        data = sft_data.read(config)
        if world.is_main:
            show(data)
        data.audit.require()
        return _Training(config, folder, world, data).run(view_of)


class _Training:
    def __init__(self, config: SftConfig, folder: Path, world: World, data: SftData) -> None:
        self.config, self.folder, self.world, self.data = config, folder, world, data
        self.rows = sft_rows.rows_of(data.train, config)
        self.base = base_model.read(config.model)
        fixed = config.model_dump(mode="json", exclude={*FREE, "model", "conversations"})
        self.told = {"rows": self.rows.hash, "base": base_model.hashes(self.base), "config": fixed}

    def run(self, view_of: Views) -> dict[str, Any] | None:
        checkpoints = self.folder / CHECKPOINTS
        found = sft_checkpoints.last(checkpoints, self.told)
        begin = found[1] if found else 0
        self._write_folder(checkpoints)
        with view_of(self.world, self.rows.num_steps) as view, stopping.asked() as asked:
            journal = SftJournal(
                self.folder, self.config, view, _tokens_until(self.rows), begin, asked, self.world.is_main
            )
            with journal:
                trainer = self._trainer(journal, begin)
                journal.start(name=self.config.name, world=self.world.size, num_parameters=_weights(trainer.model))
                trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
                step = trainer.state.global_step
                is_done = step == self.rows.num_steps
                if is_done:
                    self._finish(trainer, journal)
                journal.end(step)
        return self._result(begin, step, None if is_done else asked.name)

    def _write_folder(self, checkpoints: Path) -> None:
        with self.world.main_first():
            if not self.world.is_main:
                return
            sft_checkpoints.remove_parts(checkpoints)
            audited = {"audit": asdict(self.data.audit), "conversations": self.data.counts()}
            shards.write_bytes(str(self.folder), CONFIG, written(self.config).encode())
            shards.write_json(str(self.folder), AUDIT, audited)
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
            journal=journal,
            told=self.told,
            model=model,
            args=args,
            train_dataset=self.rows.dataset(),
            processing_class=_tokenizer(self.config.model),
        )

    def _model(self) -> Any:
        kind = arguments.attention(self.config, self.world)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            self.config.model, dtype=torch.float32, attn_implementation=kind
        )
        model.config.stored_dtype = None
        context = getattr(model.config, "max_position_embeddings", None)
        if context and self.config.context_tokens > context:
            mend = f"context_tokens: {context}"
            raise ChejilError(
                f"context_tokens {self.config.context_tokens:,}: the model has {context:,}", mend=mend
            )
        num_ids = self.data.encoder.num_ids
        if num_ids > model.get_input_embeddings().weight.shape[0]:
            raise ChejilError("the tokenizer has more ids than the model rows", where=self.config.model)
        if self.config.packing == "packed" and kind in ("sdpa", "eager"):
            row_isolation.require_isolation(model, num_ids)
        if self.config.lora is None:
            return model
        return lora.adapted(model, self.config.lora, self.data.encoder.special, self.config.seed).model

    def _held_out_rows(self) -> HeldOutRows:
        table = token_bytes.of_file(self.config.model)
        batch = self.config.context_tokens * self.config.micro_batch_rows
        return HeldOutRows(self.data.held_out, self.data.names, table, batch)

    def _finish(self, trainer: ConversationTrainer, journal: SftJournal) -> None:
        ...
