"""A tokenizer.json as far as the fast encoder knows it: byte-level BPE, one pattern that cuts words, no normaliser.

What it does not know is said as a reason, and Encoder leaves such a tokenizer to `tokenizers` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import xxhash

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer.encoding.merge_table import MAX_IDS, MAX_RANKS, Merges, merge_table, ranks_of
from chejil.tokenizer.files import tokenizer_checks
from chejil.tokenizer.files.byte_alphabet import CHARS

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What `ByteLevel(use_regex=True)` cuts by."""

_OF_IDS = ("normalizer", "pre_tokenizer", "model", "added_tokens")


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer.json: `content` is the JSON, `text` its bytes, `path` where it lies."""

    path: str
    text: bytes
    content: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """xxh3-128 of what ids follow from, however the JSON is laid out; truncation, padding, templates left out."""
        said = {name: self.content.get(name) for name in _OF_IDS}
        return xxhash.xxh3_128_hexdigest(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))

    @property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the special tokens."""
        return {one["content"]: one["id"] for one in self.content.get("added_tokens") or () if one["special"]}

    @property
    def num_ids(self) -> int:
        """One more than the highest id."""
        added = [one["id"] for one in self.content.get("added_tokens") or ()]
        vocab = self.content["model"].get("vocab") or {}
        own = range(len(vocab)) if isinstance(vocab, list) else vocab.values()
        return 1 + max([*added, *own], default=-1)


class NotKnown(Exception):
    """Something that the fast path does not do."""


def read(path: str) -> TokenizerFile:
    """Read a tokenizer.json, or the one in a folder.

    Raises:
        ChejilError: there is none, or it is no tokenizer, or a damaged one: all its faults at once.
    """
    url = shards.join(path, "tokenizer.json") if shards.is_folder(path) else path
    files, file = shards.file_system(url)
    mend = "a tokenizer.json of Hugging Face, or a folder with one; `chejil tokenizer train` writes it"
    try:
        text = files.cat_file(file)
    except FileNotFoundError:
        raise ChejilError("no such tokenizer", where=url, mend=mend) from None
    content = tokenizer_checks.parsed(text, url)
    if isinstance(content["model"]["vocab"], dict):
        tokenizer_checks.refuse(list(tokenizer_checks.merges_and_ids(content)), url)
    return TokenizerFile(url, text, content)


def pattern_of(content: Mapping[str, Any]) -> str:
    """The regular expression by which a tokenizer cuts words.

    Raises:
        NotKnown: it cuts them otherwise, or changes the text before.
    """
    if content.get("normalizer") is not None:
        raise NotKnown("it has a normaliser")
    cutter = content.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", []) if cutter.get("type") == "Sequence" else [cutter]
    *before, last = steps or [{}]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space", True):
        raise NotKnown("its pre-tokeniser does not end with ByteLevel(add_prefix_space=False)")
    if last.get("use_regex", True):
        before.append({"type": "Split", "pattern": {"Regex": GPT2}, "behavior": "Isolated", "invert": False})
    if len(before) != 1 or before[0].get("type") != "Split" or "Regex" not in before[0]["pattern"]:
        raise NotKnown("its pre-tokeniser is not one Split by a regular expression")
    kind = (before[0]["behavior"], before[0].get("invert", False))
    if kind not in (("Isolated", False), ("Isolated", True), ("Removed", True)):
        raise NotKnown(f"its Split is {kind[0]}, not Isolated")
    return before[0]["pattern"]["Regex"]


def merges_of(content: Mapping[str, Any]) -> Merges:
    """The merges of a tokenizer.

    Raises:
        NotKnown: it is not byte-level BPE as we know it.
    """
    model = content["model"]
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise NotKnown(f"its model is {model.get('type')}, not BPE")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"):
        if model.get(name):
            raise NotKnown(f"its model has {name}")
    if any(not one["special"] for one in content.get("added_tokens") or ()):
        raise NotKnown("it has added tokens that are not special, which are found in texts")
    vocab = _vocab(content)
    missing = [byte for byte in range(256) if CHARS[byte] not in vocab]
    if missing:
        raise NotKnown(f"its vocabulary lacks {len(missing)} of the 256 bytes")
    pairs = [tokenizer_checks.pair_of(pair) for pair in model["merges"]]
    if max(vocab.values()) >= MAX_IDS - 1 or len(pairs) >= MAX_RANKS:
        raise NotKnown("its vocabulary is too large")
    return merge_table([vocab[CHARS[byte]] for byte in range(256)], *ranks_of(pairs, vocab))


def _vocab(content: Mapping[str, Any]) -> dict[str, int]:
    vocab = content["model"].get("vocab")
    return vocab if isinstance(vocab, dict) else {}
