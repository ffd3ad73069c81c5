"""From word counts to tokenizers: merges once, and a folder for each size of the vocabulary.

Merges nest: the first n merges of a longer training are the training of n merges. So all sizes come from one training,
at the price of the largest. A size counts special tokens, bytes and merges; reserved tokens fill it up to a multiple.

What is written depends on the word counts and the settings alone: two trainings on any machines give the same bytes,
and the manifest holds the hash of the counts, so that a tokenizer can be traced to its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xxhash
from pydantic import Field, field_validator

from chejil.curation import shards
from chejil.curation.progress import Progress, Silent
from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import byte_alphabet, tokenizer_file, tokenizer_folder
from chejil.tokenizer.files.tokenizer_folder import FolderSettings
from chejil.tokenizer.merging import merging
from chejil.tokenizer.merging.merging import Merges
from chejil.tokenizer.pretokens import patterns
from chejil.tokenizer.vocabulary_sizes import size_name

STAGE = "merge"
_PARTS = 100


class TrainingSettings(FolderSettings):
    """How a tokenizer is trained, and what it has beside its merges."""

    vocab_sizes: tuple[int, ...] = Field(
        default=(50_000,), min_length=1, description="Tokens without the reserved ones; several nest."
    )
    pattern: str = Field(default="koen", description="How text is cut before merging (patterns.yaml).")
    min_count: int = Field(default=2, ge=1, description="A pair is merged if it occurs as often.")

    @field_validator("vocab_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(sizes)))


@dataclass(frozen=True)
class Trained:
    """A tokenizer that was written.

    Args:
        asked: tokens that were asked for, without reserved ones; tokens: those that there are.
        size: with reserved tokens: rows of the embedding.
        last_count: how often the last pair occurred that was merged; None without merges.
        hash: of tokenizer.json.
    """

    folder: str
    asked: int
    tokens: int
    size: int
    merges: int
    last_count: int | None
    hash: str

    @property
    def warning(self) -> str | None:
        """What to say where the words did not suffice."""
        if self.tokens >= self.asked:
            return None
        return (
            f"{self.folder}: {self.tokens:,} tokens, not {self.asked:,}: no pair is left that occurs often enough; "
            "take more text, a smaller --vocab-size, or a lower --min-count"
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def train(
    words: WordCounts,
    out: str,
    settings: TrainingSettings,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Trained]:
    """Train, and write a folder for each size: `out` itself, or `out`/SIZE where there are several.

    Args:
        provenance: what the manifests say of the words beside their hash.

    Raises:
        ChejilError: no words; a vocabulary without room; special tokens, roles or a template that do not fit together.
    """
    require_room(settings)
    pattern = patterns.pattern(settings.pattern)
    if not len(words.counts):
        mend = "the documents have no text: look at them with `chejil stats`"
        raise ChejilError("no words to train on", where=out, mend=mend)
    first = len(settings.special_tokens) + 256
    found = _merged(words, max(settings.vocab_sizes) - first, settings, progress or Silent())
    pairs = token_pairs(found, len(settings.special_tokens))
    made_of = {
        "pattern": pattern.name,
        "regex": pattern.regex,
        "words": described(words),
        **(provenance or {}),
    }
    folders = {size: shards.join(out, size_name(size)) for size in settings.vocab_sizes}
    if len(folders) == 1:
        folders = dict.fromkeys(folders, out)
    for folder in folders.values():  # all manifests first: sizes of two trainings never stand side by side
        shards.remove(shards.join(folder, tokenizer_folder.MANIFEST))
    return [
        _written(folder, size, pairs[: size - first], found, pattern.regex, settings, made_of)
        for size, folder in folders.items()
    ]


def require_room(settings: TrainingSettings) -> None:
    """Refuse settings that no words can mend."""
    tokenizer_folder.require_roles(settings)
    least = len(settings.special_tokens) + 256
    if min(settings.vocab_sizes) < least:
        what = f"a vocabulary of {min(settings.vocab_sizes)} has no room for {least - 256} special tokens and 256 bytes"
        raise ChejilError(what, where="--vocab-size", mend=f"{least} or more; 32k, 50k and 100k are common")


def _merged(words: WordCounts, num_merges: int, settings: TrainingSettings, progress: Progress) -> Merges:
    with told(num_merges, progress) as tell:
        return merging.merges(words, num_merges, settings.special_tokens, settings.min_count, tell)


@contextmanager
def told(num_merges: int, progress: Progress) -> Iterator[Callable[[int], None]]:
    """Show merges as a stage of a hundred parts; gives what is to be called with the merges done."""
    parts, shown = max(1, min(_PARTS, num_merges)), 0

    def tell(done: int) -> None:
        nonlocal shown
        while shown < parts and shown * num_merges < done * parts:
            progress.advance(STAGE, str(shown))
            shown += 1

    progress.start(STAGE, parts, 0, dict.fromkeys(map(str, range(parts)), 1))
    yield tell
    tell(num_merges)
    progress.finish(STAGE)


def token_pairs(found: Merges, num_special: int) -> list[tuple[bytes, bytes]]:
    """The merges in bytes."""
    tokens = {num_special + number: bytes([byte]) for number, byte in enumerate(byte_alphabet.ORDER)}
    pairs = []
    for (left, right), new in zip(found.pairs.tolist(), found.ids.tolist(), strict=True):
        pairs.append((tokens[left], tokens[right]))
        tokens[new] = tokens[left] + tokens[right]
    return pairs


def described(words: WordCounts) -> dict[str, Any]:
    """What the manifest says of word counts: types, occurrences, and a hash of their content."""
    state = xxhash.xxh3_128()
    for array, kind in ((words.data, np.uint8), (words.offsets, np.int64), (words.counts, np.int64)):
        state.update(np.ascontiguousarray(array, kind).data)
    return {"types": len(words.counts), "occurrences": int(words.counts.sum()), "hash": state.hexdigest()}


def _written(
    folder: str,
    asked: int,
    pairs: Sequence[tuple[bytes, bytes]],
    found: Merges,
    regex: str,
    settings: TrainingSettings,
    made_of: Mapping[str, Any],
) -> Trained:
    special = settings.special_tokens
    tokens = len(special) + 256 + len(pairs)
    made = {byte_alphabet.written(left + right) for left, right in pairs}
    reserved = tokenizer_folder.reserved_tokens(tokens, settings.multiple, [*special, *made])
    content = tokenizer_file.document(special, pairs, regex, reserved)
    last = int(found.counts[len(pairs) - 1]) if pairs else None
    sizes = {
        "asked": asked,
        "tokens": tokens,
        "size": tokens + len(reserved),
        "merges": len(pairs),
        "last_count": last,
    }
    manifest = tokenizer_folder.write(folder, content, settings, {**made_of, "vocabulary": sizes})
    return Trained(
        folder,
        asked,
        tokens,
        tokens + len(reserved),
        len(pairs),
        last,
        manifest["files"][tokenizer_file.NAME],
    )
