"""How many bytes of text each token stands for: what turns a loss per token into bits per byte.

Not the documents' `num_bytes`: a row may hold a part of a document, and a loss leaves out tokens that are not learnt.
Bytes of tokens add up for any part, and for whole documents to the same number (tested on real shards) as long as the
tokenizer has no normaliser. Special tokens are 0 bytes: they are no text. (nanochat keeps the same table.)
"""

from __future__ import annotations

import numpy as np
import orjson

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_alphabet, byte_level
from chejil.tokenizer.files.byte_level import TokenizerFile

_SPACE = "▁"


class TokenBytes:
    """Bytes of each token of a tokenizer.

    Args:
        path: its tokenizer.json.
        tokenizer_hash: what it must be, see TokenizerFile.hash.

    Raises:
        ChejilError: it is another one.
    """

    def __init__(self, path: str, tokenizer_hash: str) -> None:
        file = byte_level.read(path)
        if file.hash != tokenizer_hash:
            what = f"another tokenizer than that of the shards: {file.hash[:12]}, not {tokenizer_hash[:12]}"
            raise ChejilError(what, where=file.path, mend="encode the documents again, or restore the file")
        self.num_bytes = _table(file)


def of_file(path: str) -> np.ndarray:
    """(num_ids) int32: bytes of each token of a tokenizer.json, or of the one in a folder."""
    return _table(byte_level.read(path))


def _table(file: TokenizerFile) -> np.ndarray:
    """(num_ids) int32."""
    found = np.zeros(file.num_ids, np.int32)
    said = orjson.dumps([file.content.get("pre_tokenizer"), file.content.get("decoder")])
    size = _byte_level if b'"ByteLevel"' in said else _pieces
    for token, number in _vocabulary(file).items():
        found[number] = size(token)
    for one in file.content.get("added_tokens") or ():
        found[one["id"]] = 0 if one["special"] else len(one["content"].encode())
    return found


def _vocabulary(file: TokenizerFile) -> dict[str, int]:
    vocabulary = file.content["model"].get("vocab")
    if isinstance(vocabulary, list):  # Unigram: pairs of token and score
        return {token: number for number, (token, _) in enumerate(vocabulary)}
    return dict(vocabulary or {})


def _byte_level(token: str) -> int:
    read = byte_alphabet.read(token)
    return len(token.encode()) if read is None else len(read)


def _pieces(token: str) -> int:
    """Of SentencePiece: `<0xEA>` is a byte, `▁` a space."""
    if len(token) == 6 and token.startswith("<0x"):
        return 1
    return len(token.replace(_SPACE, " ").encode())
