"""A model behind an OpenAI-compatible endpoint that answers, piece by piece (server-sent events).

Key, back-off and errors are those of eval/judging/endpoint.py. Before the first piece a request is tried again; an
answer that breaks off later is not, since it was half shown. Fields that OpenAI does not know (`top_k`,
`repetition_penalty`; vLLM and SGLang do) are taken out once an endpoint refuses a request with them, and a note says
so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Messages, Sampling, Spoken
from chejil.eval.judging.endpoint import Endpoint, EndpointSettings, NoReply, Refused
from chejil.eval.judging.prompts import well_formed

_BEYOND = ("top_k", "repetition_penalty", "stream_options")
_TRIES = 3


class EndpointSpeaker:
    """See Speaker.

    Args:
        url: up to /v1.
        model: its name there.
        key_env: the environment variable that holds the key.
        name: for people.
    """

    def __init__(self, url: str, model: str, key_env: str | None = None, name: str | None = None) -> None:
        self.name = name or model
        self.device, self.dtype, self.template = url, None, "the endpoint's own"
        self.notes: list[str] = []
        self._endpoint = Endpoint(EndpointSettings(url=url, key_env=key_env, tries=_TRIES), model).__enter__()
        self._left_out: tuple[str, ...] = ()

    def speak(self, messages: Messages, sampling: Sampling) -> Iterator[str | Spoken]:
        """See Speaker.

        Raises:
            ChejilError: the endpoint refuses, is down, or breaks off.
        """
        start = time.perf_counter()
        text, first, finish = "", 0.0, "length"
        usage: dict[str, Any] = {}
        for event in self._events(messages, sampling):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                piece = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
                finish = choice.get("finish_reason") or finish
                if piece := self._endpoint.struck(well_formed(piece)):
                    first = first or time.perf_counter() - start
                    text += piece
                    yield piece
        seconds = time.perf_counter() - start
        counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
        yield Spoken(text, finish, first or seconds, seconds, *counts)

    def close(self) -> None:
        """Let go of the connection."""
        self._endpoint.__exit__()

    def _events(self, messages: Messages, sampling: Sampling) -> Iterator[dict[str, Any]]:
        try:
            try:
                yield from self._endpoint.stream(self._body(messages, sampling))
            except Refused as error:
                if error.status not in (400, 422) or not self._leave_out(sampling):
                    raise
                yield from self._endpoint.stream(self._body(messages, sampling))
        except NoReply as error:
            mend = "see whether it runs, and whether the URL is right"
            raise ChejilError(f"no answer: {error}", where=self._endpoint.url, mend=mend) from None

    def _leave_out(self, sampling: Sampling) -> bool:
        """Whether there is a field that can be left out from now on."""
        if self._left_out:
            return False
        self._left_out = _BEYOND
        sent = [name for name in ("top_k", "repetition_penalty") if name in _beyond(sampling)]
        if sent:
            self.notes.append(f"this endpoint does not know {' and '.join(sent)}: left out")
        return True

    def _body(self, messages: Messages, sampling: Sampling) -> dict[str, Any]:
        options: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "seed": sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            **_beyond(sampling),
        }
        kept = {name: value for name, value in options.items() if name not in self._left_out}
        return self._endpoint.body([dict(one) for one in messages], kept)


def _beyond(sampling: Sampling) -> dict[str, Any]:
    """Fields that not every endpoint knows, where they would change anything."""
    found: dict[str, Any] = {"top_k": sampling.top_k} if sampling.top_k else {}
    if sampling.repetition_penalty != 1:
        found["repetition_penalty"] = sampling.repetition_penalty
    return found
