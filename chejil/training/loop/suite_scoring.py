"""A suite inside a pretraining: candidates as packed rows, so that the model sees the shapes that it trains on.

A candidate is a document of a row, and documents do not see one another (attention.refuse_leaks tries it at the
start). So nothing is compiled anew, little is padded (candidates are packed by best fit), and each is read as
`chejil eval run` reads it: alone, from position 0. All processes go through the same number of forward passes.
"""

from __future__ import annotations

import numpy as np
import torch

from chejil.training.config import PretrainConfig
from chejil.training.data.packing import pack
from chejil.training.data.rows import IGNORED
from chejil.training.loop import sharding
from chejil.training.loop.data import Data
from chejil.training.loop.parallel import World
from chejil.training.modelling.losses import ModelWithLoss, by_source
from chejil.training.suites import suite_file
from chejil.training.suites.candidates import Candidates, candidates, said
from chejil.training.suites.suite_file import Suite


class SuiteRows:
    """A suite as rows, 32 bytes a token.

    Args:
        suite: what is scored.
        found: its candidates; none has more inputs than a row.
        row_tokens: T.
        rows: of a forward pass: those of a micro batch.
    """

    def __init__(self, suite: Suite, found: Candidates, row_tokens: int, rows: int) -> None:
        self.suite, self.found, self.rows = suite, found, rows
        packed = pack(found.lengths - 1, row_tokens, "best-fit")
        num = -(-packed.num_rows // rows) * rows
        self.ids, self.positions, self.candidate = (np.zeros((num, row_tokens), np.int64) for _ in range(3))
        self.labels = np.full((num, row_tokens), IGNORED, np.int64)
        self.positions[packed.num_rows :] = np.arange(row_tokens)
        for row in range(packed.num_rows):
            self._fill(row, packed.document[packed.first[row] : packed.first[row + 1]])

    def _fill(self, row: int, numbers: np.ndarray) -> None:
        begin = 0
        for number in numbers:
            ids = self.found.ids[self.found.first[number] : self.found.first[number + 1]]
            scored, end = self.found.num_scored[number], begin + len(ids) - 1
            self.ids[row, begin:end] = ids[:-1]
            self.positions[row, begin:end] = np.arange(end - begin)
            self.labels[row, end - scored : end] = ids[-scored:]
            self.candidate[row, begin:end] = number
            begin = end
        self.positions[row, begin:] = np.arange(self.positions.shape[1] - begin)

    @torch.no_grad()
    def log_likelihoods(self, model: ModelWithLoss, world: World) -> np.ndarray:
        """(num_candidates) float64, nats; the same in all processes, which have to call it alike."""
        nats = torch.zeros(self.found.num, dtype=torch.float64, device=world.device)
        batches = len(self.ids) // self.rows
        for begin in range(0, batches, world.size):
            number = begin + world.rank
            mine = slice(*(min(number, batches - 1) * self.rows + more for more in (0, self.rows)))
            found = self._measure(model, mine, world.device)
            if number < batches:  # else a forward pass that the others wait for
                nats += found
        sharding.gather_no_longer(model)
        return -world.sum(nats).cpu().numpy()

    def _measure(self, model: ModelWithLoss, rows: slice, device: torch.device) -> torch.Tensor:
        arrays = (self.ids, self.positions, self.labels, self.candidate)
        ids, positions, labels, candidate = (torch.from_numpy(one[rows]).to(device) for one in arrays)
        nats_BT = model.sums(ids, positions, labels).cross_entropy_BT
        return by_source(nats_BT.flatten(), candidate.flatten(), self.found.num)


def read(config: PretrainConfig, data: Data) -> SuiteRows | None:
    """The suite of a training, if it has one.

    Raises:
        ChejilError: it cannot be read, is of another tokenizer, or has a choice that is longer than a row.
    """
    if config.evaluation.suite is None:
        return None
    suite = suite_file.read(config.evaluation.suite)
    suite.require_tokenizer(data.corpus.tokenizer_hash, config.model.resolved().vocab)
    end = data.corpus.end_id if config.packing.start_token else None
    found = candidates(suite, config.row_tokens, () if end is None else (end,))
    return SuiteRows(suite, found, config.row_tokens, config.micro_batch_rows)


def cost(rows: SuiteRows, config: PretrainConfig) -> str:
    """What it costs in this training, in words."""
    times = -(-config.steps // config.evaluation.suite_steps)
    return said(rows.suite, rows.found, times, config.steps * config.batch_tokens)
