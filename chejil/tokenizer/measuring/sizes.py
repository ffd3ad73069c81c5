"""Smaller vocabularies of one training: merges come in the order of their gain, so the first ones are the smaller
tokenizer, merge for merge. `PATH@32k` names it, and a sweep costs no training.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from chejil.curation.shards import file_hash
from chejil.errors import ChejilError
from chejil.tokenizer.files.byte_level import TokenizerFile
from chejil.tokenizer.files.tokenizer_file import NAME
from chejil.tokenizer.files.tokenizer_folder import RESERVED
from chejil.tokenizer.vocabulary_sizes import size_name, size_of, sizes_of

_SIZED = re.compile(r"(.+)@([0-9][0-9_.]*[kK]?)")
_RESERVED = re.compile(re.escape(RESERVED).replace(re.escape("{}"), "[0-9]+"))
_MEND = (
    "a number of tokens, special ones among them and reserved ones not, that is larger than its bytes "
    "and at most its vocabulary"
)


def parsed(spec: str) -> tuple[str, int | None]:
    """A tokenizer and how many of its tokens, None for all.

    >>> parsed("runs/t@32k"), parsed("runs/t")
    (('runs/t', 32000), ('runs/t', None))
    """
    found = _SIZED.fullmatch(spec)
    if found is None or Path(spec).exists():
        return spec, None
    return found[1], size_of(found[2])


def sweep(specs: Sequence[str], sizes: str) -> list[str]:
    """Each tokenizer at each size.

    >>> sweep(["t"], "16k, 50304")
    ['t@16k', 't@50304']

    Raises:
        ChejilError: something else than sizes and commas.
    """
    wanted = sizes_of(sizes)
    return [f"{spec}@{size_name(size)}" for spec in specs for size in wanted]


def equal(specs: Sequence[str]) -> Iterator[str]:
    """What to say of tokenizers that were given twice: by the same name, or with the same tokenizer.json.

    >>> list(equal(["t", "u", "t"]))
    ['t was given twice, and is measured once']
    """
    seen: dict[tuple[str, int | None], str] = {}
    for spec, times in Counter(specs).items():
        if times > 1:
            yield f"{spec} was given twice, and is measured once"
        path, size = parsed(spec)
        file = Path(path, NAME) if Path(path).is_dir() else Path(path)
        content = file_hash(str(file)) if file.is_file() else spec
        first = seen.setdefault((content, size), spec)
        if first != spec:
            yield f"{spec} is the same tokenizer as {first}"


def shrunk(file: TokenizerFile, size: int) -> TokenizerFile:
    """A tokenizer.json with the first merges only, so that it has `size` tokens; ids stay.

    It has the merges that `train --sizes` writes for this size: reserved tokens, which fill the vocabulary up, do not
    count, and stay.

    Raises:
        ChejilError: it is no BPE, or has not so many.
    """
    model: dict[str, Any] = file.content["model"]
    if not isinstance(model.get("vocab"), dict) or "merges" not in model:
        raise ChejilError(
            "a size needs byte-pair merges", where=file.path, mend="leave out @SIZE, or --sizes"
        )
    pairs = [pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"]]
    made = {one + other for one, other in pairs}
    added = {one["content"] for one in file.content.get("added_tokens") or ()}
    reserved = {token for token in added if _RESERVED.fullmatch(token)}
    special = added - reserved
    kept = {token for token in model["vocab"] if token not in made} - reserved
    room = size - len(kept | special)
    there = len({*model["vocab"], *special} - reserved)
    if room < 0 or size > there:
        said = f"{size:,} tokens of {there:,}, {len(kept | special):,} of them not merged"
        raise ChejilError(said, where=file.path, mend=_MEND)
    merges = []
    for one, other in pairs:
        new = one + other not in kept
        if new and not room:
            break
        room -= new
        kept.add(one + other)
        merges.append([one, other])
    kept |= reserved
    vocab = {token: number for token, number in model["vocab"].items() if token in kept}
    content = {**file.content, "model": {**model, "vocab": vocab, "merges": merges}}
    return TokenizerFile(file.path, orjson.dumps(content), content)
