"""How well tokens keep to morphemes: their cuts between Hangul syllables, beside those of Kiwi.

Only places inside a run of syllables are compared: where Hangul meets a space, a mark or a digit any tokenizer may cut
or not, and that says nothing of morphemes. Precision: of the tokens' cuts there, those at a morpheme's beginning (a cut
inside a syllable is wrong). Recall: of the morphemes' beginnings, those where a token begins. A tokenizer of larger
tokens cuts less, so its recall falls as its precision rises: compare F1 at one vocabulary size, and tokenizers of
different sizes by precision (Batsuren et al. 2024 and Arnett and Bergen 2025 on how little F1 says of a model).

Kiwi finds two morphemes over one character (하 + 었 in 했): a place counts once. 0.3 MB/s, so on a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from chejil.errors import ChejilError
from chejil.filters import morphemes as kiwi
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.measuring import alignment
from chejil.tokenizer.measuring.opening import Opened
from chejil.tokenizer.measuring.scores import precision_recall

SAMPLE_BYTES = 200_000
WINDOW_CHARS = 2000


def sample(texts: Sequence[str], num_bytes: int = SAMPLE_BYTES) -> list[str]:
    """The beginnings of the first texts, together some `num_bytes`."""
    chosen = []
    for text in texts:
        if num_bytes <= 0:
            break
        chosen.append(text[:WINDOW_CHARS])
        num_bytes -= len(chosen[-1].encode())
    return chosen


def boundaries(texts: TextBuffers) -> np.ndarray:
    """Places in the bytes of all texts where a morpheme begins between two syllables, sorted, int64.

    Raises:
        ChejilError: Kiwi is not installed.
    """
    found: list[np.ndarray] = []
    for start, end in zip(texts.offsets[:-1].tolist(), texts.offsets[1:].tolist(), strict=True):
        data = texts.data[start:end]
        chars = np.flatnonzero(data & 0xC0 != 0x80)
        begins = sorted({token.start for token in kiwi.kiwi().tokenize(data.tobytes().decode())})
        places = [
            start + at
            for at in chars[[place for place in begins if place < len(chars)]].tolist()
            if alignment.place_kind(texts.data, start, end, start + at) == alignment.BETWEEN
        ]
        found.append(np.array(places, np.int64))
    return np.concatenate([np.zeros(0, np.int64), *found])


def compare(tokenizers: Sequence[Opened], texts: Sequence[str]) -> dict[str, Any]:
    """Scores of each tokenizer by name, and what they were taken on; `left_out` says why there are none."""
    chosen = sample(texts)
    if not chosen:
        return {"left_out": "no Korean text in the sample", "tokenizers": {}}
    buffers = TextBuffers.of(pa.array(chosen, pa.large_string()))
    try:
        versions = kiwi.kiwi_versions()
        gold = boundaries(buffers)
    except ChejilError as absent:
        return {"left_out": f"{absent.what}: {absent.mend}", "tokenizers": {}}
    scores = {one.name: _score(one, buffers, gold) for one in tokenizers}
    said = {
        "texts": len(chosen),
        "bytes": int(buffers.num_bytes.sum()),
        "boundaries": len(gold),
        "by": versions,
    }
    return {"left_out": None, **said, "tokenizers": scores}


def _score(opened: Opened, texts: TextBuffers, gold: np.ndarray) -> dict[str, Any]:
    kinds = alignment.cuts(texts, alignment.align(texts, opened))
    between, inside = int((kinds == alignment.BETWEEN).sum()), int((kinds == alignment.INSIDE).sum())
    right = int((kinds[gold] == alignment.BETWEEN).sum())
    return {**precision_recall(right, between + inside, len(gold)), "inside_syllables": inside}
