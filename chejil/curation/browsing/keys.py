"""Keys of a terminal: what was pressed, as a character or a name. POSIX only; elsewhere documents are printed.

Standard library: rich draws but does not read keys, and the libraries that do both (textual, prompt_toolkit) are whole
frameworks for what is forty lines here.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[C": "right", "\x1bOC": "right", "\x1b[D": "left", "\x1bOD": "left",
    "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end",
    "\x1b[1~": "home", "\x1b[4~": "end", "\x1b": "escape",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x03": "interrupt", "\x04": "interrupt",
}  # fmt: skip
_MAX_SEQUENCE = 8
_ESCAPE_SECONDS = 0.05  # what an arrow key sends comes at once; a lone escape is followed by nothing


def split(typed: str) -> Iterator[str]:
    """Characters and names of keys; an escape sequence that is unknown is dropped.

    >>> list(split("j\\x1b[A가"))
    ['j', 'up', '가']
    """
    at = 0
    while at < len(typed):
        if typed[at] == "\x1b" and typed[at + 1 : at + 2] in ("[", "O"):
            end = next(
                (
                    e
                    for e in range(at + 2, min(len(typed), at + _MAX_SEQUENCE))
                    if typed[e].isalpha() or typed[e] == "~"
                ),
                None,
            )
            end = len(typed) if end is None else end + 1
            if typed[at:end] in NAMES:
                yield NAMES[typed[at:end]]
            at = end
        else:
            yield NAMES.get(typed[at], typed[at])
            at += 1


@contextmanager
def keyboard() -> Iterator[Iterator[str]]:
    """The keys that are pressed on the terminal, unseen and one by one; it is as it was when the block ends."""
    import termios
    import tty

    stream = sys.stdin.fileno()
    before = termios.tcgetattr(stream)
    try:
        tty.setcbreak(stream, termios.TCSADRAIN)  # what was typed while the program started counts
        yield _keys(stream)
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


def _keys(stream: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := os.read(stream, 1024):
        while data.endswith(b"\x1b") and select.select([stream], [], [], _ESCAPE_SECONDS)[0]:
            data += os.read(stream, 1024)
        yield from split(decoder.decode(data))
