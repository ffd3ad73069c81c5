"""A suite inside a fine-tuning: candidates are measured as held-out conversations are, each as a stream of its own.

So they go through the same forward pass (TRL's collator, its fused head), and all processes through the same number.
Random numbers are not drawn, so a training with a suite has the losses of one without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import transformers

from chejil.tokenizer.files import byte_level
from chejil.training.loop.text_loss import TextLoss
from chejil.training.suites import suite_file
from chejil.training.suites.candidates import Candidates, begin_of, candidates, said
from chejil.training.suites.suite_file import Suite
from chejil.training.tuning import trainer_arguments
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_config import SftConfig
from chejil.training.tuning.tokens import Tokens


class SuiteConversations:
    """A suite as rows that are measured.

    Args:
        batch_tokens: of a forward pass.
    """

    def __init__(self, suite: Suite, found: Candidates, batch_tokens: int) -> None:
        self.suite, self.found = suite, found
        numbers = np.arange(found.num, dtype=np.int32)
        tokens = Tokens(found.ids, found.is_scored, found.first, numbers)
        no_bytes = np.zeros(int(found.ids.max()) + 1, np.int64)  # log-likelihoods are all that is asked for
        self.rows = HeldOutRows(tokens, [str(number) for number in numbers], no_bytes, batch_tokens)

    def of(self, measured: Mapping[str, TextLoss]) -> np.ndarray:
        """(num_candidates) float64 log-likelihoods, nats."""
        return -np.array([measured[str(number)].nats for number in range(self.found.num)], np.float64)

    def cost(self, config: SftConfig, tokens_until: np.ndarray) -> str:
        """What it costs in a training, in words.

        Args:
            tokens_until: (num_steps + 1) tokens read before each step.
        """
        num_steps = len(tokens_until) - 1
        times = 1 + -(-num_steps // every(config, num_steps))  # the base, too
        return said(self.suite, self.found, times, int(tokens_until[-1]))


class SuiteCallback(transformers.TrainerCallback):
    """Scores before the first step, every so many, and behind the last one.

    Args:
        score: is given the steps that are done.
    """

    def __init__(self, score: Callable[[int], None], every: int) -> None:
        self._score, self._every = score, every

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The base; a training that goes on has scored it."""
        if state.global_step == 0:
            self._score(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the checkpoint of the same step, so that no resume misses it."""
        step = state.global_step
        if step % self._every == 0 or step == state.max_steps:
            self._score(step)


def every(config: SftConfig, num_steps: int) -> int:
    """Steps between two scorings."""
    return config.evaluation.suite_every_steps or trainer_arguments.checkpoint_steps(config, num_steps)


def read(config: SftConfig) -> SuiteConversations | None:
    """The suite of a fine-tuning, if it has one.

    Raises:
        ChejilError: it cannot be read, is of another tokenizer than the base's, or has a choice that is too long.
    """
    if config.evaluation.suite is None:
        return None
    suite = suite_file.read(config.evaluation.suite)
    tokenizer = byte_level.read(config.model)
    suite.require_tokenizer(tokenizer.hash, tokenizer.num_ids)
    begin = begin_of(transformers.AutoTokenizer.from_pretrained(config.model))
    found = candidates(suite, config.context_tokens - 1, begin)
    return SuiteConversations(suite, found, config.context_tokens * config.micro_batch_rows)
