"""Documents whose decision changes, as a person reads them: what changed, by which value and bound, and some text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.whatif import deciders
from chejil.curation.whatif.judging import Judge, language_codes, names_of
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.totals import Counts
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound

TEXT_CHARS = 200


@dataclass(frozen=True)
class Sample:
    """A document whose decision changes. `changes` has a row a reason that comes or goes: `reason`, `is_new`, and of a
    signal `value`, `before` and `after`, its bounds there and then as text."""

    id: str
    source: str
    lang: str
    is_kept: bool
    reason: str
    reasons_before: list[str]
    reasons_after: list[str]
    changes: list[dict[str, Any]]
    text: str


def sampled(question: Question, counts: Counts, scratch: str | None) -> Iterator[Sample]:
    """The sampled documents, newly dropped ones first, by reason in the order of a decision, then by hash of the id."""
    wanted: dict[str, list[int]] = {}
    for drawn in counts.sampled.values():
        for _, shard, row in drawn:
            wanted.setdefault(shard, []).append(row)
    found: dict[tuple[str, int], Sample] = {}
    for shard, places in wanted.items():
        rows = np.array(sorted(places))
        late = _late_after(question, counts, shard, rows, scratch)
        found |= zip(((shard, row) for row in rows.tolist()), _read(question, shard, rows, late), strict=True)
    names = [(*judge.reasons, *question.late) for judge in (question.after, question.before)]
    for cell in sorted(counts.sampled):
        for _, shard, row in counts.sampled[cell]:
            yield replace(found[shard, row], reason=names[cell[0]][cell[1]])


def _late_after(
    question: Question, counts: Counts, shard: str, rows: np.ndarray, scratch: str | None
) -> list[list[str]]:
    """What later deciders would say of each of these rows."""
    bits = np.zeros(len(rows), np.uint64)
    if scratch is None:
        known = counts.known.rows[shard]
        is_known = np.isin(rows, known)
        if is_known.any():
            bits[is_known] = counts.deferred[shard].late_after[np.searchsorted(known, rows[is_known])]
        return [names_of(np.array([word]), question.late) for word in bits]
    for name in deciders.around_filter(question.own)[1]:
        for bit, given in deciders.said(scratch, name, shard, question.late):
            bits[np.isin(rows, given)] |= np.uint64(1 << bit)
    return [names_of(np.array([word]), question.late) for word in bits]


def _read(question: Question, shard: str, rows: np.ndarray, late: list[list[str]]) -> Iterator[Sample]:
    source = shard.split("/")[0]
    names = [judge.columns(source) for judge in (question.before, question.after)]
    batch = {
        **_columns(question, f"signals/{shard}", rows, names[0][0] | names[1][0]),
        **_columns(question, f"documents/{shard}", rows, names[0][1] | names[1][1] | {"text"}),
        **_columns(question, f"decisions/{shard}", rows, {"id", "reasons"}),
    }
    after = question.after.judge(batch, source)
    codes = language_codes(batch["lang"])
    early = set(question.before.early)
    for place, words in enumerate(after):
        lang = LANGUAGES[codes[place]]
        said = batch["reasons"][place].as_py()
        given = [reason for reason in said if reason in early]
        then = [*given, *names_of(words, question.after.reasons), *late[place]]
        values = {name: column[place].as_py() for name, column in batch.items() if name in SIGNALS}
        yield Sample(
            id=batch["id"][place].as_py(), source=source, lang=lang, is_kept=not then,
            reason="", reasons_before=said, reasons_after=then,
            changes=_changes(question, source, lang, said, then, values),
            text=batch["text"][place].as_py()[:TEXT_CHARS],
        )  # fmt: skip


def _columns(question: Question, path: str, rows: np.ndarray, names: set[str]) -> dict[str, pa.ChunkedArray]:
    url = shards.join(question.root, f"{path}.parquet")
    groups = shards.groups_of(url, rows, sorted(names))
    table = pa.concat_tables([table.take(pa.array(places)) for table, places in groups])
    return {name: table[name] for name in sorted(names)}


def _changes(
    question: Question,
    source: str,
    lang: str,
    said: Sequence[str],
    then: Sequence[str],
    values: dict[str, Any],
) -> list[dict[str, Any]]:
    changed = []
    for reason in (*(r for r in said if r not in then), *(r for r in then if r not in said)):
        row: dict[str, Any] = {"reason": reason, "is_new": reason in then}
        signal = reason.split(":")[0]
        if signal in SIGNALS:
            row["value"] = values[signal]
            for when, judge in (("before", question.before), ("after", question.after)):
                bound = bound_of(judge, source, lang, signal)
                row[when] = None if bound is None else str(bound)
        changed.append(row)
    return changed


def bound_of(judge: Judge, source: str, lang: str, signal: str) -> Bound | None:
    """The bound of a signal, if there is one."""
    limits = judge.policies[source].languages.get(lang, {})  # type: ignore[call-overload]
    return None if isinstance(limits, str) else limits.get(signal)
