"""A chat: its messages, its sampling, and the commands that change them. Nothing here reads or prints.

An answer that is stopped, or breaks off, stays in the history as far as it was said: it is what stands on the screen.
An empty one leaves no turn: `messages` with an empty answer are no conversation to train on.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Generator, Mapping
from typing import Any

from pydantic import ValidationError

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.chatting import saved_chats
from chejil.eval.chatting.speaker import Sampling, Speaker, Spoken

_COMMAND = re.compile(r"/([a-zA-Z]+)(?:\s+(.*))?", re.DOTALL)
HELP = """/reset                  begin a new chat; the system message stays
/system TEXT            set the system message; without TEXT there is none
/params [NAME=VALUE …]  show or set temperature, top_p, top_k, repetition_penalty, max_new_tokens, seed
/save FILE              put this chat into FILE as a line of JSON: messages, as `chejil sft-data` reads them
/help                   this
/quit                   end; so does Ctrl-D. Ctrl-C stops an answer.
A line that ends in \\ goes on in the next; \"\"\" begins and ends a block of lines."""


class Quit(Exception):
    """The chat is over."""


class Chat:
    """One conversation with one speaker.

    Args:
        speaker: what answers.
        sampling: how.
        system: the system message.
    """

    def __init__(self, speaker: Speaker, sampling: Sampling, system: str | None = None) -> None:
        self.speaker, self.sampling = speaker, sampling
        self.system = system.strip() if system and system.strip() else None
        self.turns: list[dict[str, str]] = []
        self.id = _new_id()

    @property
    def messages(self) -> list[dict[str, str]]:
        """All that was said."""
        return [*([{"role": "system", "content": self.system}] if self.system else []), *self.turns]

    def ask(self, text: str) -> Generator[str | Spoken, None, None]:
        """The pieces of an answer; closing the iterator stops it.

        Raises:
            ChejilError: there is none; the question is then not kept.
        """
        question = {"role": "user", "content": text}
        said = ""
        try:
            for piece in self.speaker.speak([*self.messages, question], self.sampling):
                said += piece if isinstance(piece, str) else ""
                yield piece
        finally:
            # White space around it is the template's: kept, it would come twice in the next prompt.
            if said.strip():
                self.turns += [question, {"role": "assistant", "content": said.strip()}]

    def command(self, line: str) -> str | None:
        """What a command says; None if the line is none. `/etc/hosts` is none, `/rest` is a wrong one.

        Raises:
            ChejilError: it is wrong.
            Quit: the chat is over.
        """
        found = _COMMAND.fullmatch(line.strip())
        if found is None:
            return None
        name, rest = found[1].lower(), (found[2] or "").strip()
        if name not in _COMMANDS:
            mend = did_you_mean(f"/{name}", [f"/{one}" for one in _COMMANDS])
            raise ChejilError(f"no command /{name}", mend=mend)
        return _COMMANDS[name](self, rest)

    def _reset(self, rest: str) -> str:
        self.turns, self.id = [], _new_id()
        return "a new chat"

    def _system(self, rest: str) -> str:
        self.system = rest or None
        return f"system message: {self.system}" if self.system else "no system message"

    def _params(self, rest: str) -> str:
        if rest:
            self.sampling = changed(self.sampling, rest)
        return "\n".join(f"{name}={_written(value)}" for name, value in self.sampling.model_dump().items())

    def _save(self, rest: str) -> str:
        if not rest:
            raise ChejilError("save it where?", mend="/save chats.jsonl")
        if not self.turns:
            raise ChejilError("nothing was said yet", mend="ask something first")
        count = saved_chats.save(rest, {"id": self.id, "messages": self.messages, "model": self.speaker.name})
        return f"saved: {rest}, {count} chat{'s' if count > 1 else ''}"

    def _help(self, rest: str) -> str:
        return HELP

    def _quit(self, rest: str) -> str:
        raise Quit


_COMMANDS: Mapping[str, Callable[[Chat, str], str]] = {
    "reset": Chat._reset, "system": Chat._system, "params": Chat._params, "save": Chat._save, "help": Chat._help,
    "quit": Chat._quit, "exit": Chat._quit,
}  # fmt: skip


def _written(value: Any) -> str:
    return "null" if value is None else str(value)


def _new_id() -> str:
    return f"chat-{uuid.uuid4().hex[:12]}"


def changed(sampling: Sampling, settings: str) -> Sampling:
    """Sampling with other values.

    Args:
        settings: `temperature=0.2 top_k=0`; `seed=null` takes the seed away.

    Raises:
        ChejilError: no such name, or no such value.

    >>> changed(Sampling(), "top_k=0, seed=1").top_k
    0
    """
    fields: dict[str, Any] = {}
    for one in re.split(r"[\s,]+", settings.strip(" ,")):
        name, equals, value = one.partition("=")
        if name not in Sampling.model_fields:
            raise ChejilError(f"no parameter '{name[:40]}'", mend=did_you_mean(name, Sampling.model_fields))
        if not equals:
            raise ChejilError(f"which {name}?", mend=f"/params {name}=VALUE")
        fields[name] = None if value.lower() in ("null", "none") else value
    return sampling_of({**sampling.model_dump(), **fields})


def sampling_of(fields: Mapping[str, Any]) -> Sampling:
    """Sampling of given fields.

    Raises:
        ChejilError: a value is none.
    """
    try:
        return Sampling.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        what = f"{name}={str(first['input'])[:40]}: {first['msg'].lower()}"
        raise ChejilError(what, mend=Sampling.model_fields[name].description) from None


def tokens_per_second(spoken: Spoken) -> float | None:
    """Tokens behind the first, over the seconds behind the first: what a reader waits for. None of fewer than two."""
    seconds = spoken.seconds - spoken.first_token_seconds
    if spoken.new_tokens is None or spoken.new_tokens < 2 or seconds <= 0:
        return None
    return (spoken.new_tokens - 1) / seconds
