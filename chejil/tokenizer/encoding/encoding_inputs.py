"""What is encoded, by content: hashes of input files, and the runs they are of.

Of a run's clean shards the hashes stand in its manifest. Other files are read once to be hashed (2 GB/s a core from a
local disk), since a manifest that names them by size and time would differ between two copies of the same corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from chejil.curation import manifest, shards
from chejil.curation.executors.local import Executor
from chejil.curation.progress import Progress
from chejil.curation.statistics import inputs
from chejil.errors import ChejilError

STAGE = "hashes of the input"


class Origins(NamedTuple):
    """Where documents come from.

    Args:
        rows: for the manifest: kind ("run" or "file"), name, hash (of a run: of its manifest).
        hashes: of each file's content, by URL; those of loose files are None until `hash_files`.
    """

    rows: list[dict[str, Any]]
    hashes: dict[str, str | None]


def origins(paths: Sequence[str]) -> Origins:
    """The runs and files that paths name.

    Raises:
        ChejilError: nothing is there.
    """
    rows: list[dict[str, Any]] = []
    hashes: dict[str, str | None] = {}
    found = inputs.find(paths)
    for root in sorted({one.url for one in found if one.kind == "run"}):
        content = manifest.read(root)
        file_hash = shards.file_hash(shards.join(root, manifest.PATH))
        rows.append({"kind": "run", "name": content.name, "hash": file_hash})
        hashes |= {shards.join(root, path): entry["hash"] for path, entry in content.files.items()}
    for one in found:
        if one.kind != "run":
            rows.append({"kind": "file", "name": PurePosixPath(one.url).name, "hash": None, "url": one.url})
            hashes[one.url] = None
    return Origins(rows, hashes)


def hash_files(found: Origins, urls: Iterable[str], executor: Executor, progress: Progress) -> None:
    """Fill in the hashes of loose files.

    Raises:
        ChejilError: a file cannot be read.
    """
    missing = sorted({url for url in urls if found.hashes[url] is None})
    if not missing:
        return
    progress.start(STAGE, len(missing), 0)
    for outcome in executor.do([(url, shards.file_hash, (url,)) for url in missing]):
        if outcome.error is not None:
            raise ChejilError(outcome.error.what, where=outcome.name, mend=outcome.error.mend)
        found.hashes[outcome.name] = outcome.result
        progress.advance(STAGE, outcome.name)
    progress.finish(STAGE)


def for_manifest(found: Origins) -> list[dict[str, Any]]:
    """The rows, with hashes and without the machine's paths."""
    rows = [{**row, "hash": row["hash"] or found.hashes[row.get("url", "")]} for row in found.rows]
    kept = [{name: row[name] for name in ("kind", "name", "hash")} for row in rows]
    return sorted(kept, key=lambda row: (row["kind"], row["name"], row["hash"]))
