"""Model files that a recipe names: a local path or a URL, as a file of this machine and as a hash.

fastText and its like read local files alone, so a model at a URL is copied once, into a cache by the URL and the
mark that changes with its content. Its content hash stands for it in the stage key and in the manifest: a model
that moves is the same model, and one that was trained again under the same name is another.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path

import fsspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

from chejil.curation import shards
from chejil.errors import ChejilError, RunError

CACHE = Path("~/.cache/chejil/models")
TOKENIZER = "tokenizer.json"


def local_file(url: str, cache: Path = CACHE) -> str:
    """The path of a model on this machine, copied into the cache if it lies elsewhere.

    A folder as Hugging Face's libraries write it stands for its tokenizer.json.

    Raises:
        ChejilError: there is no such file.
    """
    files, path = shards.file_system(url)
    try:
        if files.isdir(path):
            path, url = f"{path.rstrip('/')}/{TOKENIZER}", shards.join(url, TOKENIZER)
        if not files.isfile(path):
            raise ChejilError("no such model file", where=url, mend=_what_is_near(files, path))
        if isinstance(files, LocalFileSystem):
            return path
        return _copied(files, path, url, cache.expanduser())
    except OSError as error:
        raise ChejilError(f"cannot read the model: {error}", where=url) from error


def _copied(files: fsspec.AbstractFileSystem, path: str, url: str, cache: Path) -> str:
    mark = xxhash.xxh3_64_hexdigest(f"{url}\n{files.ukey(path)}".encode())
    copy = cache / f"{mark}-{path.rpartition('/')[2]}"
    if not copy.exists():
        with files.open(path, "rb") as source, shards.new_file(str(copy)) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    return str(copy)


def _what_is_near(files: fsspec.AbstractFileSystem, path: str) -> str:
    folder = path.rpartition("/")[0]
    if path.endswith(".json"):
        return f"give the path of a {TOKENIZER}, or of a folder that holds one"
    near = [name.rpartition("/")[2] for name in files.glob(f"{glob.escape(folder)}/*.[bf][it][nz]")]
    return f"models there: {', '.join(sorted(near)[:8])}" if near else "make one with: chejil quality train"


def content_hash(url: str) -> str:
    """xxh3-128 of a model's bytes, in hexadecimal.

    Raises:
        ChejilError: there is no such file.
    """
    try:
        return shards.file_hash(local_file(url))
    except RunError as error:
        raise ChejilError(error.what, where=url, mend=error.mend) from None
