"""Several processes that score together: torchrun and accelerate say in the environment who they are.

Nats are gathered as Python objects over gloo: some bytes a document, once a unit, whatever the weights lie on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chejil.eval.harness.launcher import rank

__all__ = ["interleaved", "joined", "rank", "size"]


def size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[None]:
    """A group of all processes, where there are several."""
    if size() == 1:
        yield
        return
    from torch import distributed

    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def interleaved(own: Sequence[Any], total: int) -> list[Any]:
    """What all processes have, where process r has numbers r, r + size, r + 2 size …, in the order of numbers."""
    if size() == 1:
        return list(own)
    from torch import distributed

    parts: list[Any] = [None] * size()
    distributed.all_gather_object(parts, list(own))
    return [parts[number % size()][number // size()] for number in range(total)]
