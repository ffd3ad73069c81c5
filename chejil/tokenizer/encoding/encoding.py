"""`chejil encode`: the clean shards of a run, or any documents, to token shards that training maps.

Each piece of the corpus is encoded by one process; what is done is not done again, and a killed call leaves nothing
that looks whole. Another tokenizer, other settings or another corpus in the same folder are refused; an input that has
changed is encoded again, and what was made of the old one is removed. The manifest is removed first and written last.

Bytes of the output depend on the inputs' content, the tokenizer and the settings alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from chejil.curation import shards
from chejil.curation.executors.local import Executor
from chejil.curation.progress import NO_WORK, Progress, Silent, Work
from chejil.errors import ChejilError, did_you_mean
from chejil.tokenizer import corpus
from chejil.tokenizer.encoding import encoding_folder, encoding_inputs, encoding_units, token_shards
from chejil.tokenizer.encoding.encoder import Encoder
from chejil.tokenizer.encoding.encoding_inputs import Origins
from chejil.tokenizer.encoding.encoding_units import Job, Settings, Unit
from chejil.tokenizer.files import byte_level
from chejil.tokenizer.files.byte_level import TokenizerFile

STAGE = "encode"


@dataclass
class Encoded:
    """What a call has done.

    Args:
        content: the manifest.
        slow: why the tokenizer does without the fast path, None if it does not.
        units, documents, num_bytes, tokens: of this call, in `seconds`; what was done before is not in them.
    """

    root: str
    slow: str | None = None
    content: dict[str, Any] = field(default_factory=dict)
    units: int = 0
    documents: int = 0
    num_bytes: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, work: Work, tokens: int) -> None:
        """A unit has ended."""
        self.units += 1
        self.documents += work.documents
        self.num_bytes += work.num_bytes
        self.tokens += tokens

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the manifest without its lists of files, and what was done now."""
        content = {name: value for name, value in self.content.items() if name not in ("files", "shards")}
        now = {name: value for name, value in asdict(self).items() if name not in ("root", "slow", "content")}
        return {
            "out": self.root, **content, "shards": len(self.content["shards"]), "slow": self.slow, "now": now
        }  # fmt: skip


def encode(
    paths: Sequence[str],
    tokenizer: str,
    out: str,
    settings: Settings | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Encoded:
    """Encode documents to token shards.

    Args:
        paths: see `corpus.pieces`.
        tokenizer: a tokenizer.json, or a folder with one.
        out: a folder or URL.

    Raises:
        ChejilError: no documents, no tokenizer, no such special token, or a folder that holds something else.
    """
    progress, settings, started = progress or Silent(), settings or Settings(), time.monotonic()
    file = byte_level.read(tokenizer)
    done, job = Encoded(out, Encoder(file).slow), _job(file, settings, out)
    if done.slow is not None:
        progress.say(f"this tokenizer is left to `tokenizers`, which is much slower: {done.slow}")
    found, origins = corpus.pieces(paths), encoding_inputs.origins(paths)
    purpose = {"tokenizer": file.hash, "settings": settings.model_dump()}
    with encoding_folder.held(out, progress.say), Executor(min(workers, len(found))) as executor:
        encoding_inputs.hash_files(origins, [piece.url for piece in found], executor, progress)
        encoding_folder.claim(out, purpose, encoding_inputs.for_manifest(origins), file.text)
        units = encoding_units.plan(found, origins.hashes, job)
        records, failed = _do(units, job, executor, progress, done)
        done.content = _manifest(job, file, settings, origins, records, failed)
        if not done.content["documents"]:
            raise next(iter(failed.values()), corpus.nothing(paths, done.content["rejected"]))
        encoding_folder.sweep(out, _known(records))
        shards.write_json(out, token_shards.MANIFEST, done.content)
    done.seconds = time.monotonic() - started
    return done


def _job(file: TokenizerFile, settings: Settings, out: str) -> Job:
    name, special = settings.end_of_document, file.special_tokens
    if name is not None and name not in special:
        known = (
            f"--end-of-document NAME: {did_you_mean(name, special)}" if special else "it has no special token"
        )
        raise ChejilError(f"no special token '{name}'", where=file.path, mend=f"{known}; or '' for none")
    dtype = "uint16" if file.num_ids <= np.iinfo(np.uint16).max + 1 else "uint32"
    path = shards.join(out, encoding_folder.TOKENIZER)
    return Job(out, path, file.hash, None if name is None else special[name], dtype)


def _do(
    units: Sequence[Unit], job: Job, executor: Executor, progress: Progress, done: Encoded
) -> tuple[dict[str, dict[str, Any]], dict[str, ChejilError]]:
    """Records of all units by name, and what stopped the others."""
    records = {unit.name: record for unit in units if (record := encoding_units.record_of(unit, job.out))}
    # What an earlier call left unfinished may fill the disk.
    encoding_folder.sweep(job.out, _known(records))
    calls = {unit.name: unit for unit in units if unit.name not in records}
    weights = {name: unit.piece.num_bytes for name, unit in calls.items()}
    failed: dict[str, ChejilError] = {}
    progress.start(STAGE, len(units), len(records), weights)
    todo = [(name, encoding_units.encode_unit, (unit, job)) for name, unit in calls.items()]
    for outcome in executor.do(todo):
        if outcome.error is not None:
            failed[outcome.name] = outcome.error
            progress.advance(STAGE, outcome.name, str(outcome.error), NO_WORK)
            continue
        records[outcome.name], work, tokens = outcome.result
        done.add(work, tokens)
        progress.advance(STAGE, outcome.name, None, work)
    progress.finish(STAGE)
    return records, failed


def _known(records: Mapping[str, dict[str, Any]]) -> set[str]:
    """Paths of the files that belong here."""
    files = {path for record in records.values() for path in record["files"]}
    return files | {encoding_units.record_path(name) for name in records}


def _manifest(
    job: Job,
    file: TokenizerFile,
    settings: Settings,
    origins: Origins,
    records: Mapping[str, dict[str, Any]],
    failed: Mapping[str, ChejilError],
) -> dict[str, Any]:
    rows = sorted(
        (row for record in records.values() for row in record["shards"]), key=lambda row: row["path"]
    )
    files = {path: entry for record in records.values() for path, entry in record["files"].items()}
    end = settings.end_of_document
    made_by = {
        "dtype": job.dtype,
        "num_ids": file.num_ids,
        "tokenizer": {"hash": file.hash, "file": encoding_folder.TOKENIZER},
        "end_of_document": None if end is None else {"token": end, "id": job.last},
    }
    failures = [_failure(name, error) for name, error in sorted(failed.items())]
    return token_shards.manifest_of(
        made_by, encoding_inputs.for_manifest(origins), rows, files, _rejected(records), failures
    )


def _failure(name: str, error: ChejilError) -> dict[str, Any]:
    where = None if error.where is None else PurePosixPath(error.where).name
    return {"unit": name, "what": error.what, "where": where}


def _rejected(records: Mapping[str, dict[str, Any]]) -> dict[str, int]:
    """Records that are no documents, by reason."""
    found: Counter[str] = Counter()
    for record in records.values():
        found.update(record["rejected"])
    return dict(sorted(found.items()))
