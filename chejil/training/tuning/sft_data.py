"""Conversations as they are learnt from: read, encoded, audited, what is too long decided, some held out.

Held-out conversations are chosen by a hash of what is asked (everything before the first answer), so the same question
with two answers is never on both sides. Nothing is lost without a number: what is no conversation, what the template
refuses and what is too long stands in quarantine.jsonl with file and line.

All tokens are held: 5 bytes a token, 8 more as a table of the trainer. A million conversations of 500 tokens are 6.5 GB
on each process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import xxhash

from chejil.errors import ChejilError
from chejil.filters.engine import score
from chejil.training.conversations import conversations
from chejil.training.conversations.audit import Auditor
from chejil.training.conversations.audit_findings import Audit, AuditSettings
from chejil.training.conversations.chat_encoding import ChatEncoder, Encoded
from chejil.training.conversations.conversation import Conversation, Fault
from chejil.training.data.held_out import MIN_DOCUMENTS
from chejil.training.tuning.sft_config import Overflow, SftConfig
from chejil.training.tuning.tokens import Tokens

TOO_LONG, REFUSED, HELD_OUT = "too_long", "refused_by_template", "asked_in_held_out"


@dataclass
class SftData:
    """What a fine-tuning learns from and is measured on.

    Args:
        names: of streams: FILE/LANGUAGE, the file without folder and ending.
        faults: what is left out, with reasons; `cut` are conversations that lost turns or their end.
        torn: files that could not be read, or not to their end.
    """

    train: Tokens
    held_out: Tokens
    names: list[str]
    audit: Audit
    encoder: ChatEncoder
    faults: list[Fault] = field(default_factory=list)
    cut: int = 0
    torn: list[str] = field(default_factory=list)
    num_set_aside: int = 0

    @property
    def reasons(self) -> Counter[str]:
        """How many were left out, by reason."""
        return Counter(fault.reason for fault in self.faults)

    @property
    def ends(self) -> list[int]:
        """Ids of the special tokens that end answers, the most frequent first."""
        tokens = self.train
        last = tokens.learnt.copy()
        last[:-1] &= ~tokens.learnt[1:]
        last[tokens.first[1:] - 1] |= tokens.learnt[tokens.first[1:] - 1]
        ids, counts = np.unique(tokens.ids[last], return_counts=True)
        special = set(self.encoder.special.values())
        return [int(ids[at]) for at in np.argsort(-counts, kind="stable") if int(ids[at]) in special]

    def counts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "conversations": self.train.num,
            "tokens": len(self.train.ids),
            "learnt_tokens": int(self.train.learnt.sum()),
            "held_out": self.num_set_aside,
            "measured": self.held_out.num,
            "cut": self.cut,
            "left_out": dict(sorted(self.reasons.items())),
            "torn": self.torn,
        }

    def quarantine(self) -> bytes:
        """What is left out, as JSON lines."""
        return b"".join(orjson.dumps(asdict(fault)) + b"\n" for fault in self.faults)


def read(config: SftConfig, say: Callable[[str], None] = lambda _: None) -> SftData:
    """Read, encode and audit all conversations of a config.

    Args:
        say: is told now and then how far it is.

    Raises:
        ChejilError: no such file, a template that the tokenizer does not know, nothing to learn from, or, by
            `overflow: refuse`, a conversation that is too long. The audit refuses by `audit.require()`, not here.
    """
    found = _Reader(config, say)
    settings = config.conversations
    found.add(settings.paths, is_held_out=False)
    found.add(settings.held_out.paths, is_held_out=True)
    return found.result()


class _Reader:
    def __init__(self, config: SftConfig, say: Callable[[str], None]) -> None:
        self.config, self.say = config, say
        self.encoder = ChatEncoder(config.model, config.template)
        limits = AuditSettings(
            max_tokens=config.context_tokens, max_truncated_share=config.max_truncated_share
        )
        self.auditor = Auditor(self.encoder, limits)
        self.names: dict[str, int] = {}
        self.rows: list[Encoded] = []
        self.streams: list[int] = []
        self.hashes: list[int] = []
        self.places: list[tuple[str, int, str]] = []
        self.given: list[bool] = []
        self.faults: list[Fault] = []
        self.torn: list[str] = []
        self.cut = 0

    def add(self, paths: Sequence[str], is_held_out: bool) -> None:
        settings = self.config.conversations
        batches = conversations.read(paths, settings.layout, settings.tree_paths) if paths else ()
        for batch in batches:
            self.faults += batch.faults
            if batch.is_torn:
                self.torn.append(batch.file)
            for one, row, lang in self._encoded(batch.conversations):
                self._keep(one, row, lang, is_held_out)
            if batch.conversations:
                self.say(f"{len(self.rows):,} conversations encoded")

    def _encoded(self, batch: Sequence[Conversation]) -> Iterator[tuple[Conversation, Encoded, str | None]]:
        """With tokens and language; what the template refuses is quarantined."""
        if not batch:
            return
        try:
            taken, rows = list(batch), self.encoder.encode([one.messages for one in batch])
        except ChejilError:
            taken, rows = self._one_by_one(batch)
        if taken:
            self.auditor.add(taken, rows)
            langs = score([one.text for one in taken], ["lang"])["lang"].to_pylist()
            yield from zip(taken, rows, langs, strict=True)

    def _one_by_one(self, batch: Sequence[Conversation]) -> tuple[list[Conversation], list[Encoded]]:
        taken, rows = [], []
        for one in batch:
            try:
                rows += self.encoder.encode([one.messages])
                taken.append(one)
            except ChejilError as error:
                self.faults.append(Fault(one.source, one.line, REFUSED, error.what, _excerpt(one)))
        return taken, rows

    def _keep(self, one: Conversation, row: Encoded, lang: str | None, is_held_out: bool) -> None:
        fitting = fitted(row, self.config.context_tokens, self.config.conversations.overflow)
        if fitting is None:
            self._too_long(one, row)
            return
        self.cut += fitting is not row
        name = f"{PurePosixPath(one.source).name.split('.')[0]}/{lang or 'unknown'}"
        self.streams.append(self.names.setdefault(name, len(self.names)))
        self.rows.append(fitting)
        seed = self.config.conversations.held_out.seed
        self.hashes.append(xxhash.xxh3_64_intdigest(one.prompt_hash, seed))
        self.places.append((one.source, one.line, _excerpt(one)))
        self.given.append(is_held_out)

    def _too_long(self, one: Conversation, row: Encoded) -> None:
        said = f"{len(row.ids):,} tokens, context_tokens are {self.config.context_tokens:,}"
        if self.config.conversations.overflow == "refuse":
            mend = "a longer context, or conversations.overflow: drop or cut_turns"
            raise ChejilError(said, where=f"{one.source}:{one.line}", mend=mend)
        self.faults.append(Fault(one.source, one.line, TOO_LONG, said, _excerpt(one)))

    def result(self) -> SftData:
        if not self.rows:
            reasons = ", ".join(f"{why} {num:,}" for why, num in _most(self.faults)) or "no records"
            first = self.faults[0] if self.faults else None
            told = f"; first {first.file}:{first.line}: {first.detail}" if first and first.detail else ""
            mend = "see the first faults with `chejil sft-data check`"
            raise ChejilError(f"no conversation to learn from: {reasons}{told}", mend=mend)
        held = self._held_out()
        tokens = _joined(self.rows, self.streams)
        self.rows.clear()
        train = np.flatnonzero(held == _TRAIN)
        if len(train) == 0:
            by_files = self.config.conversations.held_out.paths
            other = "name files that ask something else in conversations.held_out.paths"
            mend = other if by_files else "lower conversations.held_out.share"
            raise ChejilError("all conversations are held out", mend=mend)
        aside = np.flatnonzero(held == _HELD)
        order = aside[np.lexsort((aside, np.array(self.hashes, np.uint64)[aside]))]
        measured = order[: self.config.conversations.held_out.max_conversations]
        return SftData(
            tokens.taken(train), tokens.taken(measured), list(self.names), self.auditor.result(), self.encoder,
            self.faults, self.cut, self.torn, len(aside),
        )  # fmt: skip

    def _held_out(self) -> np.ndarray:
        """(num_conversations) int8: learnt from, measured, or asked in what is measured and so left out."""
        given, hashes = np.array(self.given, bool), np.array(self.hashes, np.uint64)
        settings = self.config.conversations.held_out
        found = np.where(given, _HELD, _TRAIN).astype(np.int8)
        if settings.paths:
            asked = ~given & np.isin(hashes, hashes[given])
            found[asked] = _ASKED
            for number in np.flatnonzero(asked):
                source, line, excerpt = self.places[number]
                self.faults.append(Fault(source, line, HELD_OUT, "what it asks is held out", excerpt))
        elif settings.share and len(hashes) >= MIN_DOCUMENTS:
            below = hashes < np.uint64(int(settings.share * 2**64))
            found[below if below.any() else hashes == hashes.min()] = _HELD
        return found


_TRAIN, _HELD, _ASKED = range(3)


def fitted(row: Encoded, context: int, overflow: Overflow) -> Encoded | None:
    """A conversation that fits into the context, by the policy; the same one where it does; None: left out.

    >>> row = Encoded(np.arange(9, dtype=np.int32), np.arange(9) % 3 > 0, np.array([[1, 3], [4, 6], [7, 9]]))
    >>> fitted(row, 7, "cut_turns").ids.tolist(), fitted(row, 7, "drop")
    ([0, 1, 2, 3, 4, 5], None)
    """
    if len(row.ids) <= context:
        return row
    if overflow == "cut_turns":
        ends = row.answers[row.answers[:, 1] <= context, 1]
        stop = int(ends[-1]) if len(ends) else 0
    else:
        stop = context if overflow == "truncate" else 0
    if not row.learnt[:stop].any():
        return None
    answers = np.minimum(row.answers[row.answers[:, 0] < stop], stop)
    return Encoded(row.ids[:stop], row.learnt[:stop], answers)


def _joined(rows: Sequence[Encoded], streams: Sequence[int]) -> Tokens:
    first = np.concatenate([[0], np.cumsum([len(row.ids) for row in rows])])
    return Tokens(
        np.concatenate([row.ids for row in rows]),
        np.concatenate([row.learnt for row in rows]),
        first,
        np.array(streams, np.int32),
    )


def _excerpt(one: Conversation) -> str:
    return one.text[: conversations.EXCERPT_CHARS]


def _most(faults: Iterable[Fault]) -> list[tuple[str, int]]:
    return Counter(fault.reason for fault in faults).most_common(3)
