"""The folder that `chejil tokenizer train` or `extend` writes to: one tokenizer or one of each size, never both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer import held_folder
from chejil.tokenizer.counting import word_source
from chejil.tokenizer.files import tokenizer_file, tokenizer_folder
from chejil.tokenizer.vocabulary_sizes import size_name

OF_ONE = (
    tokenizer_file.NAME,
    tokenizer_folder.MANIFEST,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
_SIZE = re.compile("[1-9][0-9]*k?")


def held(
    out: str,
    sizes: Sequence[int],
    say: Callable[[str], None],
    words: str | None = None,
    copied: Sequence[str] = (),
) -> AbstractContextManager[None]:
    """Hold the folder while the block lasts.

    Args:
        sizes: several have a folder each; one, or none, is the folder itself.
        words: the word counts that are used, if none are counted.
        copied: files that are written, too.

    Raises:
        ChejilError: it holds something else, other sizes, or the words of another count; another call works there.
    """
    names = {size_name(size) for size in sizes} if len(sizes) > 1 else set()
    _refuse_other_words(out, words)
    return held_folder.held(out, say, lambda there: _foreign(there, names, (*OF_ONE, *copied)))


def _foreign(there: set[str], sizes: set[str], own: tuple[str, ...]) -> str | None:
    found = {name for name in there if _SIZE.fullmatch(name)}
    other = held_folder.but(there - found, (*own, word_source.FOLDER))
    if other:
        return f"the folder holds something else than a tokenizer: {', '.join(other[:3])}"
    ours = tokenizer_folder.MANIFEST in there or word_source.FOLDER in there or found
    if there and not ours:
        return f"the folder holds what no training wrote: {', '.join(sorted(there)[:3])}"
    if sizes and held_folder.but(there - found, (word_source.FOLDER,)):
        return "the folder holds a single tokenizer, and several sizes have a folder each"
    if found - sizes:
        return (
            f"the folder holds other sizes, which would stay beside these: {', '.join(sorted(found - sizes))}"
        )
    return None


def _refuse_other_words(out: str, words: str | None) -> None:
    """The folder's own words are what its tokenizer was trained on."""
    kept = shards.join(out, word_source.FOLDER)
    if words is None or not shards.is_folder(kept):
        return
    (_, place), (_, folder) = shards.file_system(words), shards.file_system(kept)
    if not place.startswith(f"{folder.rstrip('/')}/"):
        mend = "choose another --out, or remove that folder"
        raise ChejilError("the folder holds the words of another count", where=kept, mend=mend)
