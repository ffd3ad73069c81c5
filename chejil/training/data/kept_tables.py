"""Tables that cost a pass over the corpus and are kept beside its token shards.

They can be made again at any time: a folder that cannot be written to only means that each training makes them anew.
A name holds the hash of all that the table follows from, so none is ever out of date.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from chejil.curation import shards
from chejil.errors import ChejilError

FOLDER = "rows"


def table(root: str | None, name: str, schema: pa.Schema, make: Callable[[], pa.Table]) -> pa.Table:
    """A kept table, made if it is not there.

    Args:
        root: the folder of the token shards, or another one; None keeps nothing.
    """
    path = f"{FOLDER}/{name}.parquet"
    if root is not None:
        found = _read(shards.join(root, path), schema)
        if found is not None:
            return found
    made = make()
    if root is not None:
        _keep(root, path, made, schema)
    return made


def _read(url: str, schema: pa.Schema) -> pa.Table | None:
    try:
        if shards.size(url) is None:
            return None
        found = shards.read_shard(url)
    except (OSError, pa.ArrowException, ChejilError):  # torn or forbidden: made again
        return None
    return found.cast(schema) if found.schema.names == schema.names else None


def _keep(root: str, path: str, made: pa.Table, schema: pa.Schema) -> None:
    try:
        shards.write_shard(root, path, [made], schema)
    except (OSError, ChejilError):  # a read-only or full disk: nothing is lost but the time to make it again
        return
