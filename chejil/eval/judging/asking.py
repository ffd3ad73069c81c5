"""Many questions at once: threads that ask, and an end when there is no use in going on.

What is asked waits for the network, so threads do as well as anything. A question that gets no reply is left out and
counted; three in a row without a reply between them mean that the endpoint is down, and the run ends with what was done
kept. An endpoint that refuses (a wrong key) ends it at once. Threads are daemons: Ctrl-C waits GRACE_SECONDS for
replies under way, which are paid for, and not for the 120 s that one may take.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.eval.judging.endpoint import Endpoint, NoReply, Reply, Stopped
from chejil.eval.judging.transcripts import Transcripts

DOWN_AFTER = 3
GRACE_SECONDS = 3.0
Asked = TypeVar("Asked")
Found = TypeVar("Found")


def ask_all(
    stage: str,
    asked: Mapping[str, Asked],
    ask: Callable[[Asked], Found],
    endpoint: Endpoint,
    concurrency: int,
    progress: Progress,
) -> tuple[dict[str, Found], dict[str, str]]:
    """Ask everything, by its name.

    Returns:
        What was found, and of the others why not, both in the order of `asked`.

    Raises:
        ChejilError: the endpoint refuses, or is down; what came before is in the transcripts.
    """
    progress.start(stage, len(asked), 0)
    results, threads = _started(asked, ask, endpoint, concurrency)
    found: dict[str, Found] = {}
    failed: dict[str, str] = {}
    in_a_row = 0
    try:
        for _ in asked:
            name, value, error = results.get()
            if isinstance(error, NoReply):
                failed[name] = str(error)
                in_a_row += 1
            elif error is not None:
                raise error
            else:
                found[name], in_a_row = value, 0
            progress.advance(stage, name, error=f"{name}: {failed[name]}" if name in failed else None)
            if in_a_row == DOWN_AFTER:
                raise _down(endpoint, failed[name])
    finally:
        endpoint.gate.stop.set()
        end = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    progress.finish(stage)
    return _ordered(asked, found), _ordered(asked, failed)


def _started(
    asked: Mapping[str, Any], ask: Callable[[Any], Any], endpoint: Endpoint, concurrency: int
) -> tuple[queue.SimpleQueue, list[threading.Thread]]:
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    results: queue.SimpleQueue = queue.SimpleQueue()
    for pair in asked.items():
        waiting.put(pair)

    def work() -> None:
        while not endpoint.gate.stop.is_set():
            try:
                name, one = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results.put((name, ask(one), None))
            except BaseException as error:  # whatever it is, the thread that waits raises it
                results.put((name, None, error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(concurrency, len(asked)))]
    for thread in threads:
        thread.start()
    return results, threads


def _ordered(asked: Mapping[str, Any], found: Mapping[str, Found]) -> dict[str, Found]:
    return {name: found[name] for name in asked if name in found}


def _down(endpoint: Endpoint, said: str) -> ChejilError:
    return ChejilError(
        f"the endpoint gives no replies: {said}",
        where=endpoint.url,
        mend="the same command goes on where it stopped, when the endpoint is back",
    )


def cached(endpoint: Endpoint, transcripts: Transcripts, body: dict[str, Any]) -> Reply:
    """The reply that there is, or a new one.

    Raises:
        NoReply: the endpoint gives none.
        Stopped: the run ends.
    """
    if endpoint.gate.stop.is_set():
        raise Stopped
    reply = transcripts.get(body)
    if reply is None:
        reply = endpoint.chat(body)
        transcripts.add(body, reply)
    return reply
