"""How numbers are cut. Sums are learned better where a number's cut depends on its length alone, and from the right.

Singh and Strouse 2024 ("Tokenization counts", sections 3 and 4): models add wrongly where the cuts of the addends do
not stand over one another. A tokenizer whose merges join digits as they were frequent (GPT-2) cuts 1234 and 1235
unlike. `friendly_share`: of numbers with one to eight digits, those that are cut as most numbers of their length are.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from chejil.tokenizer.measuring.opening import Opened

LENGTHS = range(1, 9)
EACH = 500
_SEED = 20242


def drawn() -> list[str]:
    """EACH numbers of each length, all of the short ones, without a leading zero; the same every time."""
    rng = np.random.Generator(np.random.PCG64(_SEED))
    found: list[str] = []
    for length in LENGTHS:
        low, high = 10 ** (length - 1) if length > 1 else 0, 10**length
        chosen = range(low, high) if high - low <= EACH else rng.integers(low, high, EACH).tolist()
        found += [str(number) for number in chosen]
    return found


def numbers(opened: Opened) -> dict[str, Any]:
    """The most frequent cut of each length, how many are cut so, and the most digits that a token has."""
    texts = drawn()
    found = opened.model.encode(texts)
    shapes: dict[int, Counter[str]] = {length: Counter() for length in LENGTHS}
    for place, text in enumerate(texts):
        ids = found.ids[found.offsets[place] : found.offsets[place + 1]]
        sizes = [len((opened.token_bytes[number] or b"").strip()) for number in ids.tolist()]
        shapes[len(text)][_cut(text, [size for size in sizes if size])] += 1
    usual = {length: counts.most_common(1)[0] for length, counts in shapes.items()}
    digits = [len(one.strip()) for one in opened.token_bytes if one and one.strip().isdigit()]
    return {
        "cuts": {str(length): shape for length, (shape, _) in usual.items()},
        "friendly_share": sum(count for _, count in usual.values()) / len(texts),
        "tokens_per_digit": len(found.ids) / sum(map(len, texts)),
        "most_digits": max(digits, default=0),
        "digit_tokens": len(digits),
    }


def _cut(text: str, sizes: list[int]) -> str:
    """The places of a cut as a pattern of nines.

    >>> _cut("12345", [2, 2, 1])
    '99|99|9'
    """
    return "|".join("9" * size for size in sizes) if sum(sizes) == len(text) else "?"
