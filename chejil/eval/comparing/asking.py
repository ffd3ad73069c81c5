"""One question to several models: pieces of all answers as they come.

Models on one device speak one after the other: two that share a device would each take twice as long, and their tokens
a second would be of no use. Those on different devices, and each endpoint, speak at once. Lanes are locked for the
whole process, so two people who ask at the same time do not slow each other's model down either; one waits.

A model that fails says so in its own column; the others go on. Closing the generator stops all of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Messages, Sampling, Speaker, Spoken


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer."""

    what: str


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of the answer of model number `model`; a `Spoken` or `Failed` is its last."""

    model: int
    piece: str | Spoken | Failed


Events = Generator[Event, None, None]

_locks: dict[str, threading.Lock] = {}
_TURN_SECONDS = 0.2


def lane(speaker: Speaker) -> str:
    """What a speaker shares with others: its device; an endpoint, whose device is a URL, shares nothing."""
    device = str(getattr(speaker, "device", None) or "://")
    return f"endpoint {id(speaker)}" if "://" in device else f"device {device}"


def ask(
    speakers: Sequence[Speaker], histories: Sequence[Messages], sampling: Sampling, order: Sequence[int] = ()
) -> Events:
    """Answers of all, mixed as they come.

    Args:
        histories: what each is to answer: one conversation a speaker.
        order: in which those of one lane speak; as they stand where it is empty.
    """
    lanes: dict[str, list[int]] = {}
    for number in order or range(len(speakers)):
        lanes.setdefault(lane(speakers[number]), []).append(number)
    asked = _Asked(speakers, histories, sampling)
    threads = [
        threading.Thread(target=asked.speak, args=(name, numbers), daemon=True, name=f"asks {name}")
        for name, numbers in lanes.items()
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(speakers)):
            yield from asked.until_one_ends()
    finally:
        asked.stop.set()


class _Asked:
    """What threads and their listener share."""

    def __init__(
        self, speakers: Sequence[Speaker], histories: Sequence[Messages], sampling: Sampling
    ) -> None:
        self._speakers, self._histories, self._sampling = speakers, histories, sampling
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.stop = threading.Event()

    def until_one_ends(self) -> Events:
        """Events up to the next that is a model's last."""
        while True:
            event = self._events.get()
            yield event
            if not isinstance(event.piece, str):
                return

    def speak(self, name: str, numbers: Sequence[int]) -> None:
        """Let the models of a lane speak, one after the other, while nobody else uses it."""
        lock = _locks.setdefault(name, threading.Lock())
        while not lock.acquire(timeout=_TURN_SECONDS):
            if self.stop.is_set():
                return
        try:
            for number in numbers:
                if not self.stop.is_set():
                    self._one(number)
        finally:
            lock.release()
            if name.startswith("endpoint"):
                _locks.pop(name, None)

    def _one(self, number: int) -> None:
        last: Spoken | Failed = Failed("the model ended without saying how")
        try:
            pieces = self._speakers[number].speak(self._histories[number], self._sampling)
            with closing(pieces) as spoken:  # type: ignore[type-var]
                for piece in spoken:
                    if isinstance(piece, Spoken):
                        last = piece
                    else:
                        self._events.put(Event(number, piece))
                    if self.stop.is_set():
                        return
        except ChejilError as error:
            last = Failed(str(error))
        except Exception as error:  # out of memory, a bug of a model's own code: the other columns go on
            last = Failed(f"{type(error).__name__}: {error}")
        self._events.put(Event(number, last))


def answers(events: Events, count: int) -> Mapping[int, Spoken | Failed]:
    """Wait for all; the last of each of `count` models."""
    found = {event.model: event.piece for event in events if not isinstance(event.piece, str)}
    assert len(found) == count
    return found


def tokens_a_second(end: Spoken) -> float | None:
    """Of those behind the first, whose time is the prompt's; None of fewer than two.

    >>> tokens_a_second(Spoken("a b c", "stop", 0.5, 1.5, new_tokens=3))
    2.0
    """
    seconds = end.seconds - end.first_token_seconds
    return (end.new_tokens - 1) / seconds if end.new_tokens and end.new_tokens > 1 and seconds > 0 else None
