"""GPT-2's alphabet: a visible character for each of the 256 bytes, as tokenizer.json writes tokens.

Bytes that are printable in Latin-1 stand for themselves, the others for U+0100 onward (Radford et al. 2019; the same in
`tokenizers`). Ids follow the code points of the characters, which is how Hugging Face's trainer numbers them.
"""

from __future__ import annotations

from collections.abc import Iterator

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = tuple(byte for byte in range(256) if byte not in _PRINTABLE)

CHARS = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(256 + n) for n, byte in enumerate(_OTHERS)}
"""The character of each byte."""

BYTES = {char: byte for byte, char in CHARS.items()}

ORDER = (*_PRINTABLE, *_OTHERS)
"""The bytes in the order of their ids: `ORDER[id - number of special tokens]`."""


def written(token: bytes) -> str:
    """A token as tokenizer.json writes it.

    >>> written(" 가".encode())
    'Ġê°Ģ'
    """
    return "".join(CHARS[byte] for byte in token)


def read(token: str) -> bytes | None:
    """The bytes of a written token, or None if a character of it stands for no byte.

    >>> read("Ġthe"), read("a b")
    (b' the', None)
    """
    found = [BYTES.get(char) for char in token]
    return None if None in found else bytes(_known(found))


def _known(found: list[int | None]) -> Iterator[int]:
    return (byte for byte in found if byte is not None)
