"""How far two models are apart: their logits on a few texts of both languages, in fp32 on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from chejil.errors import ChejilError

TOLERANCE = 1e-4
"""Of two models that are to be the same in fp32, as a share of the largest logit. Measured: 5e-7 for 4 layers of 128,
1.2e-5 for 24 of 1,024 with a strong adapter; a layer that is missed or counted twice is above 1e-2."""

MAX_TOKENS = 128
"""Of each text."""

RANDOM_ROWS, RANDOM_TOKENS = 4, 64
"""Ids where the base has no tokenizer."""


@dataclass(frozen=True)
class Difference:
    """Between the logits of two models.

    Args:
        what: which two.
        largest: of all absolute differences; `mean` their mean.
        same_token: share of places where both find the same token the most likely.
        largest_logit: the largest absolute logit of the first.
    """

    what: str
    largest: float
    mean: float
    same_token: float
    largest_logit: float

    @property
    def is_nothing(self) -> bool:
        """Whether no more than the order of additions made it."""
        return self.largest <= TOLERANCE * max(1.0, self.largest_logit)


@cache
def texts() -> list[str]:
    """The texts of merge_texts.yaml."""
    return yaml.safe_load((resources.files("chejil.training.tuning") / "merge_texts.yaml").read_text("utf-8"))


def ids_of(folder: Path, vocab: int) -> list[list[int]]:
    """Ids of the texts by a folder's tokenizer.json; drawn where there is none.

    Raises:
        ChejilError: the tokenizer has ids that the model has no row for.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        return _drawn(vocab)
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # it raises this class, of whatever is wrong
        raise ChejilError(
            f"not readable: {error}", where=str(file), mend="restore it from its origin"
        ) from None
    rows = [one.ids[:MAX_TOKENS] for one in tokenizer.encode_batch(texts())]
    top = max((number for row in rows for number in row), default=0)
    if top >= vocab:
        what = f"the tokenizer gives id {top:,}, the model has {vocab:,} rows"
        raise ChejilError(what, where=str(file), mend="put the model's own tokenizer there")
    return [row for row in rows if row]


def logits(model: Any, ids: Sequence[Sequence[int]]) -> list[Any]:
    """(num_tokens, vocab) float32 of each text: one at a time, so nothing is padded."""
    import torch

    model.eval()
    with torch.inference_mode():
        return [
            model(input_ids=torch.tensor([row]), use_cache=False).logits[0].float().clone() for row in ids
        ]


def difference(what: str, one: Sequence[Any], other: Sequence[Any]) -> Difference:
    """Between two lists of logits over the same ids; what is not a number counts as infinitely far."""
    import torch

    first, second = torch.cat(list(one)), torch.cat(list(other))
    apart = torch.nan_to_num((first - second).abs(), nan=float("inf"))
    same = (first.argmax(-1) == second.argmax(-1)).double().mean()
    return Difference(
        what, float(apart.max()), float(apart.double().mean()), float(same), float(first.abs().max())
    )


def _drawn(vocab: int) -> list[list[int]]:
    import numpy as np

    return np.random.default_rng(0).integers(0, vocab, (RANDOM_ROWS, RANDOM_TOKENS)).tolist()
