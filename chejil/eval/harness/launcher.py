"""Which of several processes this is: torchrun and accelerate say it in the environment."""

from __future__ import annotations

import os


def rank() -> int:
    """Of this process; 0 where it is alone."""
    return int(os.environ.get("RANK", "0"))
