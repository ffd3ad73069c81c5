"""What the vocabulary itself tells: tokens that no text gives, that none gave, that are no characters, the longest.

- *partial*: the bytes are not UTF-8 alone; a model that emits one must emit the fitting next, and a Korean character
  that a tokenizer does not know costs three tokens. The 128 single bytes above ASCII are always among them.
- *unreachable* (Land and Bartolo 2024, section 3.1): encoding the token's own text does not give it; no text will,
  but where its neighbours change how it is cut. Partial ones cannot be asked.
- *dead*: never used on the measured text, which the sample's size limits: of 50,000 tokens 34 % on
  2.2 MB, 13 % on 5.6 MB of the same corpus.

Whole vocabularies are encoded at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chejil.tokenizer.measuring.opening import Opened

SHOWN = 12
_HANGUL = range(0xAC00, 0xD7A4)


def vocabulary(opened: Opened, used: np.ndarray) -> dict[str, Any]:
    """Counts, and some examples of each.

    Args:
        used: how often each id came, (num_ids).
    """
    texts = [_text(one) for one in opened.token_bytes]
    partial = [
        number for number, one in enumerate(opened.token_bytes) if one is not None and texts[number] is None
    ]
    unreachable = _unreachable(opened, texts)
    real = np.array([one is not None for one in opened.token_bytes])
    dead = np.flatnonzero(real & (used == 0))
    longest = sorted((n for n, text in enumerate(texts) if text), key=lambda n: (-len(texts[n] or ""), n))
    hangul = [n for n in longest if any(ord(char) in _HANGUL for char in texts[n] or "")]
    return {
        "ids": len(texts),
        "tokens": opened.num_tokens,
        "special": int((~real).sum()) - opened.num_absent,
        "hangul": len(hangul),
        "partial": len(partial),
        "unreachable": len(unreachable),
        "dead": len(dead),
        "dead_share": len(dead) / max(1, opened.num_tokens),
        "examples": {
            "partial": [_hex(opened, n) for n in partial if len(opened.token_bytes[n] or b"") > 1][:SHOWN],
            "unreachable": [texts[n] for n in unreachable[:SHOWN]],
            "dead": [texts[n] or _hex(opened, n) for n in _spread(dead)],
            "longest": [texts[n] for n in longest[:SHOWN]],
            "longest_korean": [texts[n] for n in hangul[:SHOWN]],
        },
    }


def _text(token: bytes | None) -> str | None:
    if not token:
        return None
    try:
        return token.decode()
    except UnicodeDecodeError:
        return None


def _unreachable(opened: Opened, texts: list[str | None]) -> list[int]:
    numbers = np.array([number for number, text in enumerate(texts) if text], np.int64)
    found = opened.model.encode([texts[number] or "" for number in numbers.tolist()])
    sizes = np.diff(found.offsets)
    alone = np.zeros(len(numbers), np.int64) - 1
    one = sizes == 1
    alone[one] = found.ids[found.offsets[:-1][one]]
    return numbers[alone != numbers].tolist()


def _hex(opened: Opened, number: int) -> str:
    return (opened.token_bytes[number] or b"").hex(" ")


def _spread(numbers: np.ndarray) -> list[int]:
    """Some of them, over the whole vocabulary."""
    places = np.linspace(0, len(numbers) - 1, min(SHOWN, len(numbers))).astype(np.int64)
    return numbers[places].tolist() if len(numbers) else []
