"""A conversation as one text, and back again after a run has edited it.

A text is the contents in order, MESSAGE between two messages and INPUT between an instruction and its input: four and
three blank lines. Contents have at most two in a row, and none in front and behind, since they are normalised when they
are read, so no content holds a border; a run keeps four (recipes.py sees to it). A border of its own character would
be a broken character to the signals: U+FDD0 made 12,134 of 19,852 conversations damaged by `broken_share`.

A run changes a text by spans. They are laid over one another as the curation itself does it (changes/pieces.py), and
what stands there now goes to the part in which its span begins. A span that crosses a border takes from each part
what it covers, and the border stays: no edit makes one message of two. About 6 µs an edit; a text without one is split.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chejil.curation.changes.pieces import Span, pieces
from chejil.errors import RunError
from chejil.training.conversations.conversation import BETWEEN, NotOne, checked

BLANK_LINES = 4
"""The most blank lines in a row that a run must leave as they are."""

MESSAGE, INPUT = "\n" * (BLANK_LINES + 1), "\n" * BLANK_LINES
"""Between two messages; between an instruction and its input."""

_BORDER = re.compile(INPUT.encode() + b"+")
_SPACE = " \n"
"""White space of normalised texts."""


def text_of(messages: Sequence[dict[str, Any]]) -> str:
    """The text of a conversation.

    >>> text_of(
    ...     [
    ...         {"role": "user", "content": "a\\n\\nb", "instruction_chars": 1},
    ...         {"role": "assistant", "content": "c"},
    ...     ]
    ... )
    'a\\n\\n\\n\\nb\\n\\n\\n\\n\\nc'
    """
    return MESSAGE.join(INPUT.join(_parts(message)) for message in messages)


def _parts(message: dict[str, Any]) -> list[str]:
    content, at = message["content"], message.get("instruction_chars")
    return [content] if at is None else [content[:at], content[at + len(BETWEEN) :]]


def messages_of(text: str, roles: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """The messages of a text that nothing has edited.

    Raises:
        RunError: it has another number of messages: it is no text of `text_of`.

    >>> messages_of("a\\n\\n\\n\\n\\nc", ["user", "assistant"])[1]
    {'role': 'assistant', 'content': 'c'}
    """
    contents = [content.split(INPUT) for content in text.split(MESSAGE)]
    _require(len(contents), roles)
    return tuple(_message(role, parts) for role, parts in zip(roles, contents, strict=True))


def _require(found: int, roles: Sequence[str]) -> None:
    if found != len(roles):
        what = f"{found} messages where {len(roles)} were read"
        raise RunError(what, mend="remove the folder, and curate again")


def _message(role: str, parts: Sequence[str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": BETWEEN.join(parts)}
    if len(parts) == 2:
        message["instruction_chars"] = len(parts[0])
    return message


@dataclass(slots=True)
class Part:
    """What stands between two borders of the original text: now, and as far as no edit has touched it.

    `border` is the one in front of it, empty for the first.
    """

    border: str
    pieces: list[bytes] = field(default_factory=list)
    own: list[bytes] = field(default_factory=list)
    edited: bool = False

    @property
    def text(self) -> str:
        """What stands there now."""
        return b"".join(self.pieces).decode()

    @property
    def content(self) -> str:
        """The same as a content: without white space in front and behind."""
        return self.text.strip(_SPACE)

    @property
    def is_filled_in(self) -> bool:
        """Whether edits wrote all of its words: none of its own letters or digits is left."""
        return self.edited and not any(map(str.isalnum, b"".join(self.own).decode()))


def edited_parts(text: str, layers: Iterable[Sequence[Span]]) -> list[Part]:
    """The parts of a text under the edits of transform after transform; as many as before.

    Args:
        layers: as `changes.row_edits.Layers` gives them; bytes of the text that each transform read.

    Returns:
        Parts whose texts, joined, are the edited text without what is left of its borders.

    >>> from chejil.curation.changes.pieces import Mark
    >>> [
    ...     one.text
    ...     for one in edited_parts("ab\\n\\n\\n\\n\\ncd", [[Span(1, 8, Mark("mask_pii", "phone"), b"#")]])
    ... ]
    ['a#', 'd']
    """
    borders = [found.span() for found in _BORDER.finditer(text.encode())]
    starts, ends = [start for start, _ in borders], [0, *(end for _, end in borders)]
    parts = [Part(""), *(Part("\n" * (end - start)) for start, end in borders)]
    at = 0
    for piece in pieces(text, layers):
        end = at + len(piece.before)
        first, last = bisect_right(starts, at), bisect_right(starts, max(at, end - 1))
        if piece.changed:
            parts[first].pieces.append(piece.after)
            for part in parts[first : last + 1]:
                part.edited = True
        else:
            for number in range(first, last + 1):
                stop = starts[number] if number < len(starts) else end
                kept = piece.after[max(0, ends[number] - at) : max(0, min(stop, end) - at)]
                parts[number].pieces.append(kept)
                parts[number].own.append(kept)
        at = end
    return parts


def edited_messages(
    text: str, roles: Sequence[str], layers: Iterable[Sequence[Span]]
) -> tuple[dict[str, Any], ...]:
    """The messages of a text under the edits of a run.

    Raises:
        NotOne: `emptied`, a message has nothing left; `masked_answer`, an answer has nothing of its own left.
        RunError: it has another number of messages: it is no text of `text_of`.
    """
    found = _by_message(edited_parts(text, layers))
    _require(len(found), roles)
    for number, (role, parts) in enumerate(zip(roles, found, strict=True), 1):
        said = [part for part in parts if part.content]
        if role == "assistant" and said and all(part.is_filled_in for part in said):
            raise NotOne("masked_answer", f"message {number} of {len(roles)}")
    turns = [(role, [part.content for part in parts]) for role, parts in zip(roles, found, strict=True)]
    try:
        return checked(turns)
    except NotOne as why:
        raise NotOne("emptied", why.detail) from None


def _by_message(parts: Iterable[Part]) -> list[list[Part]]:
    found: list[list[Part]] = []
    for part in parts:
        if part.border == INPUT:
            found[-1].append(part)
        else:
            found.append([part])
    return found
