"""What folders of token shards hold, from their manifests alone: enough to plan with, and read in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chejil.curation import shards
from chejil.curation.finished_files import manifest_content
from chejil.errors import ChejilError
from chejil.tokenizer.encoding.token_shards import FORMAT


class TokenSize(NamedTuple):
    """Documents, tokens and bytes of text."""

    documents: int
    tokens: int
    bytes: int

    @property
    def bytes_per_token(self) -> float | None:
        """None of nothing."""
        return self.bytes / self.tokens if self.tokens else None


class TokenSizes(NamedTuple):
    """What is there by (source, language), which folders are not there yet, and the ids of the largest tokenizer."""

    groups: dict[tuple[str, str], TokenSize]
    absent: list[str]
    num_ids: int | None


def total(parts: Iterable[TokenSize]) -> TokenSize:
    """The sum."""
    parts = list(parts)
    return TokenSize(*(sum(part[place] for part in parts) for place in range(3)))


def read(folders: Iterable[str]) -> TokenSizes:
    """The sizes of folders of token shards; a folder without any is absent.

    Raises:
        ChejilError: a manifest that is no token shards'.
    """
    groups: dict[tuple[str, str], TokenSize] = {}
    absent, ids = [], []
    for folder in folders:
        content = manifest_content(folder) if shards.size(shards.join(folder, "manifest.json")) else None
        if content is None:
            absent.append(folder)
            continue
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ChejilError("no token shards", where=folder, mend="`chejil encode` writes them")
        ids.append(content["num_ids"])
        for row in content["groups"]:
            key = (row["source"], row["lang"])
            found = TokenSize(row["documents"], row["tokens"], row["bytes"])
            groups[key] = total([groups[key], found]) if key in groups else found
    return TokenSizes(groups, absent, max(ids, default=None))
