"""Encode speed on one core: MB of UTF-8 by second of processor time, least of three after one that is not counted.

The texts are those of the sample with the smallest hashes, up to 2 MB a language. These are the only numbers of a
report card that differ from one time to the next.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from chejil.tokenizer.measuring.opening import Opened

RUNS = 3


def speed(opened: Opened, texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """MB/s by language; processor time is of all threads, so a library that takes more cores gains nothing by it."""
    return {lang: _of(opened, list(some)) for lang, some in texts.items() if some}


def _of(opened: Opened, texts: list[str]) -> float:
    opened.model.encode(texts)
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        opened.model.encode(texts)
        seconds.append(time.process_time() - start)
    return sum(len(text.encode()) for text in texts) / 1e6 / max(1e-9, min(seconds))
