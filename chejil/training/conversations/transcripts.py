"""Plain text in which a line begins with who speaks: `<사람>: …`, `<챗봇>: …` (human, chatbot), as KoChatGPT has it.

A conversation begins behind a line `<<start conversation>>`; a line that names nobody goes on with the message before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chejil.training.conversations.conversation import NotOne
from chejil.training.conversations.layouts import Draft, role_of

START = re.compile(r"\s*<<\s*start conversation\s*>>\s*$", re.IGNORECASE)
SPEAKER = re.compile(r"\s*<([^<>:]{1,20})>\s*:[ \t]?(.*)$", re.DOTALL)


def is_transcript(first: str) -> bool:
    """Whether a file whose first line that is not blank is `first` is one."""
    return bool(START.match(first) or SPEAKER.match(first))


def drafts(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, Draft]]:
    """Conversations with the line that each begins in, and their text.

    Args:
        lines: number and text, without line ends.
    """
    number, held = 0, list[str]()
    for at, line in lines:
        if START.match(line):
            if held:
                yield number, "\n".join(held), _draft(held)
            number, held = at, []
        elif line.strip() or held:
            number = number or at
            held.append(line)
    if held:
        yield number, "\n".join(held), _draft(held)


def _draft(lines: list[str]) -> Draft:
    turns: list[tuple[str, list[str]]] = []
    try:
        for line in lines:
            speaker = SPEAKER.match(line)
            if speaker:
                turns.append((role_of(speaker[1]), [speaker[2]]))
            elif turns:
                turns[-1][1][0] += "\n" + line
            else:
                raise NotOne("unknown_role", "a line without a speaker before the first")
    except NotOne as why:
        return Draft(fault=why)
    return Draft(turns)
