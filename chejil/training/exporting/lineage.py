"""Lineage: from a model back to its raw files, each step by the hash of what it was made from.

    model  <-  checkpoint  <-  token shards  <-  tokenizer
                                    ^--  curated run (its manifest)  <-  raw files

A manifest names what it read by hash, not by place: folders move. So a run is looked for where runs lie (beside the
token shards, in runs/, where the user says) and counts only if its manifest has the hash that the token shards name.
What is not found keeps its hash and says so: whoever has the run can go on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.encoding.token_shards import TokenShards
from chejil.tokenizer.files import tokenizer_folder
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint
from chejil.training.loop import checkpoint_folders

FILE = "lineage.json"
FORMAT = "chejil lineage 1"
MANIFEST = "manifest.json"


def of(trained: TrainedCheckpoint, tokenizer_hash: str, runs: Sequence[str] = ()) -> dict[str, Any]:
    """What a model is from, as far as it can be read.

    Args:
        runs: folders of curated runs.

    Raises:
        ChejilError: one of `runs` is no run, or the tokens are not of it.
    """
    corpora = [_corpus(str(place), trained) for place in trained.settings.get("tokens") or ()]
    given = {_run_hash(place): place for place in runs}
    wanted = [one for corpus in corpora for one in corpus["inputs"] if one["kind"] == "run"]
    _refuse_strangers(given, {one["hash"] for one in wanted})
    places = {**_near(trained, corpora), **given}
    for corpus in corpora:
        del corpus["place"]
    return {
        "format": FORMAT,
        "checkpoint": _checkpoint(trained),
        "start_from": _start(trained),
        "token_shards": corpora,
        "tokenizer": _tokenizer(trained, tokenizer_hash),
        "runs": [_run(one, places.get(one["hash"])) for one in {one["hash"]: one for one in wanted}.values()],
    }


def _checkpoint(trained: TrainedCheckpoint) -> dict[str, Any]:
    state = trained.saved.folder / checkpoint_folders.STATE
    return {
        "training": trained.name,
        "step": trained.step,
        "tokens": trained.tokens,
        "seed": trained.settings.get("seed"),
        "hash": shards.file_hash(str(state)),  # it holds the hashes of all other files
        "files": {name: told["hash"] for name, told in sorted(trained.saved.files.items())},
        "versions": trained.saved.told.get("versions") or {},
        "rows": {name: trained.rows.get(name) for name in ("data", "tokenizer", "held_out")},
    }


def _start(trained: TrainedCheckpoint) -> dict[str, Any] | None:
    """The model that it went on from; with its own lineage, if it is an export."""
    place = trained.choice.start_from
    if place is None:
        return None
    folder = Path(place).expanduser()
    files = {path.name: shards.file_hash(str(path)) for path in sorted(folder.glob("*.safetensors"))}
    before = shards.read_json(str(folder / FILE)) if (folder / FILE).is_file() else None
    return {"name": folder.name, "found": bool(files), "files": files, "lineage": before}


def _corpus(place: str, trained: TrainedCheckpoint) -> dict[str, Any]:
    """Token shards as their manifest tells them; `found` is false where they are gone, or changed since."""
    told = {"name": Path(place).name, "place": place, "found": False, "inputs": []}
    if not token_shards.is_one(place):
        return {
            **told,
            "fingerprint": trained.rows.get("data"),
            "why": "no finished token shards are there now",
        }
    found = TokenShards(place)
    content = found.manifest
    if trained.rows.get("tokenizer") not in (None, found.tokenizer_hash):
        why = "token shards of another tokenizer are there now"
        return {**told, "fingerprint": trained.rows.get("data"), "why": why}
    kept = ("documents", "tokens", "bytes", "dtype", "num_ids", "end_of_document")
    return {
        **told,
        "found": True,
        "fingerprint": found.fingerprint,
        "manifest": shards.file_hash(shards.join(place, MANIFEST)),
        "tokenizer": found.tokenizer_hash,
        **{name: content[name] for name in kept if name in content},
        "inputs": content.get("inputs") or [],
    }


def _tokenizer(trained: TrainedCheckpoint, tokenizer_hash: str) -> dict[str, Any]:
    """Its hash; and what it was trained from, where its own folder is at hand."""
    told: dict[str, Any] = {"hash": tokenizer_hash, "found": False}
    places = [str(trained.training), trained.settings.get("tokenizer")]
    for folder in (Path(place).expanduser() for place in places if place):
        file = (folder if folder.is_dir() else folder.parent) / tokenizer_folder.MANIFEST
        if file.is_file():
            content = orjson.loads(file.read_bytes())
            kept = ("chejil", "base", "words", "counted", "vocabulary", "pattern")
            return {**told, "found": True, **{name: content[name] for name in kept if name in content}}
    return told


def _refuse_strangers(given: Mapping[str, str], wanted: set[str]) -> None:
    for run_hash, place in given.items():
        if run_hash not in wanted:
            what = f"the tokens were not made from this run: its manifest is {run_hash[:12]}"
            known = ", ".join(sorted(one[:12] for one in wanted)) or "none"
            raise ChejilError(what, where=place, mend=f"runs of the token shards: {known}; or leave it out")


def _run_hash(place: str) -> str:
    url = shards.join(place, MANIFEST)
    if shards.size(url) is None:
        raise ChejilError("no run", where=place, mend="give the folder of a run of `chejil run`")
    return shards.file_hash(url)


def _near(trained: TrainedCheckpoint, corpora: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Runs by the hash of their manifest, where runs lie."""
    found = {}
    for folder in sorted(set(_folders(trained, corpora))):
        for file in sorted(folder.glob(f"*/{MANIFEST}")):
            found[shards.file_hash(str(file))] = str(file.parent)
    return found


def _folders(trained: TrainedCheckpoint, corpora: Iterable[Mapping[str, Any]]) -> Iterator[Path]:
    yield trained.training.parent
    yield Path("runs").absolute()
    yield from (
        Path(one["place"]).expanduser().absolute().parent for one in corpora if "://" not in one["place"]
    )


def _run(told: Mapping[str, Any], place: str | None) -> dict[str, Any]:
    """A curated run: what it read, file by file, and what it kept."""
    if place is None:
        return {
            "name": told["name"],
            "hash": told["hash"],
            "found": False,
            "why": "no such run is here: --run PATH",
        }
    content = shards.read_json(shards.join(place, MANIFEST)) or {}
    recipe = shards.join(place, "recipe.yaml")
    raw = [
        {"shard": one["shard"], "name": file["name"], "bytes": file["bytes"], "hash": file["hash"]}
        for one in content.get("inputs", ())
        for file in one.get("files", ())
    ]
    funnel = content.get("funnel", ())
    return {
        "name": told["name"],
        "hash": told["hash"],
        "found": True,
        "recipe": shards.file_hash(recipe) if shards.size(recipe) is not None else None,
        "versions": content.get("versions", {}),
        "documents": sum(row["documents"] for row in funnel),
        "kept": sum(row["documents"] for row in funnel if row["reason"] is None),
        "inputs": raw,
    }
