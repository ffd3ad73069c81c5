"""Tokenizers that one can follow by hand: the bytes, and the merges that a test names."""

import json

from chejil.tokenizer.files.byte_alphabet import CHARS, ORDER, written

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SPECIAL = "<|endoftext|>"


def content(merges=(), pattern=GPT2, normalizer=None):
    """A tokenizer.json: id 0 is SPECIAL, then come the 256 bytes, then the merges, each two texts or byte strings."""
    vocab = {SPECIAL: 0} | {CHARS[byte]: 1 + place for place, byte in enumerate(ORDER)}
    pairs = [[_shown(one) for one in pair] for pair in merges]
    for one, other in pairs:
        vocab.setdefault(one + other, len(vocab))
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 0, "content": SPECIAL, **special}],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": pairs,
        },
    }


def _shown(one):
    return written(one if isinstance(one, bytes) else one.encode())


def syllable(char):
    """The two merges that make one token of a syllable."""
    a, b, c = (bytes([byte]) for byte in char.encode())
    return [(a, b), (a + b, c)]


def write(folder, merges=(), **more):
    """The folder of a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content(merges, **more)), "utf-8")
    return str(folder)
