"""Token shards of a few documents, written as `chejil encode` writes them; a tokenizer of single bytes."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from chejil.curation import shards
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.encoding.encoder import Tokens
from chejil.tokenizer.encoding.token_shard_writer import TokenShardWriter
from chejil.tokenizer.files import byte_alphabet, byte_level

END = 256


def tokenizer(ids=257):
    """Ids 0 to 255 are bytes, 256 ends a document; further ones are words of two bytes."""
    vocabulary = {byte_alphabet.CHARS[byte]: byte for byte in range(256)}
    vocabulary |= {byte_alphabet.written(f"{n:02}".encode()): 257 + n for n in range(ids - 257)}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    end = {"id": END, "content": "<|endoftext|>", "special": True, **flags}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    return {"version": "1.0", "pre_tokenizer": level, "decoder": level, "model": model, "added_tokens": [end]}


def write(root, groups, end=END, dtype="uint16", per_shard=7, ids=257):
    """Write groups of documents; returns the root.

    Args:
        groups: by (source, lang), a list of documents, each a list of tokens without the last one.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "tokenizer.json").write_text(json.dumps(tokenizer(ids)))
    entries, files = [], {}
    for (source, lang), documents in groups.items():
        for first in range(0, max(len(documents), 1), per_shard):
            part = [
                [*one, *([end] if end is not None else [])] for one in documents[first : first + per_shard]
            ]
            name = f"part-{first:04}"
            with TokenShardWriter(str(root), name, source, lang, np.dtype(dtype)) as writer:
                names = pa.chunked_array(
                    [[f"{source}-{lang}-{first + n}" for n in range(len(part))]], pa.string()
                )
                sizes = np.array([sum(t != end for t in one) for one in part], np.int64)
                flat = np.array([token for one in part for token in one], np.uint32)
                offsets = np.cumsum([0, *map(len, part)])
                writer.write(names, sizes, Tokens(flat, offsets))
            entries.append(writer.entry)
            files |= {
                file.path: {"rows": file.rows, "bytes": file.bytes, "hash": file.hash}
                for file in writer.files
            }
    manifest = {
        "format": "chejil tokens 1", "dtype": dtype, "num_ids": ids,
        "tokenizer": {"hash": byte_level.read(str(root)).hash, "file": "tokenizer.json"},
        "end_of_document": None if end is None else {"token": "<|endoftext|>", "id": end},
        **token_shards.sizes(entries), "groups": token_shards.group_sizes(entries), "shards": entries, "files": files,
    }  # fmt: skip
    shards.write_json(str(root), "manifest.json", manifest)
    return str(root)


def documents(seed, num, longest=40, shortest=0):
    """Documents of random bytes."""
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, size).tolist() for size in random.integers(shortest, longest, num)]
