"""Object storage that fails now and then: what is transient is tried again, and what stays wrong says so in one line.

`steady` puts itself around an fsspec file system: every call and every read is tried again, with waits that double and
are spread at random (so that a thousand workers do not come back together), while the error is one that passes: 500,
503, throttling, timeouts, lost connections. The waits sum up to about 90 seconds, beside the retries that s3fs and
botocore make themselves (5 each, within seconds). Errors of a storage client that are no `OSError` (no credentials, a
throttled request that botocore gave up on) become one, so that callers have one kind to catch.

A file is uploaded from a temporary file of the worker, whole and as often as need be: a part of an upload cannot be
repeated, a file can. It costs the disk of one shard a worker and buys that the hash is known without reading back.
"""

from __future__ import annotations

import errno
import logging
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Any, TypeVar

import fsspec

ATTEMPTS = 8
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 30.0
_BLOCK_BYTES = 8 << 20

_PASSING = {
    getattr(errno, name)
    for name in ("EAGAIN", "EBUSY", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "EIO",
                 "ENETUNREACH", "EPIPE", "EREMOTEIO", "ETIMEDOUT")
    if hasattr(errno, name)
}  # fmt: skip
"""s3fs calls 500 EREMOTEIO, 503 and SlowDown EBUSY, and whatever code it does not know EIO."""

_PASSING_KINDS = frozenset(
    {"ConnectionError", "HTTPClientError", "IncompleteReadError", "ResponseStreamingError", "ClientPayloadError",
     "ClientConnectionError", "ServerTimeoutError", "ResponseParserError"}
)  # fmt: skip
"""Classes of botocore and aiohttp, and with them those derived from them."""

_PASSING_CODES = ("SlowDown", "Throttl", "RequestLimitExceeded", "TooManyRequests", "RequestTimeout", "InternalError",
                  "ServiceUnavailable", "500", "502", "503", "504")  # fmt: skip

_CLIENTS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "s3fs", "urllib3")

_log = logging.getLogger("chejil.storage")

Result = TypeVar("Result")


class Retries:
    """How many calls this process has tried again."""

    count = 0


def steady(files: fsspec.AbstractFileSystem) -> fsspec.AbstractFileSystem:
    """The file system, each of its calls tried again while what goes wrong may pass."""
    return Steady(files)


class Steady:
    """Stands for a file system; what it does not say itself is the file system's own."""

    def __init__(self, files: fsspec.AbstractFileSystem) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._files, name)
        return partial(_tried, found) if callable(found) else found

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        """Open a file; what is read is read steadily, what is written goes through `upload`."""
        stream = _tried(self._files.open, path, mode, **options)
        return SteadyStream(stream, path) if mode == "rb" else stream


class SteadyStream:
    """A stream for reading, whose place does not move when a read fails."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self._stream, self._path = stream, path

    def read(self, size: int = -1) -> bytes:
        """Read, as often as it takes."""
        return retried(lambda: self._stream.read(size), self._path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> SteadyStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _tried(function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
    path = next((value for value in arguments if isinstance(value, str)), "")
    return retried(lambda: function(*arguments, **options), path)


def retried(call: Callable[[], Result], path: str) -> Result:
    """What a call returns, tried again while its error may pass.

    Raises:
        OSError: it did not pass, or is one that does not; with the path.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except Exception as error:
            if not passes(error) or attempt == ATTEMPTS:
                raise _as_os_error(error, path, attempt) from error
            seconds = min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) * random.uniform(
                0.5, 1.5
            )
            Retries.count += 1
            _log.warning(
                "%s: %s; tried again in %.1f s (%d of %d)", path, _said(error), seconds, attempt, ATTEMPTS - 1
            )
            time.sleep(seconds)
    raise AssertionError


def passes(error: BaseException) -> bool:
    """True if the same call may succeed a little later."""
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError):
        return False
    if _is_of_client(error):
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", "")).startswith(_PASSING_CODES)
        return bool(_PASSING_KINDS & {kind.__name__ for kind in type(error).__mro__})
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in _PASSING


def _is_of_client(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in _CLIENTS


def _as_os_error(error: Exception, path: str, attempts: int) -> Exception:
    """The error with its path; one of a storage client as an OSError."""
    again = f" (tried {attempts} times)" if attempts > 1 else ""
    if isinstance(error, OSError) and not again:
        if error.filename is None and error.errno is not None:
            error.filename = path
        return error
    if isinstance(error, OSError) or _is_of_client(error):
        return OSError(getattr(error, "errno", None) or errno.EIO, f"{_said(error)}{again}", path)
    return error


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def upload(source: IO[bytes], files: fsspec.AbstractFileSystem, path: str) -> None:
    """Write what a file holds as one object: it is there whole or not at all, whatever happens.

    Raises:
        OSError: the storage kept refusing.
    """
    retried(lambda: _send(source, files, path), path)


def _send(source: IO[bytes], files: fsspec.AbstractFileSystem, path: str) -> None:
    source.seek(0)
    stream = files.open(path, "wb")
    try:
        shutil.copyfileobj(source, stream, _BLOCK_BYTES)
        num_bytes = source.tell()
        stream.close()
    except BaseException:
        _discard(stream)
        raise
    if files.size(path) != num_bytes:
        raise OSError(errno.EIO, "the object is not as long as what was sent", path)


def _discard(stream: Any) -> None:
    """Give an upload up. Closing it would finish it, and so would forgetting it: half a shard must not look whole."""
    try:
        stream.discard() if hasattr(stream, "discard") else stream.abort()
    finally:
        stream.closed = True


def abort_uploads(files: Any, path: str) -> int:
    """End the multipart uploads below a path that a killed process has left: they cost, and are no files.

    Returns:
        How many; 0 where the storage has no such thing, or does not let us look.
    """
    if not hasattr(files, "list_multipart_uploads"):
        return 0
    bucket, _, prefix = path.partition("/")
    try:
        left = [upload for upload in files.list_multipart_uploads(bucket) if upload["Key"].startswith(prefix)]
        for unfinished in left:
            files.abort_mpu(bucket, unfinished["Key"], unfinished["UploadId"])
    except OSError as error:
        _log.warning("%s: cannot look for unfinished uploads: %s", path, _said(error))
        return 0
    return len(left)
