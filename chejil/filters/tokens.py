"""Tokens of a document by the tokenizer that a recipe names, and how many bytes one stands for.

What a training run pays for is tokens, so a mixture is weighed in them. They are counted once, beside the other
signals, by Hugging Face's `tokenizers` (any tokenizer.json; ids, no offsets, no special tokens); every count that is
asked for later is a sum over stored columns. A document is one text to the tokenizer up to MAX_PIECE bytes. A longer
one is cut after a line break or before a space, where pre-tokenizers cut anyway: an encoding takes a hundred bytes a
token, and a tokenizer without pre-tokenizer would take 16 MB for one word. Measured: such a line takes 1 to 4 s and
0.6 GB; counts of pieces are those of the whole for a byte-level BPE, and up to four tokens a cut more where spaces
belong to words.

Bytes of the same text are a column, too, so that bytes per token of any group are a quotient of two exact sums: the
`num_bytes` of decisions are those before transforms.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE
from chejil.filters.registry import Counts, Family, Signal, add_family, add_signal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SLOT = "tokenizer"
"""What recipes call it, under `score.models`."""

NUM_TOKENS, NUM_TOKENIZED_BYTES = "num_tokens", "num_tokenized_bytes"
TOKEN_SIZES = (NUM_TOKENS, NUM_TOKENIZED_BYTES)
"""Signals that are added up; each is of use with the other alone."""

MAX_PIECE = 1 << 20
"""Bytes that the tokenizer sees at once, at most."""

CALL_BYTES = 1 << 20
"""Bytes of a call: an encoding takes a hundred bytes a token and more."""

_MEND = "give a tokenizer.json as Hugging Face's tokenizers writes it, or a folder that holds one"


def open_tokenizer(path: str) -> Tokenizer:
    """The tokenizer in a file, loaded once a process as long as the file stays the same.

    Raises:
        ChejilError: `tokenizers` is not installed, there is no such file, or it is none.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise ChejilError(f"cannot read the tokenizer: {error.strerror}", where=path, mend=_MEND) from None
    return _loaded(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _loaded(path: str, *_: int) -> Tokenizer:
    # A worker is a process; threads of each would be as many again.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        model = Tokenizer.from_str(Path(path).read_text("utf-8"))
    except Exception as error:  # tokenizers raises bare Exceptions for what is no tokenizer
        raise ChejilError(f"not a tokenizer: {str(error)[:200]}", where=path, mend=_MEND) from None
    model.no_truncation()  # a tokenizer.json may say what a model's window is
    model.no_padding()
    return model


def count_tokens(texts: TextBuffers, path: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Tokens of each text, or of some rows, without special ones, (num_docs) int64."""
    model, counts = open_tokenizer(path), np.zeros(len(texts), np.int64)
    chosen = range(len(texts)) if rows is None else rows.tolist()
    for docs, pieces in _calls(_pieces(texts, chosen)):
        encodings = model.encode_batch_fast(pieces, add_special_tokens=False)
        np.add.at(counts, docs, [len(encoding) for encoding in encodings])
    return counts if rows is None else counts[rows]


def _pieces(texts: TextBuffers, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    for doc in rows:
        data = texts.data[texts.offsets[doc] : texts.offsets[doc + 1]].tobytes()
        for piece in pieces_of(data, MAX_PIECE):
            yield doc, piece


def _calls(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[list[int], list[str]]]:
    docs: list[int] = []
    texts: list[str] = []
    room = CALL_BYTES
    for doc, piece in pieces:
        if texts and room < len(piece):
            yield docs, texts
            docs, texts, room = [], [], CALL_BYTES
        docs.append(doc)
        texts.append(piece.decode())
        room -= len(piece)
    if texts:
        yield docs, texts


def pieces_of(data: bytes, limit: int) -> Iterator[bytes]:
    """A long text in pieces, which are cut after a line break, else before a space, else between two characters.

    >>> [piece.decode() for piece in pieces_of("ab cd\\nefghi 가나다".encode(), 9)]
    ['ab cd\\n', 'efghi', ' 가나', '다']
    """
    start = 0
    while len(data) - start > limit:
        end = _end(data, start, start + limit)
        yield data[start:end]
        start = end
    yield data[start:]


def _end(data: bytes, start: int, end: int) -> int:
    """Where to cut; nearer than half a piece is not looked, so that no text of line breaks becomes many pieces."""
    least = start + (end - start) // 2
    line, space = data.rfind(b"\n", least, end), data.rfind(b" ", least, end)
    if line >= 0:
        return line + 1
    if space > start:
        return space
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """Tokens and bytes of each text; NaN where no tokenizer is given."""
    path = counts.models.get(SLOT)
    if path is None:
        return dict.fromkeys(TOKEN_SIZES, np.full(len(texts), np.nan))
    return {NUM_TOKENS: count_tokens(texts, path), NUM_TOKENIZED_BYTES: texts.num_bytes}


add_family(
    Family(
        name="tokens",
        counters=TOKEN_SIZES,
        measure=_measure,
        about="Tokens by the tokenizer that a recipe names, without special ones.",
        model=SLOT,
    )
)

add_signal(
    Signal(
        name=NUM_TOKENS,
        family="tokens",
        unit="token",
        kind="count",
        about="Tokens by the recipe's tokenizer, without special ones; null where none is given.",
        source="Own: training and its mixtures are weighed in tokens. Of the text as it is scored, so what later "
        "stages mask or cut is counted, too.",
        value=lambda counts: counts[NUM_TOKENS],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name=NUM_TOKENIZED_BYTES,
        family="tokens",
        unit="byte",
        kind="count",
        about="Bytes of the text that `num_tokens` counts: what the transforms before `score` have left.",
        source="Own. Bytes per token of any group of documents are a quotient of two sums, not a mean of quotients.",
        value=lambda counts: counts[NUM_TOKENIZED_BYTES],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="bytes_per_token",
        family="tokens",
        unit="token",
        kind="mean",
        about="Bytes that a token stands for; null where there is no tokenizer, or no token.",
        source="Akin to fertility, tokens a word (Rust et al. 2021), which Korean and English do not share a word for. "
        "Mash, base64 and scripts that the tokenizer has not learnt have few. Its scale is the tokenizer's, so there "
        "is no default bound.",
        value=lambda counts: counts.ratio(NUM_TOKENIZED_BYTES, NUM_TOKENS),
        kept=PROSE,
        dropped=(),
    )
)
