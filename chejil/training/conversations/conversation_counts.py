"""What files of conversations hold, in numbers: `chejil sft-data check`.

One pass. Held are hashes of each conversation and of its prompt, to count duplicates (about 250 bytes, as Python keeps
them), and its lengths (12 bytes), so that the quantiles are exact.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from chejil.errors import ChejilError, SourceError
from chejil.filters.engine import score
from chejil.training.conversations import conversations, layouts
from chejil.training.conversations.audit import Auditor
from chejil.training.conversations.audit_findings import Audit, AuditSettings
from chejil.training.conversations.chat_encoding import ChatEncoder
from chejil.training.conversations.conversation import Conversation, Fault
from chejil.training.conversations.conversations import Batch
from chejil.training.conversations.message_trees import Paths

FIRST_FAULTS = 3
"""Faults that are shown of each reason."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MANY_ANSWERS = 10
"""Conversations of so many answers or more are counted as one kind."""


@dataclass(slots=True)
class FileCounts:
    """One file; `failed` says why it could not be read, `is_torn` that it could not be read to its end."""

    file: str
    records: int = 0
    conversations: int = 0
    quarantined: int = 0
    left_out: int = 0
    layouts: Counter[str] = field(default_factory=Counter)
    is_torn: bool = False
    failed: str | None = None


@dataclass(slots=True)
class ConversationCounts:
    """All files.

    Args:
        languages: conversations by `lang` of the signals (ko, en, mixed, other, unknown), measured on all contents.
        num_answers: conversations by answers, MANY_ANSWERS or more together.
        duplicates: conversations that are equal to one before; prompts_again: those whose prompt was there before, with
            another answer.
        lengths: quantiles by what is measured: conversation, prompt, answers; in `unit`.
        reasons: quarantined, by reason; first: the first faults of each.
    """

    unit: str
    files: list[FileCounts] = field(default_factory=list)
    layouts: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    num_answers: Counter[int] = field(default_factory=Counter)
    with_system: int = 0
    with_input: int = 0
    duplicates: int = 0
    prompts_again: int = 0
    lengths: dict[str, dict[str, float]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[Fault]] = field(default_factory=dict)
    audit: Audit | None = None

    @property
    def records(self) -> int:
        """Records of all files."""
        return sum(file.records for file in self.files)

    @property
    def conversations(self) -> int:
        """Conversations of all files."""
        return sum(file.conversations for file in self.files)

    @property
    def is_incomplete(self) -> bool:
        """Whether a file could not be read, or not to its end."""
        return any(file.failed or file.is_torn for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {"records": self.records, "conversations": self.conversations, **_plain(self)}


class _Counter:
    def __init__(self, encoder: ChatEncoder | None, settings: AuditSettings | None) -> None:
        self.encoder = encoder
        self.auditor = None if encoder is None else Auditor(encoder, settings)
        self.counts = ConversationCounts("bytes" if encoder is None else "tokens")
        self._seen: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._lengths = {name: array("I") for name in ("conversation", "prompt", "answers")}

    def add(self, file: FileCounts, batch: Batch) -> None:
        file.records += batch.records
        file.conversations += len(batch.conversations)
        file.quarantined += len(batch.faults)
        file.left_out += batch.left_out
        file.is_torn |= batch.is_torn
        for fault in batch.faults:
            self._add_fault(fault)
        for one in batch.conversations:
            self._add_one(file, one)
        if batch.conversations:
            self._measure(batch.conversations)

    def _add_fault(self, fault: Fault) -> None:
        self.counts.reasons[fault.reason] += 1
        first = self.counts.first.setdefault(fault.reason, [])
        if len(first) < FIRST_FAULTS:
            first.append(fault)

    def _add_one(self, file: FileCounts, one: Conversation) -> None:
        counts = self.counts
        file.layouts[one.layout] += 1
        counts.layouts[one.layout] += 1
        counts.num_answers[min(one.num_answers, MANY_ANSWERS)] += 1
        counts.with_system += one.messages[0]["role"] == "system"
        counts.with_input += any("instruction_chars" in message for message in one.messages)
        if one.hash in self._seen:
            counts.duplicates += 1
        elif one.prompt_hash in self._asked:
            counts.prompts_again += 1
        self._seen.add(one.hash)
        self._asked.add(one.prompt_hash)

    def _measure(self, found: Sequence[Conversation]) -> None:
        langs = score([one.text for one in found], ["lang"])["lang"].to_pylist()
        self.counts.languages.update("unknown" if lang is None else lang for lang in langs)
        if self.encoder is None or self.auditor is None:
            rows = [_bytes(one) for one in found]
        else:
            encoded = self.auditor.encode(found)
            self.auditor.add(found, encoded)
            rows = [
                (
                    len(row.ids),
                    int(row.answers[0, 0]) if len(row.answers) else len(row.ids),
                    int(row.learnt.sum()),
                )
                for row in encoded
            ]
        for lengths, values in zip(self._lengths.values(), zip(*rows, strict=True), strict=True):
            lengths.extend(values)

    def result(self) -> ConversationCounts:
        for name, lengths in self._lengths.items():
            if len(lengths):
                self.counts.lengths[name] = _quantiles(np.frombuffer(lengths, np.uint32))
        if self.auditor is not None and self.counts.conversations:
            self.counts.audit = self.auditor.result()
        return self.counts


def _plain(value: Any) -> Any:
    # Not dataclasses.asdict, which makes a Counter of a Counter's items.
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _bytes(one: Conversation) -> tuple[int, int, int]:
    sizes = [(message["role"], len(message["content"].encode())) for message in one.messages]
    roles = [role for role, _ in sizes]
    prompt = sum(size for _, size in sizes[: roles.index("assistant")])
    return sum(size for _, size in sizes), prompt, sum(size for role, size in sizes if role == "assistant")


def _quantiles(values: np.ndarray) -> dict[str, float]:
    named = {
        f"p{100 * at:g}": float(one)
        for at, one in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
    }
    return {"mean": float(values.mean()), **named, "total": float(values.sum(dtype=np.uint64))}


def count(
    paths: Sequence[str],
    layout: str | None = None,
    tree_paths: Paths = "best",
    encoder: ChatEncoder | None = None,
    settings: AuditSettings | None = None,
) -> ConversationCounts:
    """Count conversations of files; with an encoder also their tokens, and audit them.

    A file that cannot be read is counted as failed; the others go on.

    Raises:
        ChejilError: no such layout; a path that no file matches; a template that does not take the data.
    """
    name = None if layout is None else layouts.named(layout)
    counter = _Counter(encoder, settings)
    for found in conversations.find(paths):
        file = FileCounts(found.name)
        counter.counts.files.append(file)
        try:
            for batch in conversations.read_file(found, name, tree_paths):
                counter.add(file, batch)
        except SourceError as error:
            file.failed = error.what
    return counter.result()


def require_some(counts: ConversationCounts) -> None:
    """Refuse data of which nothing can be learnt.

    Raises:
        ChejilError: there is not one conversation.
    """
    if not counts.conversations:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in counts.reasons.most_common(3))
        mend = "see the first faults with `chejil sft-data check`; --layout forces a layout"
        raise ChejilError(
            f"no conversation in {counts.records:,} records: {reasons or 'no records'}", mend=mend
        )
