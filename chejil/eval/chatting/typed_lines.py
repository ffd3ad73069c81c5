"""What a person types, a message at a time: from a terminal, or from a pipe.

On a terminal the standard library's `readline` edits: GNU readline steps over a Hangul syllable as one character of two
columns (libedit, in some builds of Python, too), and an input method composes before it sends, so nothing is to be done
for it. Bracketed paste is switched on, which Python switches off: pasted lines are one message. prompt_toolkit would
draw no better here and is one dependency more.

Bytes that are not in the encoding of stdin are replaced, and said so: a chat does not end for one.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

FIRST, MORE = "> ", "| "
BLOCK = '"""'


class TypedLines:
    """Messages from a reader of lines.

    Args:
        read: the next line without its end, given what stands before it; EOFError at the end.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._has_ended = False

    def message(self) -> str | None:
        """The next message; None at the end of input. What an end cuts off is a message, too.

        Raises:
            KeyboardInterrupt: a message is given up.
        """
        line = self._line(FIRST)
        if line is None:
            return None
        if line.lstrip().startswith(BLOCK):
            return self._block(line.lstrip().removeprefix(BLOCK))
        parts = [line]
        while parts[-1].endswith("\\"):
            parts[-1] = parts[-1].removesuffix("\\")
            if (more := self._line(MORE)) is None:
                break
            parts.append(more)
        return "\n".join(parts)

    def _block(self, first: str) -> str:
        parts, line = [], first
        while not line.rstrip().endswith(BLOCK):
            parts.append(line)
            if (more := self._line(MORE)) is None:
                return "\n".join(parts).strip("\n")
            line = more
        parts.append(line.rstrip().removesuffix(BLOCK))
        return "\n".join(parts).strip("\n")

    def _line(self, prompt: str) -> str | None:
        if self._has_ended:
            return None
        try:
            return self._read(prompt)
        except EOFError:
            self._has_ended = True
            return None


def of_terminal() -> TypedLines:
    """What is typed, with editing and the lines of before."""
    try:
        import readline
    except ImportError:  # builds without it: the terminal's own editing
        pass
    else:
        if "libedit" not in (readline.__doc__ or ""):
            readline.parse_and_bind("set enable-bracketed-paste on")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return TypedLines(input)


def of_pipe(told: Callable[[str], None]) -> TypedLines:
    """Lines of stdin, in UTF-8.

    Args:
        told: hears of bytes that are none.
    """

    def read(prompt: str) -> str:
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError
        text = line.rstrip(b"\r\n").decode("utf-8", "replace").removeprefix("\ufeff")
        if "\ufffd" in text and "\ufffd".encode() not in line:
            told("bytes that are not UTF-8 were replaced by U+FFFD")
        return text

    return TypedLines(read)
