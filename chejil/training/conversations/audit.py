"""The audit before step 1: what would waste a fine-tuning without showing in its loss.

Each check is a fault that users of the trainers before us lost runs to (the numbers are issues of TRL, unless named):

    answers     every answer is learnt: a template without {% generation %} gives a mask of zeros, and the loss still
                looks sane (#4879, #5471)
    end         every answer ends in a special token that is learnt: else the model never stops (#1623; KoAlpaca#42)
    bos         no text begins with two BOS: the template's and the tokenizer's (#1400; OpenRLHF#393)
    pad         padding is not the end of answers: labels that mask it mask the end, too (alignment-handbook#127)
    prompt      the tokens of prompt and answer begin with the tokens of the prompt alone (#6105, #5213)
    truncated   answers whose end lies behind the context are not learnt to stop (#4554)
    quoted      contents with special tokens or markers: the first are encoded as text, the second cannot be told apart

Counted over all conversations; `prompt`, which renders every turn again, over the first PREFIX_FIRST and every
PREFIX_EVERY-th after them. Nothing is held but numbers and one sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.training.conversations.audit_findings import Audit, AuditSettings, Finding
from chejil.training.conversations.chat_encoding import ChatEncoder, Encoded
from chejil.training.conversations.conversation import Conversation

PREFIX_FIRST, PREFIX_EVERY = 200, 50
SAMPLE_TOKENS = 400
IGNORED = -100
"""What trainers write into labels that are not learnt."""


@dataclass(slots=True)
class _Counts:
    conversations: int = 0
    tokens: int = 0
    learnt: int = 0
    unmarked: int = 0
    zero: int = 0
    answers: int = 0
    endless: int = 0
    doubled: int = 0
    truncated: int = 0
    lost: int = 0
    prefixes: int = 0
    torn: int = 0
    quoted: int = 0
    marked: int = 0
    ends: set[int] = field(default_factory=set)
    first: dict[str, str] = field(default_factory=dict)

    def blame(self, check: str, place: str) -> None:
        self.first.setdefault(check, place)


class Auditor:
    """Takes conversations batch by batch, and says in the end what it found."""

    def __init__(self, encoder: ChatEncoder, settings: AuditSettings | None = None) -> None:
        self.encoder, self.settings = encoder, settings or AuditSettings()
        self._counts = _Counts()
        self._special = np.array(sorted(encoder.special.values()), np.int64)
        self._sample: list[dict[str, Any]] = []
        self._is_cut = False

    def add(self, conversations: Sequence[Conversation], encoded: Sequence[Encoded] | None = None) -> None:
        """Look at a batch.

        Args:
            encoded: their tokens as they will be trained on; the encoder's own if None.
        """
        found = self.encode(conversations) if encoded is None else encoded
        for conversation, row in zip(conversations, found, strict=True):
            self._look(conversation, row, f"{conversation.source}:{conversation.line}")

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded]:
        """Their tokens.

        Raises:
            ChejilError: the template does not take one of them, which is named.
        """
        try:
            return self.encoder.encode([one.messages for one in conversations])
        except ChejilError:
            for one in conversations:
                _encode_alone(self.encoder, one)
            raise

    def _look(self, conversation: Conversation, row: Encoded, place: str) -> None:
        counts = self._counts
        if not self._sample or (self._is_cut and len(row.ids) <= SAMPLE_TOKENS):
            self._sample, self._is_cut = list(self._pieces(row)), len(row.ids) > SAMPLE_TOKENS
        self._look_at_mask(conversation, row, place)
        bos = self.encoder.id_of("bos")
        if bos is not None and len(row.ids) > 1 and row.ids[0] == bos and row.ids[1] == bos:
            counts.doubled += 1
            counts.blame("bos", place)
        if counts.conversations < PREFIX_FIRST or counts.conversations % PREFIX_EVERY == 0:
            self._look_at_prompts(conversation, row, place)
        contents = [message["content"] for message in conversation.messages]
        counts.quoted += any(map(self.encoder.quotes_special, contents))
        counts.marked += any(marker in content for content in contents for marker in self.encoder.markers)
        counts.conversations += 1

    def _look_at_mask(self, conversation: Conversation, row: Encoded, place: str) -> None:
        counts = self._counts
        counts.tokens += len(row.ids)
        counts.learnt += int(row.learnt.sum())
        counts.answers += conversation.num_answers
        if not row.learnt.any():
            counts.zero += 1
            counts.blame("answers", place)
        elif len(row.answers) != conversation.num_answers:
            counts.unmarked += 1
            counts.blame("answers", place)
        if len(row.ids) > self.settings.max_tokens:
            counts.truncated += 1
            counts.lost += not row.learnt[: self.settings.max_tokens].any()
            counts.blame("truncated", place)
        last = row.answers[:, 1] - 1
        is_end = np.isin(row.ids[last], self._special) & row.learnt[last]
        counts.ends.update(row.ids[last][is_end].tolist())
        if not is_end.all():
            counts.endless += 1
            counts.blame("end", place)

    def _look_at_prompts(self, conversation: Conversation, row: Encoded, place: str) -> None:
        messages = conversation.messages
        at = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        if len(at) != len(row.answers):
            return  # which answer is which cannot be told; `answers` refuses it
        self._counts.prefixes += 1
        for number, start in zip(at, row.answers[:, 0].tolist(), strict=True):
            if not np.array_equal(self.encoder.prompt(messages[:number]), row.ids[:start]):
                self._counts.torn += 1
                self._counts.blame("prompt", place)
                return

    def _pieces(self, row: Encoded) -> Iterator[dict[str, Any]]:
        ids, learnt = row.ids[:SAMPLE_TOKENS], row.learnt[:SAMPLE_TOKENS]
        edges = [0, *(np.flatnonzero(np.diff(learnt)) + 1).tolist(), len(ids)]
        for start, stop in pairwise(edges):
            if stop > start:
                text = self.encoder.decode(ids[start:stop])
                yield {"text": text, "tokens": stop - start, "learnt": bool(learnt[start])}

    def result(self) -> Audit:
        """What was found.

        Raises:
            ChejilError: there was no conversation.
        """
        counts = self._counts
        if not counts.conversations:
            raise ChejilError("nothing to audit: no conversation", mend="see chejil sft-data check PATH")
        findings = [
            Finding("template", "ok", f"{self.encoder.name}: its special tokens are the tokenizer's"),
            self._answers(), self._end(), self._bos(), self._pad(), self._prompt(), self._truncated(),
            *self._quoted(),
        ]  # fmt: skip
        return Audit(
            self.encoder.name, self.encoder.place, counts.conversations, counts.tokens, counts.learnt,
            counts.truncated, findings, self._sample,
        )  # fmt: skip

    def _where(self, check: str) -> str:
        return f", first at {self._counts.first[check]}"

    def _answers(self) -> Finding:
        counts = self._counts
        share = f"{counts.learnt:,} of {counts.tokens:,} tokens are learnt"
        if counts.zero:
            said = f"{counts.zero:,} conversations with not one learnt token{self._where('answers')}"
            mend = "mark the answers with {% generation %}, or take a named template"
            return Finding("answers", "refused", said, mend)
        if counts.unmarked:
            said = f"{counts.unmarked:,} conversations of which not every answer is learnt{self._where('answers')}"
            return Finding(
                "answers", "refused", said, "put {% generation %} around every answer of the template"
            )
        return Finding("answers", "ok", f"{counts.answers:,} answers, {share}")

    def _end(self) -> Finding:
        counts = self._counts
        if counts.endless:
            said = (
                f"{counts.endless:,} conversations have an answer whose last learnt token is no special token"
            )
            mend = "end answers with the end token inside {% generation %}: {{ message.content + eos_token }}"
            return Finding("end", "refused", said + self._where("end"), mend)
        names = sorted(token for token, one in self.encoder.special.items() if one in counts.ends)
        said = f"each answer ends with {' or '.join(names)}, which is learnt"
        eos = self.encoder.roles.get("eos")
        if names != [eos]:
            mend = "let generation stop at it: eos_token_id of generation_config.json"
            return Finding(
                "end", "note", f"{said}; the tokenizer's own end of text is {eos or 'not named'}", mend
            )
        return Finding("end", "ok", said)

    def _bos(self) -> Finding:
        counts, encoder = self._counts, self.encoder
        if counts.doubled:
            said = f"{counts.doubled:,} conversations begin with two BOS{self._where('bos')}"
            return Finding("bos", "refused", said, "let the template or the first content write it, not both")
        if encoder.begins_with is not None:
            names = (token for token, one in encoder.special.items() if one == encoder.begins_with)
            name = next(names, f"token {encoder.begins_with}")
            if "bos_token" in encoder.template or name in encoder.template:
                said = f"none doubled; but the tokenizer adds {name} to any text, and the template writes it, too"
                return Finding("bos", "note", said, "tokenise rendered text with add_special_tokens=False")
            said = f"the tokenizer adds {name} to any text, the template does not write it"
            return Finding(
                "bos", "note", said, "if the base model was trained with it, write {{ bos_token }} in front"
            )
        return Finding("bos", "ok", "none doubled")

    def _pad(self) -> Finding:
        pad = self.encoder.id_of("pad")
        if pad is None and self.encoder.id_of("eos") in self._counts.ends:
            said = "no pad token: trainers take the eos token for it, which ends the answers"
            return Finding("pad", "refused", said, _PAD)
        if pad in self._counts.ends:
            said = f"{self.encoder.roles['pad']} fills batches and ends answers: labels that mask it mask the end"
            return Finding("pad", "refused", said, _PAD)
        return Finding("pad", "ok", f"{self.encoder.roles.get('pad', 'none')} does not end answers")

    def _prompt(self) -> Finding:
        counts = self._counts
        if counts.torn:
            said = f"{counts.torn:,} of {counts.prefixes:,} conversations do not begin with their prompt's tokens"
            mend = "let add_generation_prompt write exactly what stands before {% generation %}"
            return Finding("prompt", "refused", said + self._where("prompt"), mend)
        return Finding(
            "prompt", "ok", f"a prefix in all of {counts.prefixes:,} conversations that were tried"
        )

    def _truncated(self) -> Finding:
        counts, allowed = self._counts, self.settings.max_truncated_share
        share = counts.truncated / counts.conversations
        said = f"{counts.truncated:,} ({share:.1%}) are longer than {self.settings.max_tokens:,} tokens"
        if counts.lost:
            said += f", {counts.lost:,} of them by the prompt alone: cut, nothing of them would be learnt"
        if share > allowed:
            mend = f"a longer context, shorter conversations, or max_truncated_share above {allowed:g}"
            return Finding("truncated", "refused", said + self._where("truncated"), mend)
        if counts.truncated:
            return Finding(
                "truncated", "note", said, "drop them, or take a longer context: cut ones do not end"
            )
        return Finding("truncated", "ok", said)

    def _quoted(self) -> Iterator[Finding]:
        counts = self._counts
        if counts.quoted:
            said = f"{counts.quoted:,} conversations quote a special token; it is encoded as text"
            yield Finding("quoted", "note", said)
        if counts.marked:
            said = f"{counts.marked:,} conversations quote a marker of the template ({', '.join(self.encoder.markers)})"
            yield Finding(
                "quoted", "note", said, "take a template of special tokens (chatml), or leave them out"
            )


def _encode_alone(encoder: ChatEncoder, one: Conversation) -> None:
    try:
        encoder.encode([one.messages])
    except ChejilError as error:
        raise ChejilError(error.what, where=f"{one.source}:{one.line}", mend=error.mend) from None


_PAD = 'name another special token in tokenizer_config.json: "pad_token": "<|pad|>"'


def audit(
    encoder: ChatEncoder, batches: Iterable[Sequence[Conversation]], settings: AuditSettings | None = None
) -> Audit:
    """Audit conversations, which come in batches; `Audit.require` refuses."""
    auditor = Auditor(encoder, settings)
    for batch in batches:
        auditor.add(batch)
    return auditor.result()


def require_labels(
    ids: np.ndarray,
    labels: np.ndarray,
    ends: Iterable[int],
    pad: int | None,
    attended: np.ndarray | None = None,
) -> None:
    """Refuse a trainer's own batch whose labels lost what the audit saw: the last look before step 1.

    Args:
        ids: (rows, tokens) as the model gets them; labels: the same shape, IGNORED where nothing is learnt.
        ends: ids of the tokens that end answers.
        attended: (rows, tokens) bool, False where a row is filled up.

    Raises:
        ChejilError: a row without a label, no end learnt in any row, a filled place that is learnt.

    >>> require_labels(np.array([[5, 6, 2, 0]]), np.array([[-100, 6, 2, -100]]), [2], 0)
    """
    learnt = labels != IGNORED
    bare = np.flatnonzero(~learnt.any(axis=1))
    if len(bare):
        mend = "are masks and ids shifted against each other, or cut at another length?"
        raise ChejilError(f"row {bare[0]} of the batch has no label", where="labels", mend=mend)
    if not (learnt & np.isin(labels, list(ends))).any():
        raise ChejilError("no answer's end is among the labels", where="labels", mend=_PAD)
    filled = ~attended.astype(bool) if attended is not None else ids == (-1 if pad is None else pad)
    if (learnt & filled).any():
        raise ChejilError("padding is among the labels", where="labels", mend="mask it with -100")
