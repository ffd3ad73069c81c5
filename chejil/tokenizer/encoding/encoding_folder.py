"""The folder that `chejil encode` writes: held against a second call, and against another tokenizer or corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from chejil.curation import shards
from chejil.errors import RunError
from chejil.tokenizer import held_folder
from chejil.tokenizer.encoding import encoding_units, token_shard_writer
from chejil.tokenizer.encoding.token_shards import MANIFEST

TOKENIZER = "tokenizer.json"
PURPOSE = "encoding.json"
"""What the folder is for: written first, so that another tokenizer or corpus is noticed before a file is touched."""

FOLDERS = (token_shard_writer.FOLDER, encoding_units.FOLDER)
ELSE = "choose another --out, or remove the folder"


def held(out: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the folder while the block lasts.

    Raises:
        RunError: another process holds it, it holds something else, or it is a file.
    """
    return held_folder.held(out, say, _foreign)


def _foreign(names: set[str]) -> str | None:
    foreign = held_folder.but(names, (MANIFEST, TOKENIZER, PURPOSE, *FOLDERS))
    if names and not any(name.startswith(PURPOSE) for name in names):
        foreign = sorted(names)
    if not foreign:
        return None
    return f"the folder holds something else than token shards: {', '.join(foreign[:3])}"


def claim(out: str, purpose: dict[str, Any], inputs: Sequence[dict[str, Any]], tokenizer: bytes) -> None:
    """Say what the folder is for, and take the manifest away: from here on it is not finished.

    Args:
        purpose: the tokenizer's hash and the settings.
        inputs: runs and files: kind, name, hash.

    Raises:
        RunError: it is for something else.
    """
    purpose = {**purpose, "inputs": sorted({row["name"] for row in inputs})}
    before = shards.read_json(shards.join(out, PURPOSE))
    if before is not None:
        _refuse_other(out, before, purpose)
        _refuse_namesakes(out, inputs)
    shards.remove(shards.join(out, MANIFEST))
    shards.write_json(out, PURPOSE, purpose)
    shards.write_bytes(out, TOKENIZER, tokenizer)


def _refuse_other(out: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    if before["tokenizer"] != now["tokenizer"]:
        what = (
            f"these are tokens of another tokenizer ({before['tokenizer'][:12]}, not {now['tokenizer'][:12]})"
        )
        raise RunError(what, where=out, mend=ELSE)
    if before["settings"] != now["settings"]:
        what = f"these tokens were made with other settings: {before['settings']}"
        raise RunError(what, where=out, mend=f"use the same, or {ELSE}")
    if not set(before["inputs"]) & set(now["inputs"]):
        what = f"these are tokens of another corpus: {', '.join(before['inputs'][:3])}"
        raise RunError(what, where=out, mend=f"{ELSE}; several corpora are encoded by one call")
    lost = sorted(set(before["inputs"]) - set(now["inputs"]))
    if lost:
        what = f"these are tokens of other inputs too, which would be removed: {', '.join(lost[:3])}"
        raise RunError(what, where=out, mend=f"name them, too; or {ELSE}")


def _refuse_namesakes(out: str, inputs: Sequence[dict[str, Any]]) -> None:
    """Files of other folders may have the same names: `data.jsonl`. A run that was run again is meant."""
    done = shards.read_json(shards.join(out, MANIFEST)) or {"inputs": []}
    rows = [*done["inputs"], *inputs]
    before, now = ({row["hash"] for row in some} for some in (done["inputs"], inputs))
    if before and not before & now and all(row["kind"] == "file" for row in rows):
        what = "these are tokens of files of the same names and other content, of all of them"
        raise RunError(what, where=out, mend=ELSE)


def sweep(out: str, known: set[str]) -> None:
    """Remove from the folder's own folders what is not known: of a killed call, of an input that has changed."""
    for folder in FOLDERS:
        for path in shards.below(out, folder):
            if path not in known:
                shards.remove(shards.join(out, path))
        shards.remove_empty_folders(shards.join(out, folder))
