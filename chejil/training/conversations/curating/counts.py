"""What became of conversations, in numbers. Law, of each file: read = kept + dropped + quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chejil.curation import shards
from chejil.curation.manifest import Manifest
from chejil.curation.stage import Record, read_record
from chejil.errors import RunError
from chejil.training.conversations.curating.reading import File
from chejil.training.conversations.curating.writing import RUN, run_shard


@dataclass(slots=True)
class FileCounts:
    """One file; `failed` says why it could not be read, `is_torn` that it could not be read to its end."""

    file: str
    source: str
    read: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    is_torn: bool = False
    failed: str | None = None


@dataclass(slots=True)
class Curated:
    """What became of the conversations.

    Args:
        records: rows of the files; one may give several conversations, of a tree many make one.
        read: conversations, and records (or parts of them) that are none.
        left_out: messages of trees that are on no chosen path; not in `read`.
        dropped: conversations by the run's first reason.
        quarantined: by reason, of reading and of what the edits emptied.
        edited, contamination: as in the run's manifest.
        not_compared: evaluation sets of the recipe for which no folder was named.
        units_done: what was done this time; 0 if everything was done before.
    """

    out: str
    recipe: str
    records: int = 0
    read: int = 0
    kept: int = 0
    left_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    edited: dict[str, Any] = field(default_factory=dict)
    contamination: dict[str, Any] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    files: list[FileCounts] = field(default_factory=list)
    units_done: int = 0

    @property
    def is_incomplete(self) -> bool:
        """Whether a file could not be read, or not to its end."""
        return any(file.failed or file.is_torn for file in self.files)


def count(
    out: str,
    content: Manifest,
    files: Iterable[File],
    read: Mapping[str, Record],
    written: Mapping[str, Record],
    failed: Mapping[str, str],
) -> Curated:
    """Add up what the records of all units say.

    Args:
        content: of the run.
        read, written: records by shard; files without conversations are in `read` alone.
        failed: why a shard stopped.

    Raises:
        RunError: they do not add up.
    """
    found = Curated(out, content.name, edited=content.edited, contamination=content.contamination)
    dropped, quarantined = Counter[str](), Counter[str]()
    for one in files:
        row = FileCounts(one.file.name, one.source, failed=failed.get(one.shard))
        found.files.append(row)
        if one.shard not in read or row.failed:
            continue
        counts = read[one.shard].counts
        found.records += counts["records"]
        found.left_out += counts["left_out"]
        reasons, faults = _of_run(out, content, one, written)
        faults.update(counts["quarantined"])
        row.read, row.is_torn = (
            counts["conversations"] + sum(counts["quarantined"].values()),
            counts["is_torn"],
        )
        row.kept = written[one.shard].counts["kept"] if one.shard in written else 0
        row.dropped, row.quarantined = reasons.total(), faults.total()
        _require_law(row)
        dropped.update(reasons)
        quarantined.update(faults)
    found.read, found.kept = sum(row.read for row in found.files), sum(row.kept for row in found.files)
    found.dropped, found.quarantined = _ranked(dropped), _ranked(quarantined)
    return found


def _of_run(
    out: str, content: Manifest, one: File, written: Mapping[str, Record]
) -> tuple[Counter[str], Counter[str]]:
    """Of a file: documents that the run has dropped, and what it or its edits have quarantined, by reason."""
    reasons, faults = Counter[str](), Counter[str]()
    if one.shard not in written:
        return reasons, faults
    faults.update(written[one.shard].counts["quarantined"])
    for entry in content.inputs:
        if entry["shard"] == run_shard(one):
            faults.update(entry["quarantined"])
    record = read_record(shards.join(out, RUN), "decisions", run_shard(one))
    assert record is not None, one.shard
    for row in record.counts["funnel"]:
        if row["reason"] is not None:
            reasons[row["reason"]] += row["documents"]
    return reasons, faults


def _require_law(row: FileCounts) -> None:
    if row.read != row.kept + row.dropped + row.quarantined:
        what = f"{row.read} read, but {row.kept} kept, {row.dropped} dropped, {row.quarantined} quarantined"
        raise RunError(what, where=row.file, mend="remove the folder, and curate again")


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
