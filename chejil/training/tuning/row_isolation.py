"""Whether a model keeps the conversations of a packed row apart: tried out, not believed.

Positions that begin again at 0 tell transformers' attention masks where a conversation begins; models with masks of
their own (ALiBi, recurrences, remote code) may not look. Then answers are learnt from a stranger's question, and the
loss looks well (trl#3067; resetting positions alone changed logits of nanoVLM by up to 11).
"""

from __future__ import annotations

import math
from typing import Any

import torch

from chejil.errors import ChejilError

NUM_TOKENS = 12
TOLERANCE = 1e-3
"""Between logits of a scale of 1; two ways to add in fp32 differ by 1e-6."""


def require_isolation(model: Any, num_ids: int) -> None:
    """Ask a model twice for a conversation, alone and behind another in a row.

    Args:
        model: on the CPU, fp32.
        num_ids: of the tokenizer.

    Raises:
        ChejilError: it answers differently.
    """
    found = difference(model, num_ids)
    if found > TOLERANCE:
        what = f"the model sees other conversations of a packed row: its logits differ by {found:.2g}"
        raise ChejilError(what, mend="packing: padded, or another attention")


def difference(model: Any, num_ids: int) -> float:
    """The largest between the logits of both, over the spread of all."""
    drawn = torch.Generator().manual_seed(0)
    ids = torch.randint(num_ids, (1, 2 * NUM_TOKENS), generator=drawn)
    positions = torch.arange(NUM_TOKENS).repeat(2)[None]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        try:
            row = model(input_ids=ids, position_ids=positions, use_cache=False).logits[0, NUM_TOKENS:]
        except TypeError:  # it takes no positions: a recurrence, or ALiBi
            return math.inf
        alone = model(input_ids=ids[:, NUM_TOKENS:], use_cache=False).logits[0]
    model.train(was_training)
    return float((row - alone).abs().max() / alone.std().clamp(min=1e-6))
