"""Token shards that are made of token shards: the manifest that makes a folder whole, with its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chejil.curation import shards
from chejil.tokenizer.encoding import encoding_folder, token_shards
from chejil.tokenizer.encoding.token_shard_writer import TokenShardWriter
from chejil.tokenizer.encoding.token_shards import TokenShards


def finish(out: str, of: TokenShards, writers: Sequence[TokenShardWriter]) -> dict[str, Any]:
    """Write tokenizer and manifest, last: from here on the folder is whole.

    Args:
        of: what the tokens are of: its tokenizer and its token that ends documents are theirs.
        writers: that have ended; shards without a document are left out of the manifest's groups.
    """
    system, path = shards.file_system(shards.join(of.root, of.manifest["tokenizer"]["file"]))
    shards.write_bytes(out, encoding_folder.TOKENIZER, system.cat_file(path))
    rows = sorted((writer.entry for writer in writers), key=lambda row: row["path"])
    files = {
        file.path: {name: entry[name] for name in ("rows", "bytes", "hash")}
        for writer in writers for file in writer.files for entry in (file.as_dict(),)
    }  # fmt: skip
    made_by = {**of.manifest, "tokenizer": {"hash": of.tokenizer_hash, "file": encoding_folder.TOKENIZER}}
    inputs = [{"kind": "tokens", "name": of.root.rpartition("/")[2], "hash": of.fingerprint}]
    content = token_shards.manifest_of(made_by, inputs, rows, files, {}, ())
    shards.write_json(out, token_shards.MANIFEST, content)
    return content
