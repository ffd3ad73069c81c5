"""TRL's SFTTrainer as it is used here: rows come ready, their order is ours, losses are exact, checkpoints are whole.

What differs from the trainer as it stands, and why:

- Rows are encoded, masked and packed before (sft_data.py, sft_rows.py): its own preparation looks for special tokens in
  what people wrote, and its packing cuts conversations that are too long.
- Rows are read in order: the order of all epochs is in the data set, so a resumed training skips a number of rows.
- The held-out loss is a sum over tokens divided once. `Trainer.evaluate` takes the mean of batch means, in which a
  conversation of one answer counts as much as a long one.
- A checkpoint is one when `complete.json` is written behind everything else (sft_checkpoints.py).
- FSDP2 through accelerate adds gradients up in fp32, and runs on CPUs too: accelerate takes it for accelerators only,
  though torch's runs on gloo.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate.utils import DistributedType
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy
from trl import SFTTrainer

from chejil.errors import ChejilError
from chejil.training.loop import sharding
from chejil.training.loop.text_loss import TextLoss
from chejil.training.suites import suite_scores
from chejil.training.tuning import sft_checkpoints
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_journal import SftJournal
from chejil.training.tuning.sft_suite import SuiteCallback, SuiteConversations


class ConversationTrainer(SFTTrainer):
    """A trainer of rows.

    Args:
        rows: what is measured; None: nothing.
        suite: what is scored; None: nothing.
        suite_every: steps between two scorings.
        journal: is told of steps, measurements and checkpoints.
        told: what a checkpoint says of itself.
        keep_last: checkpoints beside the best one.
    """

    def __init__(
        self,
        *,
        rows: HeldOutRows | None,
        suite: SuiteConversations | None,
        suite_every: int,
        journal: SftJournal,
        told: dict[str, Any],
        keep_last: int,
        **given: Any,
    ) -> None:
        self.rows, self.journal, self.told, self.keep_last = rows, journal, told, keep_last
        super().__init__(
            **given, eval_dataset=given["train_dataset"].select(range(1)) if rows else None
        )  # it is never read: `evaluate` measures rows
        self.remove_callback(transformers.PrinterCallback)
        self.add_callback(journal)
        self.suite = suite
        if suite is not None:
            self.add_callback(SuiteCallback(self.score, suite_every))
        journal.world = self.accelerator

    def create_accelerator_and_postprocess(self) -> None:
        """As it is, FSDP among processes on CPUs, and gradients that are added up in fp32.

        By accelerate's own policy bf16 is also the type in which gradients are summed over processes, and that of what
        the model gives: log-probabilities, and so the loss, of three digits.
        """
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        if self.args.fsdp and state.distributed_type == DistributedType.MULTI_CPU:
            from accelerate import FullyShardedDataParallelPlugin

            state._shared_state["distributed_type"] = DistributedType.FSDP
            state._shared_state["fsdp_plugin"] = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
            self.is_fsdp_enabled = True
        if self.is_fsdp_enabled:
            products = torch.bfloat16 if self.args.bf16 else torch.float32
            policy = MixedPrecisionPolicy(param_dtype=products, reduce_dtype=torch.float32)
            state.fsdp_plugin.mixed_precision_policy = policy

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Measure held-out conversations; `eval_loss` is in nats a learnt token."""
        assert self.rows is not None
        with self.journal.aside() as took:
            found = self._measured(self.rows)
        loss = self.journal.evaluated(self.state.global_step, found, took())
        measured = {f"{metric_key_prefix}_loss": loss}
        self.log(measured)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, measured)
        return measured

    def score(self, step: int) -> None:
        """Score the suite; all processes have to call it alike."""
        assert self.suite is not None
        with self.journal.aside() as took:
            found = self._measured(self.suite.rows)
        self.journal.scored(step, suite_scores.record(self.suite.suite, self.suite.of(found)), took())

    def _measured(self, rows: HeldOutRows) -> dict[str, TextLoss]:
        """By stream; the model is then as it was."""
        model: Any = self.model
        was_training = model.training
        model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            found = rows.measure(model, self.data_collator, self.accelerator)
        sharding.gather_no_longer(model)
        model.train(was_training)
        return found

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self._point_at_best()
        with self.journal.aside() as took:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                folder = sft_checkpoints.folder_of(self.folder, self.state.global_step)
                sft_checkpoints.complete(folder, {**self.told, "step": self.state.global_step})
                sft_checkpoints.remove_old(self.folder, self.keep_last, self.state.best_global_step)
        self.journal.saved(self.state.global_step, took())

    def _init_training_state(self, *given: Any, **named: Any) -> tuple[int, int]:
        """As it is; of a folder that was moved the trainer would forget the best checkpoint and say nothing."""
        found = super()._init_training_state(*given, **named)
        self._point_at_best()
        return found

    def _point_at_best(self) -> None:
        """Say where the best checkpoint is.

        The trainer looks whether the folder is there, which with shards depends on the process and the moment; then
        some load the best weights in the end and wait for the others.
        """
        if best := self.state.best_global_step:
            self.state.best_model_checkpoint = str(sft_checkpoints.folder_of(self.folder, best))

    def _load_best_model(self) -> None:
        """As it is; without a checkpoint it would keep the last weights and say nothing.

        Raises:
            ChejilError: it is gone.
        """
        folder = Path(str(self.state.best_model_checkpoint))
        if not (folder / sft_checkpoints.COMPLETE).is_file():
            mend = "restore it from a copy, or give another --out to train again"
            what = "the checkpoint of the best held-out loss is gone"
            raise ChejilError(what, where=str(folder), mend=mend)
        super()._load_best_model()

    @property
    def folder(self) -> Path:
        """Of the checkpoints."""
        return Path(str(self.args.output_dir))

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None among the checkpoints: finished_model.py writes the model's own."""

    @property
    def best_step(self) -> int:
        """Of the weights that are loaded when the training is done."""
        best = self.state.best_global_step
        return best if best and self.state.best_model_checkpoint else self.state.global_step

    def whole_weights(self) -> dict[str, torch.Tensor]:
        """All weights on the CPU, tied ones once; of sharded ones empty in all processes but the first."""
        model = self.accelerator.unwrap_model(self.model)
        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        found = get_model_state_dict(model, options=whole)
        tied = set(getattr(model, "all_tied_weights_keys", {}))
        return {name: value for name, value in found.items() if name not in tied}  # type: ignore[misc]
