"""Statistics of a corpus: finds what the paths name, counts it in pieces on all workers, and adds the parts up.

Everything that is told is a function of the files' content and names: the number of workers and the order in which
files come change nothing. What is held for the whole corpus: the sketches (16 bytes a filled bucket), the tallies (150
bytes a different host), and for bare shards whose text is read a hash a document (8 bytes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chejil.curation import model_files
from chejil.curation.executors.local import Executor
from chejil.curation.progress import NO_WORK, Progress, Silent, Work
from chejil.curation.statistics import batches, footers, inputs, tallies
from chejil.curation.statistics.columns import Key
from chejil.curation.statistics.counting import Part, Settings, count_piece, pieces
from chejil.curation.statistics.inputs import Input
from chejil.curation.statistics.summary import Summary
from chejil.errors import ChejilError, SourceError, did_you_mean
from chejil.filters.tokens import NUM_TOKENIZED_BYTES, NUM_TOKENS, open_tokenizer

TOP = 20
"""Domains, licences and so on that are listed."""

Values = Mapping[str, str | None]
"""What the rows of a group have in the columns of `by`, or in some of them."""


@dataclass(frozen=True)
class Group:
    """Sizes of a group; None is what nothing tells.

    Args:
        judged: documents of runs, of which `kept` were kept; `tokens` are without those that fell.
    """

    values: Values
    documents: int
    bytes: int | None
    chars: int | None
    words: int | None
    judged: int | None
    kept: int | None
    kept_bytes: int | None
    tokens: int | None
    bytes_per_token: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, the values beside the sizes."""
        sizes = {name: value for name, value in self.__dict__.items() if name != "values"}
        return {**self.values, **sizes}


@dataclass
class Statistics:
    """What was found; `summary` gives any column for any groups.

    Args:
        kind: "run", "shards" or "mixed".
        failed: files that could not be read, with what and where.
    """

    paths: tuple[str, ...]
    kind: str
    settings: Settings
    part: Part
    failed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """All of them."""
        return self.part.columns.rows()

    @property
    def is_run(self) -> bool:
        """Whether any were kept or dropped; of a group, those whose key ends in no null."""
        return self.kind != "shards"

    @property
    def torn(self) -> list[str]:
        """Files of records that end or break too early, by name."""
        return sorted(self.part.torn)

    @property
    def names(self) -> list[str]:
        """Columns of numbers, in the order of the files that were first by name."""
        return self.part.columns.names

    def keys(self, values: Values | None = None, kept: bool | None = None) -> list[Key]:
        """Groups of these values, and of what was kept or dropped alone."""
        wanted = {self.settings.by.index(name): value for name, value in (values or {}).items()}
        if kept is not None:  # beside the columns of `by`, one of which may be called so
            wanted[len(self.settings.by)] = "true" if kept else "false"
        keys = self.part.columns.keys
        return [key for key in keys if all(key[place] == value for place, value in wanted.items())]

    def summary(self, name: str, values: Values | None = None, kept: bool | None = None) -> Summary:
        """Of a column: of all documents, of a group (`{"lang": "ko"}`), of those that were kept or dropped."""
        return self.part.columns.summary(name, self.keys(values, kept))

    @cached_property
    def groups(self) -> list[Group]:
        """Sizes by group, the largest first."""
        different = {key[:-1] for key in self.part.columns.keys}
        found = [self.group(dict(zip(self.settings.by, key, strict=True))) for key in different]
        return sorted(found, key=lambda g: (-(g.bytes or 0), -g.documents, str(list(g.values.values()))))

    @cached_property
    def total(self) -> Group:
        """Sizes of everything."""
        return self.group({})

    def group(self, values: Values) -> Group:
        """Sizes of the documents that have these values."""
        keys, kept = self.keys(values), self.keys(values, True)
        judged = [key for key in keys if key[-1] is not None]
        ratio, tokens = self._tokens([key for key in keys if key[-1] != "false"])
        return Group(
            values=values,
            documents=self.part.columns.rows(keys),
            bytes=self._sum("num_bytes", keys),
            chars=self._sum("num_chars", keys),
            words=self._sum("num_words", keys),
            judged=self.part.columns.rows(judged) if judged else None,
            kept=self.part.columns.rows(kept) if judged else None,
            kept_bytes=self._sum("num_bytes", kept) if judged else None,
            tokens=tokens,
            bytes_per_token=ratio,
        )

    def _sum(self, name: str, keys: Sequence[Key]) -> int | None:
        if name not in self.names:
            return None
        found = self.part.columns.summary(name, keys)
        # Some files may have no such column: a sum over the others would look like the whole.
        return None if found.missing else int(found.total)

    def _tokens(self, keys: Sequence[Key]) -> tuple[float | None, int | None]:
        """Bytes per token of what was tokenized, and by it the tokens of all that would have been."""
        if not {NUM_TOKENS, NUM_TOKENIZED_BYTES} <= set(self.names):
            return None, None
        counted, sizes = (self.part.columns.summary(name, keys) for name in (NUM_TOKENS, NUM_TOKENIZED_BYTES))
        if not counted.total or counted.missing or sizes.missing:
            return None, None
        ratio = float(sizes.total / counted.total)
        if self.settings.share_tokenized >= 1:
            return ratio, int(counted.total)
        # By documents: of a run the bytes that stand in the decisions are those before the edits.
        return ratio, round(counted.total * self.part.columns.rows(keys) / counted.count)

    @cached_property
    def domains(self) -> tuple[str, Counter[str | None]]:
        """Which kind of domains could be told, and documents by domain."""
        return tallies.registered(self.part.tallies.get("url", Counter()))

    @cached_property
    def duplicates(self) -> dict[str, dict[str, Any]]:
        """By kind (exact, near): documents in clusters, clusters, documents above one a cluster, the share of those.

        Beside a run, the copies among shards that are no run's are a kind of their own: no one has compared the two.
        """
        kinds: dict[str, Counter[int]] = {kind: Counter() for kind, _ in self.part.clusters}
        for (kind, size), documents in self.part.clusters.items():
            kinds[kind][size] += documents
        found = {kind: self._duplicates(kind, sizes, self.total.judged) for kind, sizes in kinds.items()}
        if self.part.hashes:
            own = "exact_of_shards" if self.is_run else "exact"
            read = sum(map(len, self.part.hashes))
            found[own] = {**self._duplicates(own, _cluster_sizes(self.part.hashes), read), "dropped": None}
        return dict(sorted(found.items()))

    def _duplicates(self, kind: str, sizes: Counter[int], among: int | None) -> dict[str, Any]:
        clustered = {size: documents for size, documents in sorted(sizes.items()) if size > 1}
        clusters = {size: -(-documents // size) for size, documents in clustered.items()}
        copies = sum(clustered.values()) - sum(clusters.values())
        dropped = sum(row["documents"] for row in self.part.funnel if row["reason"] == f"duplicate:{kind}")
        return {
            "documents": sum(clustered.values()),
            "clusters": sum(clusters.values()),
            "copies": copies,
            "share": copies / among if among else 0.0,
            "dropped": dropped,
            "largest": max(clustered, default=0),
            "cluster_sizes": {str(size): number for size, number in clusters.items()},
        }

    def as_dict(self) -> dict[str, Any]:
        """For JSON: everything."""
        kind, domains = self.domains
        listed = {
            name: self.part.tallies.get(name, Counter()) for name in ("month", "license", "lang", "source")
        }
        return {
            "paths": list(self.paths),
            "kind": self.kind,
            "by": list(self.settings.by),
            "total": self.total.as_dict(),
            "groups": [group.as_dict() for group in self.groups],
            "funnel": self.part.funnel,
            "quarantined": dict(sorted(self.part.quarantined.items())),
            "columns": {name: self._column(name) for name in self.names},
            "domains": {"kind": kind, "different": len(domains), "top": _rows(domains, TOP)},
            **{name: _rows(counts, None if name == "month" else TOP) for name, counts in listed.items()},
            "duplicates": self.duplicates,
            "sizes": footers.sizes(self.part.files),
            "schemas": footers.layouts(self.part.files),
            "schema_differences": footers.differences(self.part.files),
            "tokenizer": {"path": self.settings.tokenizer, "sample": self.settings.tokenizer_sample},
            "failed": self.failed,
            "torn": self.torn,
        }

    def _column(self, name: str) -> dict[str, Any]:
        whole = self.summary(name)
        edges, scale = whole.edges()
        drawn = whole.histogram(edges, scale) if edges else None
        rows = []
        for group in self.groups:
            found = self.summary(name, group.values)
            own = list(found.histogram(edges, scale).counts) if edges else []
            rows.append({**group.values, **found.as_dict(), "histogram": own})
        return {**whole.as_dict(), "histogram": drawn, "groups": rows}


def _rows(counts: Counter[str | None], top: int | None) -> list[dict[str, Any]]:
    if top is None:  # months, in their order
        named = sorted(counts.items(), key=lambda item: (item[0] is None, item[0] or ""))
        return [{"value": value, "documents": number} for value, number in named]
    return [{"value": value, "documents": number} for value, number in tallies.most_common(counts, top)]


def _cluster_sizes(hashes: Sequence[np.ndarray]) -> Counter[int]:
    """Documents by the number of those that have the same content; what is white space alone is no content."""
    every = np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)
    every.sort()
    first = np.flatnonzero(np.r_[True, every[1:] != every[:-1]]) if len(every) else every
    sizes = np.diff(np.r_[first, len(every)])[every[first] != 0]
    different, clusters = np.unique(sizes, return_counts=True)
    return Counter({int(size): int(size * number) for size, number in zip(different, clusters, strict=True)})


def collect(
    paths: Sequence[str], settings: Settings | None = None, workers: int = 1, progress: Progress | None = None
) -> Statistics:
    """Statistics of all that the paths name.

    Args:
        paths: see `inputs.find`.
        progress: what tells how far it is.

    Raises:
        ChejilError: a path without shards; a column of `by` that no file has; too many groups; no such tokenizer.
    """
    found, settings = inputs.find(paths), settings or Settings()
    here = _on_this_machine(settings)
    _require(settings.by, found)
    progress = progress or Silent()
    failed: list[dict[str, Any]] = []
    calls: list[tuple[str, Any, tuple]] = []
    for one in found:
        try:
            calls += [(name, count_piece, (*piece, here)) for name, piece in pieces(one)]
        except SourceError as error:
            failed.append(_failure(one.name, error))
    part = Part()
    progress.start("stats", len(calls), 0, {name: _weight(*arguments) for name, _, arguments in calls})
    with Executor(min(workers, max(1, len(calls)))) as executor:
        for outcome in executor.do(calls):
            stopped = outcome.error
            work = Work(outcome.result.columns.rows()) if stopped is None else NO_WORK
            progress.advance("stats", outcome.name, None if stopped is None else str(stopped), work)
            if stopped is None:
                part.add(outcome.result)
            else:
                failed.append(_failure(outcome.name, stopped))
    progress.finish("stats")
    _require_fields(settings.by, found, part)
    part.files.sort(key=lambda file: file.name)
    kinds = {"run" if one.kind == "run" else "shards" for one in found}
    return Statistics(
        tuple(paths), kinds.pop() if len(kinds) == 1 else "mixed", settings, part,
        sorted(failed, key=lambda row: row["file"]),
    )  # fmt: skip


def _failure(name: str, error: ChejilError) -> dict[str, Any]:
    return {"file": name, "what": error.what, "where": error.where, "mend": error.mend}


def _require_fields(by: Sequence[str], found: Sequence[Input], part: Part) -> None:
    """Refuse a field of records that not one of them has; of what has columns they are known before (`_require`)."""
    missing = set(by) - {"source", "lang"} - part.fields
    if missing and part.columns.rows() and all(one.kind == "records" for one in found):
        mend = "--by source,lang, or a field of the records (chejil inspect shows one)"
        raise ChejilError(f"no record has '{min(missing)}' to group by", where=found[0].url, mend=mend)


def _on_this_machine(settings: Settings) -> Settings:
    """The settings with the file of the tokenizer, which is opened to see that it is one."""
    if settings.tokenizer is None:
        return settings
    path = model_files.local_file(settings.tokenizer)
    open_tokenizer(path)
    return replace(settings, tokenizer=path)


def _weight(one: Input, groups: tuple[int, ...] | None, _: Settings) -> int:
    """Bytes of a piece, as far as they are known before it is read."""
    return max(1, one.bytes if groups is None else min(one.bytes, len(groups) * _ROW_GROUP_BYTES))


_ROW_GROUP_BYTES = 16 << 20  # what writers commonly give a row group


def _require(by: Sequence[str], found: Sequence[Input]) -> None:
    """Refuse a column to group by that no file has; what every corpus is grouped by may be missing."""
    missing, known = set(by) - {"source", "lang"}, set[str]()
    for one in found:
        if not missing:
            return
        if one.kind == "records":
            return  # what the records hold is known when they are read
        with suppress(SourceError):  # said when it is counted
            known |= set(batches.columns_of(one))
        missing -= known
    if missing:
        name = min(missing)
        raise ChejilError(
            f"no column '{name}' to group by", where=found[0].url, mend=did_you_mean(name, known)
        )
