"""A chat on a terminal or in a pipe: answers go to stdout as they come, everything else to stderr.

Ctrl-C stops an answer, not the chat. What a model says is shown without what steers a terminal.
"""

from __future__ import annotations

import sys
from typing import Any

from chejil import terminal
from chejil.errors import ChejilError
from chejil.eval.chatting import history
from chejil.eval.chatting.session import Chat, Quit, tokens_per_second
from chejil.eval.chatting.speaker import Spoken
from chejil.eval.chatting.typed_lines import TypedLines


def run(chat: Chat, lines: TypedLines) -> int:
    """Talk until the input ends; how many messages got no answer for an error."""
    failed = told = 0
    note(_greeting(chat.speaker))
    while True:
        told = _new_notes(chat.speaker, told)
        try:
            text = lines.message()
            if text is None:
                break
            failed += not _taken(chat, text)
        except Quit:
            break
        except KeyboardInterrupt:
            note("\nCtrl-D or /quit ends the chat")
    return failed


def _taken(chat: Chat, text: str) -> bool:
    try:
        said = chat.command(text)
        if said is not None:
            note(said)
        elif text.strip():
            answer(chat, text.strip())
    except ChejilError as error:
        note(str(error), "red")
        return False
    return True


def answer(chat: Chat, text: str) -> Spoken | None:
    """Ask and print; None if it was stopped.

    Raises:
        ChejilError: there is no answer.
    """
    pieces, spoken = chat.ask(text), None
    try:
        for piece in pieces:
            if isinstance(piece, Spoken):
                spoken = piece
            else:
                _write(terminal.visible(piece))
    except KeyboardInterrupt:
        pieces.close()
        _write("\n")
        note("stopped")
        return None
    except ChejilError:
        _write("\n")
        raise
    _write("\n")
    if spoken is not None:
        note(measured(spoken))
    return spoken


def measured(spoken: Spoken) -> str:
    """What is known of an answer, in a line."""
    speed = tokens_per_second(spoken)
    parts = [
        f"{spoken.new_tokens:,} tokens"
        if spoken.new_tokens is not None
        else f"{len(spoken.text):,} characters",
        f"{speed:,.1f} tokens/s" if speed is not None else None,
        f"{spoken.first_token_seconds:.2f} s to the first",
        "cut off at the longest answer or context" if spoken.finish == "length" else None,
        None if spoken.text.strip() else "empty, not kept",
        history.note(spoken.left_out),
    ]
    return " · ".join(part for part in parts if part)


def _greeting(speaker: Any) -> str:
    parts = [speaker.name, f"on {speaker.device}", speaker.dtype, f"template: {speaker.template}"]
    return " · ".join(part for part in parts if part) + " · /help"


def _new_notes(speaker: Any, told: int) -> int:
    for one in speaker.notes[told:]:
        note(one)
    return len(speaker.notes)


def note(text: str, style: str = "dim") -> None:
    """Something that is no answer."""
    sys.stdout.flush()
    terminal.STDERR.print(terminal.visible(text), style=style, highlight=False, markup=False, soft_wrap=True)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
