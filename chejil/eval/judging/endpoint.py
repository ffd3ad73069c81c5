"""An OpenAI-compatible endpoint: one call, tried again as long as that can help.

Tried again: no connection, a cut one, silence, 408, 409, 425, 429, 5xx, and a body that is no reply. Waits double from
`first_wait_seconds`, with a random part so that threads do not come back together; `Retry-After` (seconds or a date) is
obeyed, and then every thread waits, since a limit is the account's and not the request's. Refused at once: 400, 401,
403, 404 and the like, redirects too (they could carry the key elsewhere). A reply has a deadline for all of it: a byte
a minute keeps httpx's read timeout quiet for ever.

The key comes from an environment variable, goes into one header, and is struck out of whatever the endpoint sends back.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError
from chejil.eval.judging.event_stream import events
from chejil.eval.judging.gate import Gate, Stopped
from chejil.eval.judging.prompts import well_formed
from chejil.eval.judging.rubrics import Messages

_AGAIN = frozenset({408, 409, 425, 429})
_MAX_BYTES = 8 << 20
_STRUCK = "[key]"
Found = TypeVar("Found")
__all__ = ["Endpoint", "EndpointSettings", "NoReply", "Refused", "Reply", "Stopped"]


class EndpointSettings(BaseModel):
    """How an endpoint is called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Up to /v1; /chat/completions is added where it is not there.")
    key_env: str | None = Field(
        None, description="The environment variable that holds the key; null: no key."
    )
    timeout_seconds: float = Field(120, gt=0, description="For a whole reply.")
    tries: int = Field(6, ge=1, description="Of one request.")
    first_wait_seconds: float = Field(1.0, ge=0, description="After the first failure; then twice as long.")
    longest_wait_seconds: float = Field(120, ge=0, description="A longer Retry-After ends the request.")
    per_minute: float | None = Field(None, gt=0, description="Requests a minute at most.")
    body: dict[str, Any] = Field({}, description="Fields of the request; null takes one out.")


@dataclass(frozen=True)
class Reply:
    """A reply, and the tokens that the endpoint counted (None: it does not say)."""

    text: str
    finish: str | None = None
    prompt_tokens: int | None = None
    reply_tokens: int | None = None


class NoReply(Exception):
    """A request that was tried as often as allowed; the text says what came last."""


class _Again(Exception):
    """A failure that may pass; `wait_seconds` is what the endpoint asked for."""

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


class Refused(ChejilError):
    """A request that will not be taken however often it is sent."""

    status = 0


class Endpoint:
    """A context manager; `chat` may be called from many threads."""

    def __init__(self, settings: EndpointSettings, model: str) -> None:
        self.settings, self.model = settings, model
        self.url = _url(settings.url)
        self.gate = Gate(settings.per_minute)
        self._key = _key(settings.key_env)
        self._http = _library()

    def __enter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = self._http.Limits(max_connections=None)
        self._client = self._http.Client(
            timeout=self.settings.timeout_seconds, headers=headers, limits=limits
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def body(self, messages: Messages, options: dict[str, Any]) -> dict[str, Any]:
        """What is sent; fields of the settings overrule `options`."""
        whole = {"model": self.model, "messages": messages, **options, **self.settings.body}
        return {name: value for name, value in whole.items() if value is not None}

    def chat(self, body: dict[str, Any]) -> Reply:
        """Send a request until there is a reply.

        Raises:
            NoReply: it was tried as often as allowed.
            Refused: the endpoint refuses what is sent.
            Stopped: the run ends.
        """
        return self._tried(lambda: self._once(body))

    def stream(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request until it is taken, and give its events as they come; closing the iterator hangs up.

        Raises:
            NoReply: it was tried as often as allowed, or the stream broke off.
            Refused: the endpoint refuses what is sent.
            Stopped: the run ends.
        """
        response = self._tried(lambda: self._opened(body))
        try:
            yield from events(response.iter_bytes())
        except self._http.TransportError as error:
            raise NoReply(f"{type(error).__name__} at {self.url}, in the middle of an answer") from None
        except ValueError as error:
            raise NoReply(f"no event of a stream: {self._said(str(error).encode())}") from None
        finally:
            response.close()

    def _tried(self, once: Callable[[], Found]) -> Found:
        wait = self.settings.first_wait_seconds
        for number in range(1, self.settings.tries + 1):
            self.gate.enter()
            try:
                return once()
            except _Again as error:
                if number == self.settings.tries:
                    raise NoReply(f"{error} (tried {number} times)") from None
                if (error.wait_seconds or 0) > self.settings.longest_wait_seconds:
                    raise NoReply(f"{error}; it asks to wait {error.wait_seconds:,.0f} s") from None
                if error.wait_seconds is not None:
                    self.gate.close(error.wait_seconds)
                # Not for secrets: threads that failed together are not to come back together.
                self.gate.pause(max(error.wait_seconds or 0.0, wait * random.uniform(0.5, 1.0)))
                wait = min(2 * wait, self.settings.longest_wait_seconds)
        raise AssertionError

    def _once(self, body: dict[str, Any]) -> Reply:
        try:
            status, headers, content = self._sent(body)
        except self._http.TransportError as error:
            # Names alone: an error's text may quote a header.
            raise _Again(f"{type(error).__name__} at {self.url}") from None
        if status == 200:
            return self._reply(content)
        raise self._refusal(status, headers, content)

    def _opened(self, body: dict[str, Any]) -> Any:
        request = self._client.build_request("POST", self.url, json=body)
        try:
            response = self._client.send(request, stream=True)
            if response.status_code == 200:
                return response
            with closing(response):
                content = response.read()
        except self._http.TransportError as error:
            raise _Again(f"{type(error).__name__} at {self.url}") from None
        raise self._refusal(response.status_code, response.headers, content)

    def _refusal(self, status: int, headers: Any, content: bytes) -> Exception:
        said = self._said(content)
        if status in _AGAIN or status >= 500:
            return _Again(f"status {status}: {said}", _retry_after(headers))
        what, mend = f"the endpoint refuses: status {status}: {said}", _mend(status, self.settings)
        refused = Refused(what, where=self.url, mend=mend)
        refused.status = status
        return refused

    def _sent(self, body: dict[str, Any]) -> tuple[int, Any, bytes]:
        end = time.monotonic() + self.settings.timeout_seconds
        content = bytearray()
        with self._client.stream("POST", self.url, json=body) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > end:
                    raise _Again(f"no whole reply in {self.settings.timeout_seconds:g} s")
                if len(content) > _MAX_BYTES:
                    raise _Again(f"a reply of more than {_MAX_BYTES >> 20} MB")
            return response.status_code, response.headers, bytes(content)

    def _reply(self, content: bytes) -> Reply:
        try:
            found = json.loads(content)
            choice, usage = found["choices"][0], found.get("usage") or {}
            text = choice["message"]["content"] or ""
            if not isinstance(text, str):
                raise TypeError
            return Reply(
                self.struck(well_formed(text)), choice.get("finish_reason"), _count(usage, "prompt_tokens"),
                _count(usage, "completion_tokens"),
            )  # fmt: skip
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            raise _Again(f"status 200 without a reply: {self._said(content)}") from None

    def _said(self, content: bytes) -> str:
        text = self.struck(content.decode("utf-8", "replace"))
        return " ".join(text.split())[:200] or "nothing"

    def struck(self, text: str) -> str:
        """A text of the endpoint without the key: some quote it in their errors."""
        return text.replace(self._key, _STRUCK) if self._key else text


def _library() -> Any:
    for name in ("httpx", "httpx2"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ChejilError("calls to an endpoint need httpx", mend="pip install 'chejil[eval]'")


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        has_login = bool(parts.username or parts.password)
    except ValueError:
        raise ChejilError(f"no URL: {url[:80]}", mend="e.g. https://api.example.com/v1") from None
    if has_login:
        raise ChejilError("a URL with a password in it", mend="give the key by --key-env NAME")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChejilError(f"no URL of an endpoint: {url[:80]}", mend="e.g. http://localhost:8000/v1")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return parts._replace(path=path).geturl()


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        mend = f"export {name}=…, or name another variable with --key-env; without a key leave --key-env out"
        raise ChejilError(f"the environment variable {name[:60]} holds no key", mend=mend)
    if not (key.isascii() and key.isprintable()):
        raise ChejilError(
            f"what {name} holds is no key: it has other letters than ASCII", mend="copy it again"
        )
    return key


def _retry_after(headers: Any) -> float | None:
    """Seconds that a reply asks to wait: a number, or until a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) else None


def _mend(status: int, settings: EndpointSettings) -> str:
    if status in (401, 403):
        held = f"what {settings.key_env} holds" if settings.key_env else "no key was sent: --key-env NAME"
        return f"see whether the key is right ({held})"
    if status == 404 or 300 <= status < 400:
        return "see whether the URL (up to /v1) and the model's name are right"
    return "a field that it does not know is taken out by --body NAME=null, e.g. --body temperature=null"
