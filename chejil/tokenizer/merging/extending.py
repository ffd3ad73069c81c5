"""New tokens for an existing tokenizer: Korean for an English one, as Llama-2-ko was made.

Every id of the base stays what it was, also those of added tokens above its vocabulary; new tokens get the ids behind
all of them, and their merges stand behind all merges. So text in which no new pair occurs is encoded as before. New
merges are learnt on the words as the base encodes them, by the trainer of merging.py: they go on where it stopped.

A model with this tokenizer needs as many more rows in its embedding (and its head) as the report says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import tokenizer_file, tokenizer_folder
from chejil.tokenizer.files.tokenizer_file import TokenizerFile
from chejil.tokenizer.merging import base_words, merging
from chejil.tokenizer.merging.merging import FORBIDDEN


class ExtensionSettings(BaseModel):
    """How a tokenizer is extended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    add: int = Field(ge=1, description="New tokens, characters and merges together.")
    min_count: int = Field(default=2, ge=1, description="A pair is merged if it occurs as often.")
    character_coverage: float = Field(
        default=0.9995,
        ge=0,
        le=1,
        description="Share of characters that are tokens (bases with stand-in bytes).",
    )
    pattern: str = Field(default="koen", description="How words are cut where the base names no regex.")
    multiple: int = Field(default=128, ge=1, description="The vocabulary is filled up to a multiple of it.")


@dataclass(frozen=True)
class Extension:
    """An extended tokenizer, not yet written.

    Args:
        content: of its tokenizer.json.
        base_size, size: rows of an embedding before and after; size is a multiple of what was asked.
        characters, merges, reserved: new tokens by kind.
        last_count: how often the last pair occurred that was merged.
    """

    content: dict[str, Any]
    base_size: int
    size: int
    characters: int
    merges: int
    reserved: int
    last_count: int | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without the content; `new_ids` are those behind the base's, reserved ones among them."""
        row = asdict(self)
        del row["content"]
        return {**row, "new_ids": self.size - self.base_size}


def extend(
    base: TokenizerFile,
    words: WordCounts,
    settings: ExtensionSettings,
    progress: Callable[[int], None] | None = None,
) -> Extension:
    """Extend a tokenizer by what occurs most in words, which are cut by `base_words.pattern_of(base)`.

    Raises:
        ChejilError: nothing to learn: no words, or all of them are single tokens of the base.
    """
    characters: list[str] = []
    if base.kind == "byte_fallback":
        characters = base_words.missing_characters(words, base, settings.character_coverage)[: settings.add]
    new = {char: base.size + number for number, char in enumerate(characters)}
    symbols = base_words.encoded(words, base, new)
    tokens = {number: token for token, number in {**base.vocabulary, **new}.items()}
    taken = {token.encode(): FORBIDDEN for token in (*base.vocabulary, *base.added, *new)}
    found = merging.merge_symbols(
        symbols.ids, symbols.offsets, symbols.counts,
        {number: token.encode() for number, token in tokens.items()}, settings.add - len(new),
        settings.min_count, taken, base.size + len(new), progress,
    )  # fmt: skip
    if not new and not len(found):
        mend = "give text of the new language with --with, more of it, or a lower --min-count"
        raise ChejilError("nothing to learn: no pair of tokens occurs often enough", mend=mend)
    merges = []
    for (left, right), number in zip(found.pairs.tolist(), found.ids.tolist(), strict=True):
        merges.append([tokens[left], tokens[right]])
        tokens[number] = tokens[left] + tokens[right]
        new[tokens[number]] = number
    size = base.size + len(new)
    reserved = tokenizer_folder.reserved_tokens(
        size, settings.multiple, [*base.vocabulary, *base.added, *new]
    )
    content = _content(base, new, merges, {token: size + number for number, token in enumerate(reserved)})
    last = int(found.counts[-1]) if len(found) else None
    return Extension(
        content, base.size, size + len(reserved), len(characters), len(merges), len(reserved), last
    )


def _content(
    base: TokenizerFile, new: Mapping[str, int], merges: Sequence[list[str]], reserved: Mapping[str, int]
) -> dict[str, Any]:
    """The base's tokenizer.json with what is new behind it."""
    content, model = dict(base.content), dict(base.content["model"])
    # `tokenizers` gives an added token the id behind the model's vocabulary, unless the model knows it.
    model["vocab"] = _by_id({**base.vocabulary, **base.added, **new, **reserved})
    model["merges"] = [*map(list, base.merges), *merges]
    added = [tokenizer_file.added_token(token, number) for token, number in reserved.items()]
    return {**content, "added_tokens": [*(content.get("added_tokens") or []), *added], "model": model}


def _by_id(vocabulary: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(vocabulary.items(), key=lambda row: row[1]))
