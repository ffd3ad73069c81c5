"""Words as a tokenizer that is to be extended cuts and encodes them.

A byte-level base (GPT-2, Llama 3, Qwen) names the regex of its pre-tokens, by which words are counted. A base with
bytes for missing characters (Llama 2 and others made by SentencePiece) cuts nowhere; words are then counted by a named
pattern, as SentencePiece learns within scripts, and the space before a word becomes its U+2581. There the most
frequent characters that are no tokens become such first, as pairs of stand-in bytes are never merged; a word ends where
one of the others stands.

Each different word is encoded once by `tokenizers` itself.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files.tokenizer_file import BYTE_TOKENS, TokenizerFile
from chejil.tokenizer.pretokens import patterns
from chejil.tokenizer.pretokens.patterns import Pattern

SPACE = "\u2581"
_GPT2 = "gpt2"
_BATCH_WORDS = 1 << 14


class Symbols(NamedTuple):
    """Words as ids of the base, one behind the other: int32, and int64 places and counts."""

    ids: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray


def pattern_of(base: TokenizerFile, default: str = "koen") -> Pattern:
    """By which words are counted for a base; `default` where it names no regex.

    Raises:
        ChejilError: the base cuts in a way that is not known here.
    """
    if base.kind == "byte_fallback":
        return patterns.pattern(default)
    steps = _steps(base.content.get("pre_tokenizer"))
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return patterns.pattern(_GPT2)
    if (
        kinds == ["Split", "ByteLevel"]
        and "Regex" in steps[0]["pattern"]
        and steps[0]["behavior"] == "Isolated"
    ):
        return patterns.by_regex(steps[0]["pattern"]["Regex"])
    what = f"cannot extend a tokenizer that cuts text by {' and '.join(map(str, kinds)) or 'nothing'}"
    mend = "ByteLevel, Split by a regex and ByteLevel, or a model with byte_fallback can be extended"
    raise ChejilError(what, where="pre_tokenizer", mend=mend)


def _steps(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    return pre_tokenizer["pretokenizers"] if pre_tokenizer["type"] == "Sequence" else [pre_tokenizer]


def texts_of(words: WordCounts, base: TokenizerFile) -> Iterator[tuple[str, int]]:
    """Words with their counts, as the base's model sees them but for byte-level letters."""
    places, data, counts = words.offsets.tolist(), words.data.tobytes(), words.counts.tolist()
    fallback = base.kind == "byte_fallback"
    for number, count in enumerate(counts):
        word = data[places[number] : places[number + 1]].decode("utf-8", "replace")
        if not fallback:
            yield word, count
        elif not word.isspace():
            yield (SPACE + word[1:] if word.startswith(" ") else word), count


def missing_characters(words: WordCounts, base: TokenizerFile, coverage: float) -> list[str]:
    """Characters that are no tokens of the base, the most frequent first (of equals by code point).

    As many as are needed for all tokens together to cover that share of the words' characters.
    """
    found: Counter[str] = Counter()
    for word, count in texts_of(words, base):
        for char in word:
            found[char] += count
    total, missing = sum(found.values()), [char for char in found if char not in base.vocabulary]
    covered = total - sum(found[char] for char in missing)
    chosen = []
    for char in sorted(missing, key=lambda char: (-found[char], char)):
        if covered >= coverage * total:
            break
        covered += found[char]
        chosen.append(char)
    return chosen


def encoded(words: WordCounts, base: TokenizerFile, new: Mapping[str, int]) -> Symbols:
    """All words as the base encodes them, with new tokens of one character each."""
    model = _bare(base, new)
    ids: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    counts: list[int] = []
    batch: list[str] = []
    for word, count in texts_of(words, base):
        batch.append(word)
        counts.append(count)
        if len(batch) == _BATCH_WORDS:
            _encode(model, batch, ids, sizes)
            batch = []
    _encode(model, batch, ids, sizes)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.concatenate([*sizes, np.zeros(0, np.int64)]), out=offsets[1:])
    found = Symbols(np.concatenate([*ids, np.zeros(0, np.int32)]), offsets, np.array(counts, np.int64))
    return _cut_at_bytes(found, base) if base.kind == "byte_fallback" else found


def _bare(base: TokenizerFile, new: Mapping[str, int]) -> Any:
    """The base's model alone: what it does with a word that is cut already."""
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import ByteLevel

    content = copy.copy(base.content)
    content["model"] = {**content["model"], "vocab": {**base.vocabulary, **new}}
    for part in ("normalizer", "pre_tokenizer", "post_processor", "truncation", "padding"):
        content[part] = None
    content["added_tokens"] = []
    model = Tokenizer.from_str(_text(content))
    if base.kind == "byte_level":
        model.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    return model


def _text(content: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(content).decode()


def _encode(model: Any, batch: list[str], ids: list[np.ndarray], sizes: list[np.ndarray]) -> None:
    found = [one.ids for one in model.encode_batch_fast(batch, add_special_tokens=False)]
    sizes.append(np.fromiter(map(len, found), np.int64, len(found)))
    ids.append(np.fromiter((number for one in found for number in one), np.int32, int(sizes[-1].sum())))


def _cut_at_bytes(symbols: Symbols, base: TokenizerFile) -> Symbols:
    """Each stand-in byte becomes a word of its own, so that nothing is merged with it."""
    stand_in = np.isin(symbols.ids, [base.vocabulary[token] for token in BYTE_TOKENS])
    first = np.zeros(len(symbols.ids) + 1, np.bool_)
    first[symbols.offsets] = True
    first[:-1] |= stand_in
    first[1:] |= stand_in
    offsets = np.flatnonzero(first)
    word = np.searchsorted(symbols.offsets, offsets[:-1], side="right") - 1
    return Symbols(symbols.ids, offsets.astype(np.int64), symbols.counts[word])
