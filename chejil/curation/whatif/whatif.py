"""What other bounds would do to a finished run, exactly, from its stored signals: no text is read but a sample's.

Every document is judged twice, by the run's filter and by the one asked about. What later deciders say depends on what
the filter keeps: of the documents that they know of (members of clusters, documents with hits) the survivors and
leaks are decided again where anything changed, by the run's own functions, so the numbers are those of the run that
would follow. The counts before must be those of the manifest, else the run's tables are refused.

50 million documents with 30 bounded signals take 61 to 67 s of processor time and 0.7 GB; documents in clusters another
430 bytes each, and 10 µs since every rule is lifted once (benchmarks/whatif.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from chejil.curation import shards
from chejil.curation.decisions import added_up
from chejil.curation.executors.local import Executor
from chejil.curation.whatif import deciders, later_stages, parts, sampling, scratch_run
from chejil.curation.whatif.answer import Answer, answered
from chejil.curation.whatif.counting import Effects, Funnels, Rows, first_reasons, single_reasons
from chejil.curation.whatif.known_rows import KnownRows
from chejil.curation.whatif.later_stages import LaterStages
from chejil.curation.whatif.parts import Changed, Counted, Part
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.totals import Counts, Lifted, funnel_rows
from chejil.errors import RunError

_MAX_LATE_REASONS = 64
"""A document's late reasons are bits of one word."""


def predict(question: Question, workers: int = 1) -> Answer:
    """What the run would be with the recipe asked about.

    Raises:
        RunError: the run's tables do not say what its manifest does.
    """
    cuts = question.is_changed and deciders.change_text(question.own)
    few = max(
        1, question.content.documents // parts.DOCUMENTS_A_PART
    )  # a process costs more than so many documents
    with (
        Executor(workers if cuts else min(workers, few)) as executor,
        _said_again(question, executor) as scratch,
    ):
        counts = _counts(question, executor, scratch)
        _compare_with_manifest(question, counts)
        documents = list(sampling.sampled(question, counts, scratch))
    return answered(question, counts, documents)


@contextmanager
def _said_again(question: Question, executor: Executor) -> Iterator[str | None]:
    """The folder with the later deciders' verdicts where they are read from files: the run's own where nothing changes,
    else one in which they were done again. None where they can be asked by themselves."""
    if deciders.change_text(question.own) or len(question.late) > _MAX_LATE_REASONS:
        if not question.is_changed:
            yield question.root
            return
        with scratch_run.decided_again(question.root, question.wanted, executor) as folder:
            yield folder
    else:
        yield None


def _counts(question: Question, executor: Executor, scratch: str | None) -> Counts:
    known = (
        later_stages.known_rows(question.root, question.content, question.own)
        if scratch is None
        else KnownRows.of(question.root, [entry["shard"] for entry in question.content.inputs], (), ())
    )
    total, waiting = _counted(question, executor, known, scratch)
    if scratch is None:
        stages = later_stages.later_stages(question.root, question.content, question.own, known)
        _ask_again(question, total, stages, waiting)
    return total


def _counted(
    question: Question, executor: Executor, known: KnownRows, scratch: str | None
) -> tuple[Counts, dict[str, Rows]]:
    """Everything but the documents that later deciders know of, which are given back by shard."""
    late = len(question.late)
    sizes = len(question.before.reasons), len(question.after.reasons)
    funnels = {source: Funnels.empty(sizes[0] + late, sizes[1] + late) for source in question.before.sources}
    total = Counts(funnels, Effects.empty(sizes[1]), {}, known)
    waiting: dict[tuple[str, int], list[Rows]] = {}
    calls = [
        (f"{part.shard} {part.number}", parts.count, (part,)) for part in _parts(question, known, scratch)
    ]
    for outcome in executor.do(calls):
        if outcome.error is not None:
            raise outcome.error
        found: Counted = outcome.result
        total.funnels[found.shard.split("/")[0]].join(found.funnels)
        total.effects.join(found.effects)
        parts.join_samples(total.sampled, found.sampled, question.samples)
        waiting[found.shard, found.number] = found.deferred
    by_shard: dict[str, list[Rows]] = {}
    for shard, number in sorted(waiting):
        by_shard.setdefault(shard, []).extend(waiting.pop((shard, number)))
    return total, {shard: Rows.joined(rows) for shard, rows in by_shard.items() if rows}


def _parts(question: Question, known: KnownRows, scratch: str | None) -> Iterable[Part]:
    early, late = map(tuple, deciders.around_filter(question.own))
    for entry in question.content.inputs:
        shard, of = entry["shard"], max(1, -(-entry["documents"] // parts.DOCUMENTS_A_PART))
        own = question.root if scratch is not None else None
        for number in range(of):
            yield Part(
                question.root, shard, number, of, question.before, question.after, early, late, question.late,
                own, scratch, known.rows[shard], question.samples, question.seed, question.has_tokens,
            )  # fmt: skip


def _ask_again(question: Question, total: Counts, stages: LaterStages, waiting: dict[str, Rows]) -> None:
    """Ask the later deciders about the documents that they know of, and count those."""
    total.lifted = {}
    if not waiting:
        return
    order = [shard for shard in stages.known.shards if shard in waiting]
    rows = Rows.joined(waiting.pop(shard) for shard in order)
    none = np.zeros(len(rows.lang), np.uint64)
    passed, passes = (first_reasons(words, none, 0) < 0 for words in (rows.before, rows.after))
    single = single_reasons(rows.after)
    rows.late_before[:] = stages.begin(passed)
    stages.prepare((passes != passed) | (single >= 0))
    rows.late_after[:] = stages.answer(passes, keep=True)
    total.lifted = _lifted(stages, rows, passes, single)
    for shard in order:
        here = total.deferred[shard] = rows.at(stages.known.of_shard(shard))
        _count_deferred(question, total, shard, stages.known.rows[shard], here)


def _lifted(stages: LaterStages, rows: Rows, passes: np.ndarray, single: np.ndarray) -> Lifted:
    """What would be kept more of the known documents without each rule, survivors chosen again."""
    kept = passes & (rows.late_after == 0)
    found: Lifted = {}
    freed = np.flatnonzero(single >= 0)
    cells = rows.lang[freed].astype(np.int64) << 16 | single[freed]
    for cell in np.unique(cells):
        more = passes.copy()
        more[freed[cells == cell]] = True
        now = more & (stages.answer(more) == 0)
        num_bytes = int(rows.num_bytes[now & ~kept].sum() - rows.num_bytes[kept & ~now].sum())
        found[int(cell) >> 16, int(cell) & 0xFFFF] = int(now.sum() - kept.sum()), num_bytes
    return found


def _count_deferred(question: Question, total: Counts, shard: str, places: np.ndarray, rows: Rows) -> None:
    sizes = len(question.before.reasons), len(question.after.reasons)
    changed = Changed.of(places, *total.funnels[shard.split("/")[0]].add(rows, *sizes))
    if question.samples and len(changed.row):
        url = shards.join(question.root, f"decisions/{shard}.parquet")
        parts.take_smallest(total.sampled, changed, url, shard, question.samples, question.seed)


def _compare_with_manifest(question: Question, counts: Counts) -> None:
    reasons = (*question.before.reasons, *question.late)
    said = (
        {**row, "lang": None if row["lang"] == "unknown" else row["lang"]} for row in question.content.funnel
    )
    if funnel_rows(counts.funnels, reasons, "before") != added_up(said):
        what = "its signals, judged by its recipe, do not give the counts of its manifest"
        mend = f"chejil verify {question.root} names what changed; or run its recipe again"
        raise RunError(what, where=question.root, mend=mend)
