"""A conversation: the one shape in which every layout arrives, and what a record must be to become one.

    messages   [{role: system | user | assistant, content}], a system message first or nowhere, then user and
               assistant in turn, the assistant last
    id         the record's own, else `file#number`; `/k` behind it where one record gives several
    source     the file, as the paths name it
    lang       what the record says of itself, else None
    meta       all other fields of the record, as they were

A user's message that was an instruction with an input beside it keeps a third key, `instruction_chars`: content is
`instruction + "\\n\\n" + input`, so that any tool reads all of it, and a template that sets inputs apart (KULLM,
KoAlpaca) can cut it there.

Contents come in the form of the clean shards (curation/normalising: NFC, one kind of line end and space, no controls,
no white space in front and behind), since the base model has seen no other. So a first line of code loses its indent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import orjson
import xxhash

ROLES = ("system", "user", "assistant")
BETWEEN = "\n\n"
"""Between an instruction and its input."""

REASONS = MappingProxyType(
    {
        "no_answer": "no assistant's message, or the only one is empty: nothing to learn",
        "empty_turn": "a message of a conversation is empty or null",
        "role_twice": "two messages of one role follow each other",
        "begins_with_assistant": "the first message after the system's is an answer to nothing",
        "ends_with_user": "the last message has no answer",
        "late_system": "a system message that is not the first",
        "unknown_role": "a role that layouts.yaml does not list: tool, function, …",
        "not_text": "a content that is no text: a number, an object, an image",
        "no_text": "not one Hangul or Latin letter in the whole conversation",
        "unknown_layout": "no layout has such fields; --layout forces one",
        "broken_tree": "a message whose parent is not in the file, or that stands there twice",
        "reviewed_out": "a tree or message that its own editors deleted or that failed their review",
        "emptied": "curated: the edits of the run left nothing of a message",
        "masked_answer": "curated: of an answer only what a mask put there is left",
        "bad_json": "not JSON",
        "not_an_object": "JSON, but not an object",
        "bad_row": "the row does not fit the table",
        "invalid_utf8": "the bytes are not UTF-8, or a JSON escape names half a surrogate pair",
        "record_too_large": "one record above 64 MiB",
        "torn_stream": "the file ends or breaks here; whatever followed is lost",
    }
)
"""Every reason why a record, or a part of it, is no conversation."""

EXCERPT_CHARS = 200
OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters, which are no text (Unicode, 23.7): chat_encoding.py puts contents between them."""
_LETTER = re.compile("[A-Za-z\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")


class NotOne(Exception):
    """Why a record is no conversation: a key of REASONS, and what exactly."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        assert reason in REASONS, reason
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Fault:
    """A record, or one conversation of it, that is quarantined.

    Args:
        line: of JSON lines and plain text the line, of anything else the record; both from 1.
    """

    file: str
    line: int
    reason: str
    detail: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; see the top of the file."""

    id: str
    messages: tuple[dict[str, Any], ...]
    source: str
    line: int
    layout: str
    lang: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def num_answers(self) -> int:
        """Messages of the assistant."""
        return sum(message["role"] == "assistant" for message in self.messages)

    @property
    def text(self) -> str:
        """All contents, a blank line between them."""
        return BETWEEN.join(message["content"] for message in self.messages)

    @property
    def hash(self) -> bytes:
        """xxh3-128 of roles and contents, 16 bytes: equal conversations have equal ones."""
        return _hash(self.messages)

    @property
    def prompt_hash(self) -> bytes:
        """The same of what stands before the first answer."""
        end = next(n for n, message in enumerate(self.messages) if message["role"] == "assistant")
        return _hash(self.messages[:end])


def _hash(messages: Sequence[dict[str, Any]]) -> bytes:
    said = [(message["role"], message["content"]) for message in messages]
    return xxhash.xxh3_128_digest(orjson.dumps(said))


def checked(turns: Sequence[tuple[str, Sequence[str]]]) -> tuple[dict[str, Any], ...]:
    """The messages of turns, if they are a conversation.

    Args:
        turns: role and parts of the content: one, or an instruction and its input. An empty system message is left out.

    Raises:
        NotOne: the first thing that is wrong.

    >>> checked([("user", ["더해라", "1 + 2"]), ("assistant", ["3 세"])])[0]  # add it
    {'role': 'user', 'content': '더해라\\n\\n1 + 2', 'instruction_chars': 3}
    """
    messages = [_message(role, parts) for role, parts in turns]
    if messages and messages[0]["role"] == "system" and not messages[0]["content"].strip():
        del messages[0]
    _require_order(messages)
    _require_text(messages)
    return tuple(messages)


def _message(role: str, parts: Sequence[str]) -> dict[str, Any]:
    filled = [part for part in parts if part.strip()]
    message: dict[str, Any] = {"role": role, "content": BETWEEN.join(filled)}
    if len(filled) == 2:
        message["instruction_chars"] = len(filled[0])
    return message


def _require_order(messages: Sequence[dict[str, Any]]) -> None:
    talk = list(messages[1:] if messages and messages[0]["role"] == "system" else messages)
    roles = [message["role"] for message in talk]
    if "assistant" not in roles:
        raise NotOne("no_answer", f"{len(roles)} messages, none of the assistant")
    if "system" in roles:
        raise NotOne("late_system", f"message {roles.index('system') + 1 + len(messages) - len(talk)}")
    if roles[0] == "assistant":
        raise NotOne("begins_with_assistant", f"{len(roles)} messages")
    for number, (one, other) in enumerate(pairwise(roles), 1):
        if one == other:
            raise NotOne("role_twice", f"messages {number} and {number + 1} are both of {one}")
    if roles[-1] == "user":
        raise NotOne("ends_with_user", f"message {len(roles)} has no answer")


def _require_text(messages: Sequence[dict[str, Any]]) -> None:
    empty = [number for number, message in enumerate(messages, 1) if not message["content"].strip()]
    answers = sum(message["role"] == "assistant" for message in messages)
    if empty and messages[empty[0] - 1]["role"] == "assistant" and answers == 1:
        raise NotOne("no_answer", "the answer is empty")
    if empty:
        raise NotOne("empty_turn", f"message {empty[0]} of {len(messages)}")
    if any(mark in message["content"] for message in messages for mark in (OPEN, CLOSE)):
        raise NotOne("not_text", "a noncharacter, U+FDD0 or U+FDD1")
    if not any(_LETTER.search(message["content"]) for message in messages):
        raise NotOne("no_text", f"{sum(len(message['content']) for message in messages)} characters")
