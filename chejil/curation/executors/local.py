"""Where units of work are done on this machine: in this process, or in a pool of processes that each start fresh.

Processes are spawned, never forked: Polars, Arrow and Numba hold threads that do not survive a fork. Each worker
gets one thread of each library, so that N workers are N cores. A worker watches its parent and leaves when it is
gone, since a pool's workers otherwise wait for ever after `kill -9`. A unit may be killed at any moment, so Ctrl-C and
SIGTERM end the workers at once; after an error the units that are begun are let end, so that no work is lost.

Slurm and Ray are in scheduled.py; each of their tasks does its units by this module.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import pyarrow as pa

from chejil.errors import ChejilError, RunError, SourceError

ONE_THREAD = dict.fromkeys(
    ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "ARROW_IO_THREADS"),
    "1",
)
_PARENT_CHECK_SECONDS = 1.0


class Outcome(NamedTuple):
    """A finished call: its name, and its result or the error that stopped it."""

    name: str
    result: Any
    error: ChejilError | None


class Executor:
    """Does named calls on `workers` processes; with one worker, in this process. A context manager.

    The pool starts with the first call and lives until the end of the block, so importing Numba and Polars is
    paid once a worker and not once a stage, and not at all if there is nothing to do.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            if kind is not None and not issubclass(kind, Exception):  # Ctrl-C, SIGTERM
                for worker in list(self._pool._processes.values()):
                    worker.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def do(
        self, calls: Iterable[tuple[str, Callable[..., Any], tuple]], stage: str = "", gather: bool = False
    ) -> Iterator[Outcome]:
        """Outcomes as they come; a file that cannot be read stops its own call alone.

        Args:
            stage, gather: what the calls belong to; for executors that ask for machines.

        Raises:
            RunError: a worker died (killed, out of memory), or the system refused a file: no space, no permission.
        """
        if self.workers == 1:
            for name, function, arguments in calls:
                yield _called(name, function, arguments)
            return
        yield from self._on_pool(list(calls))

    def _on_pool(self, calls: list[tuple[str, Callable[..., Any], tuple]]) -> Iterator[Outcome]:
        pool = self._started()
        name = calls[0][0] if calls else ""
        try:
            # A worker may die before the last call is handed over.
            waiting: dict[Future, str] = {pool.submit(_called, *call): call[0] for call in calls}
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = waiting.pop(future)
                    yield future.result()
        except BrokenProcessPool:
            raise RunError(
                "a worker process died: killed, or out of memory",
                where=name,
                mend="run the same command again, it goes on where it stopped; with fewer --workers",
            ) from None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            os.environ.update(ONE_THREAD)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.workers, context, initializer=_leave_with, initargs=(os.getpid(),)
            )
        return self._pool


def _called(name: str, function: Callable[..., Any], arguments: tuple) -> Outcome:
    try:
        result, error = function(*arguments), None
    except SourceError as stopped:
        result, error = None, stopped
    except OSError as refused:
        raise _refusal(refused, name) from refused
    finally:
        _give_back_memory()
    return Outcome(name, result, error)


def _give_back_memory() -> None:
    """Each allocator keeps what is freed, out of the reach of the other: a fifth of a process that does every stage."""
    pa.default_memory_pool().release_unused()
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)  # of glibc alone


def _refusal(error: OSError, name: str) -> RunError:
    """What the system said, with what to do: nothing that was finished is lost."""
    again = "run the same command again, it goes on where it stopped"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return RunError(
        error.strerror or str(error),
        where=str(error.filename or name),
        mend=f"free some space, then {again}" if full else again,
    )


def _leave_with(parent: int) -> None:
    # Ctrl-C reaches the whole group: the parent answers it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_with(parent)


def leave_with(parent: int) -> None:
    """End this process when its parent has gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
