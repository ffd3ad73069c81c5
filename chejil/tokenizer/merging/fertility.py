"""Tokens per eojeol and per word, of two tokenizers on the same text: what an extension has brought.

An eojeol is what stands between spaces and holds Hangul; a word what holds Latin letters and no Hangul. Each is encoded
with the space before it. The report card of a tokenizer (`chejil tokenizer measure`) says more; this is quick.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

HANGUL = re.compile("[가-힣ㄱ-ㆎ\u1100-\u11ff]")
LATIN = re.compile("[A-Za-z]")


def counted(texts: Iterable[str], limit_bytes: int = 4 << 20) -> dict[str, Counter[str]]:
    """Different eojeol and words of the first texts, up to a limit, with their counts."""
    found: dict[str, Counter[str]] = {"eojeol": Counter(), "word": Counter()}
    left = limit_bytes
    for text in texts:
        for part in text[:left].split():
            if HANGUL.search(part):
                found["eojeol"][part] += 1
            elif LATIN.search(part):
                found["word"][part] += 1
        left -= len(text.encode())
        if left <= 0:
            break
    return found


def tokens_per(
    content: Mapping[str, Any], words: Mapping[str, Counter[str]], space: bool
) -> dict[str, float | None]:
    """Mean tokens of an eojeol and of a word; None where the text has none.

    Args:
        content: of a tokenizer.json.
        space: whether a space is set before each word; not where the tokenizer sets its own (U+2581).
    """
    import orjson
    from tokenizers import Tokenizer

    model = Tokenizer.from_str(orjson.dumps(content).decode())
    return {kind: _mean(model, counts, space) for kind, counts in words.items()}


def _mean(model: Any, counts: Counter[str], space: bool) -> float | None:
    if not counts:
        return None
    found = model.encode_batch_fast(
        [f" {word}" if space else word for word in counts], add_special_tokens=False
    )
    tokens = sum(len(one.ids) * count for one, count in zip(found, counts.values(), strict=True))
    return tokens / counts.total()
