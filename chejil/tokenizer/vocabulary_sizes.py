"""Sizes of vocabularies as one types them, `50k` or `50304`: read and named by one pair of functions everywhere."""

from __future__ import annotations

import re
from decimal import Decimal

from chejil.errors import ChejilError

_SIZE = re.compile(r"([0-9][0-9_]{0,11}(?:\.[0-9]{1,6})?)(k?)")


def size_of(text: str) -> int:
    """A number of tokens as one types it; k is 1,000.

    >>> size_of("50k"), size_of("50_304"), size_of("0.5k")
    (50000, 50304, 500)

    Raises:
        ChejilError: it is none.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    size = Decimal(found[1].replace("_", "")) * (1000 if found[2] else 1) if found else Decimal(0)
    if size < 1 or size != int(size):
        raise ChejilError(f"'{text}' is no number of tokens", mend="for instance 50k (50,000) or 50304")
    return int(size)


def sizes_of(text: str, option: str = "--sizes") -> tuple[int, ...]:
    """Several, with commas, each once and in their order.

    >>> sizes_of("16k, 50304")
    (16000, 50304)

    Raises:
        ChejilError: there are none, or one of them is no size.
    """
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        raise ChejilError(f"{option} '{text}' names no size", mend=f"{option} 16k,32k,50k")
    return tuple(dict.fromkeys(size_of(part) for part in parts))


def size_name(size: int) -> str:
    """As short as it can be typed; a folder's name.

    >>> size_name(50_000), size_name(50_304)
    ('50k', '50304')
    """
    return f"{size // 1000}k" if size % 1000 == 0 else str(size)
