"""The token shards of a training: one folder or several, of one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import xxhash

from chejil.errors import ChejilError
from chejil.tokenizer.encoding.token_shards import TokenShard, TokenShards
from chejil.training.data.token_bytes import TokenBytes


class TokenCorpus:
    """All shards, by source and language.

    Args:
        roots: folders that `chejil encode` wrote.
        tokenizer_hash: of the tokenizer that the model has; None to take the shards'.

    Raises:
        ChejilError: no folder, shards of another tokenizer, or none at all.
    """

    def __init__(self, roots: Sequence[str], tokenizer_hash: str | None = None) -> None:
        if not roots:
            raise ChejilError("no token shards", mend="name a folder that `chejil encode` wrote")
        self.folders = [TokenShards(root) for root in roots]
        self.tokenizer_hash = tokenizer_hash or self.folders[0].tokenizer_hash
        for folder in self.folders:
            self._require_same(folder)
        self.groups: dict[tuple[str, str], list[TokenShard]] = {}
        for shard in (shard for folder in self.folders for shard in folder.shards if shard.num_tokens):
            self.groups.setdefault((shard.source, shard.lang), []).append(shard)
        self.groups = dict(sorted(self.groups.items()))
        if not self.groups:
            raise ChejilError("token shards without a token", where=self.root, mend="encode some documents")

    def _require_same(self, folder: TokenShards) -> None:
        if folder.tokenizer_hash != self.tokenizer_hash:
            what = (
                f"shards of another tokenizer: {folder.tokenizer_hash[:12]}, not {self.tokenizer_hash[:12]}"
            )
            mend = (
                "encode the documents with the tokenizer of the training, or name the tokenizer of the shards"
            )
            raise ChejilError(what, where=folder.root, mend=mend)
        if folder.end_id != self.folders[0].end_id:
            what = f"documents end with id {folder.end_id}, in {self.root} with {self.folders[0].end_id}"
            raise ChejilError(what, where=folder.root, mend="encode both with the same --end-of-document")

    @property
    def root(self) -> str:
        """The first folder: where what is computed once is kept."""
        return self.folders[0].root

    @property
    def end_id(self) -> int | None:
        """The token that ends each document."""
        return self.folders[0].end_id

    @property
    def fingerprint(self) -> str:
        """Changes with any token, and with the order of documents and folders; not with the folders' names."""
        if len(self.folders) == 1:
            return self.folders[0].fingerprint
        return xxhash.xxh3_128_hexdigest(orjson.dumps([folder.fingerprint for folder in self.folders]))

    @property
    def ids_hash(self) -> str:
        """Of all tables of documents: ids are no part of the tokens' fingerprint."""
        hashes = [
            folder.manifest["files"][f"{one.path}.parquet"]["hash"]
            for folder in self.folders
            for one in folder.shards
        ]
        return xxhash.xxh3_128_hexdigest(orjson.dumps(hashes))

    def token_bytes(self) -> TokenBytes:
        """Bytes of text of each token.

        Raises:
            ChejilError: the tokenizer beside the shards is not theirs.
        """
        file = self.folders[0].manifest["tokenizer"]["file"]
        return TokenBytes(f"{self.root}/{file}", self.tokenizer_hash)
