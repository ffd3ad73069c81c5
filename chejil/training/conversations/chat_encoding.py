"""Conversations as tokens, with the mask of what is learnt: the answers and the token that ends each.

A template is rendered by `transformers` itself, so that training, chat and serving see the same text. What differs from
`apply_chat_template(..., return_assistant_tokens_mask=True)` is how the text becomes tokens:

- **What a person wrote never becomes a special token.** `apply_chat_template` joins contents and template to one text
  and looks for `<|im_end|>` in all of it: a message that quotes the token ends the turn. Here the contents are rendered
  between two noncharacters, so it is known which letters are the template's; special tokens are looked for in those
  alone, and everything else is encoded as plain text (`encode_special_tokens`).
- **A prompt's tokens are a prefix of prompt and answer.** The text is cut where an answer begins and ends, as it is
  when the model is asked. Merges across that border ("\\n" and an answer that begins with "\\n") would be
  seen in training, but never when the model answers.

Where neither happens the tokens and the mask are the same to the last one (tests/training/test_chat_templates.py).
Markers of plain-text templates (`### 답변:`) are text wherever they stand; the audit counts contents that have them.

Byte-level BPE alone is taken: a tokenizer that puts a space before every text (SentencePiece) cannot be cut so.
The price is a second rendering: 0.2 ms a conversation for both, 0.17 ms for the tokens of 2 KB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.tokenizer.files import tokenizer_file, tokenizer_folder
from chejil.training.conversations import tokenizer_template
from chejil.training.conversations.conversation import BETWEEN, CLOSE, OPEN

_CONTENT = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_NAMED = re.compile(r"<\|[^|<>\s]+\|>")

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation.

    Args:
        ids: (num_tokens) int32.
        learnt: (num_tokens) bool: the tokens of answers and their ends.
        answers: (num_answers, 2) int64: where the tokens of each answer begin and stop.
    """

    ids: np.ndarray
    learnt: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters of one rendered text: a content's or the template's, learnt (then of the answer `answer`) or not."""

    text: str
    is_content: bool
    answer: int | None


class ChatEncoder:
    """A tokenizer with a chat template.

    Args:
        place: a tokenizer.json, or its folder; the names of bos, eos and pad are read beside it.
        template: a name of chat_templates.yaml or a Jinja file; the tokenizer's own if None.

    Raises:
        ChejilError: no tokenizer, not byte-level BPE, no template, or one that names tokens which are none.
    """

    def __init__(self, place: str | Path, template: str | None = None) -> None:
        import tokenizers

        path = tokenizer_file.path_of(place)
        found = tokenizer_file.read(path)
        tokenizer_template.require_byte_level(found.content, str(path))
        self.place = str(place)
        self.name = template or "the tokenizer's own"
        self.special: dict[str, int] = {token: found.added[token] for token in found.special_tokens}
        config = tokenizer_template.roles_of(path)
        self.roles = {
            role: config[role] for role in tokenizer_folder.ROLES if config.get(role) in self.special
        }
        self.template = (
            tokenizer_template.own_template(path)
            if template is None
            else tokenizer_template.named_template(template)
        )
        self.markers: tuple[str, ...] = tuple(
            tokenizer_folder.named_templates().get(self.name, {}).get("markers", ())
        )
        self._require_known(found)
        self._tokenizer = tokenizers.Tokenizer.from_str(path.read_text("utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.begins_with = self._begins_with()
        self._tokenizer.encode_special_tokens = True
        longest_first = sorted(self.special, key=len, reverse=True)
        self._any_special = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def id_of(self, role: str) -> int | None:
        """The id of the token of a role (bos, eos, pad, unk)."""
        return self.special.get(self.roles[role]) if role in self.roles else None

    def encode(self, conversations: Sequence[Messages]) -> list[Encoded]:
        """Tokens of conversations, and which of them are learnt.

        Raises:
            ChejilError: the template does not take one of them, changes what a message says, or leaves it out.
        """
        return self._encoded([self.pieces(messages) for messages in conversations])

    def prompt(self, messages: Messages) -> np.ndarray:
        """(num_tokens) int32: what the model is asked with: the messages, and the beginning of an answer."""
        return self._encoded([self.pieces(messages, add_generation_prompt=True)])[0].ids

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of tokens, special ones as they are written."""
        return self._tokenizer.decode([int(one) for one in ids], skip_special_tokens=False)

    def quotes_special(self, text: str) -> bool:
        """Whether a content has letters that elsewhere are a special token."""
        return self._any_special.search(text) is not None

    def render(self, messages: Messages, add_generation_prompt: bool = False) -> str:
        """The text of a conversation, as `apply_chat_template(tokenize=False)` gives it."""
        return self._rendered([list(messages)], add_generation_prompt)[0][0]

    def pieces(self, messages: Messages, add_generation_prompt: bool = False) -> list[Piece]:
        """The rendered text, cut where contents and answers begin and end."""
        given = [dict(message) for message in messages]
        texts, spans = self._rendered([given, [_marked(one) for one in given]], add_generation_prompt)
        plain, marked = texts
        wanted = sorted(part.strip() for message in given for part in _parts(message))
        written = sorted(_CONTENT.findall(marked))
        if len(written) != len(wanted):
            mend = "take a template that writes every message, or leave those messages out of the data"
            raise ChejilError(f"template {self.name} leaves a message out, or writes it twice", mend=mend)
        if written != wanted or marked.replace(OPEN, "").replace(CLOSE, "") != plain:
            mend = "take a template that writes every content as it is (it may trim its ends)"
            raise ChejilError(f"template {self.name} changes what a message says", mend=mend)
        return list(_cut(marked, spans[1]))

    def _rendered(
        self, conversations: list[list[Any]], prompt: bool
    ) -> tuple[list[str], list[list[tuple[int, int]]]]:
        import jinja2

        try:
            from transformers.utils.chat_template_utils import render_jinja_template
        except ImportError:
            raise ChejilError("chat templates need transformers", mend="pip install 'chejil[sft]'") from None
        names: dict[str, Any] = {f"{role}_token": token for role, token in self.roles.items()}
        try:
            found: Any = render_jinja_template(
                conversations,
                chat_template=self.template,
                return_assistant_tokens_mask=True,
                add_generation_prompt=prompt,
                **names,
            )
        except jinja2.TemplateError as error:
            mend = "see what it asks of roles and of the tokenizer's bos and eos tokens"
            raise ChejilError(f"template {self.name} refuses it: {error}", mend=mend) from None
        return found

    def _encoded(self, rendered: list[list[Piece]]) -> list[Encoded]:
        segments = [list(self._segments(pieces)) for pieces in rendered]
        texts = list(dict.fromkeys(what for one in segments for what, _ in one if isinstance(what, str)))
        found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        known = {text: encoding.ids for text, encoding in zip(texts, found, strict=True)}
        return [_joined(one, known) for one in segments]

    def _segments(self, pieces: list[Piece]) -> Iterator[tuple[str | int, int | None]]:
        """Ids of the template's special tokens, and between them texts, each learnt from end to end or not at all."""
        held, of = "", None
        for piece in pieces:
            if piece.answer != of:
                if held:
                    yield held, of
                held, of = "", piece.answer
            if piece.is_content:
                held += piece.text
                continue
            at = 0
            for match in self._any_special.finditer(piece.text):
                held += piece.text[at : match.start()]
                if held:
                    yield held, of
                yield self.special[match[0]], of
                held, at = "", match.end()
            held += piece.text[at:]
        if held:
            yield held, of

    def _begins_with(self) -> int | None:
        """The token that the tokenizer itself puts before every text, if it does."""
        plain = self._tokenizer.encode("a", add_special_tokens=False).ids
        ids = self._tokenizer.encode("a", add_special_tokens=True).ids
        return ids[0] if len(ids) > len(plain) and ids[0] != plain[0] else None

    def _require_known(self, found: tokenizer_file.TokenizerFile) -> None:
        lacking = [
            token for token in dict.fromkeys(_NAMED.findall(self.template)) if token not in self.special
        ]
        place = f"template {self.name}"
        if lacking:
            mend = f"add them (chejil tokenizer train --special '{lacking[0]}'), or take another template"
            raise ChejilError(
                f"no special tokens of {self.place}: {', '.join(lacking)}", where=place, mend=mend
            )
        if "eos_token" in self.template and "eos" not in self.roles:
            mend = "name eos_token in the tokenizer_config.json beside it, a special token"
            raise ChejilError(
                f"it ends answers with the eos token, and {self.place} has none", where=place, mend=mend
            )
        rows = found.content.get("added_tokens") or ()
        odd = [
            row["content"] for row in rows if row.get("special") and (row.get("lstrip") or row.get("rstrip"))
        ]
        if odd:
            mend = "set lstrip and rstrip to false in tokenizer.json"
            raise ChejilError(
                f"special tokens that swallow spaces: {', '.join(odd[:5])}", where=self.place, mend=mend
            )


def _joined(segments: list[tuple[str | int, int | None]], known: Mapping[str, list[int]]) -> Encoded:
    ids: list[int] = []
    learnt: list[bool] = []
    answers: dict[int, list[int]] = {}
    for what, of in segments:
        found = [what] if isinstance(what, int) else known[what]
        if of is not None:
            answers.setdefault(of, [len(ids), 0])[1] = len(ids) + len(found)
        ids += found
        learnt += [of is not None] * len(found)
    spans = np.array(list(answers.values()), np.int64).reshape(-1, 2)
    return Encoded(np.array(ids, np.int32), np.array(learnt, bool), spans)


def _parts(message: Mapping[str, Any]) -> list[str]:
    """What of a content is rendered in one piece; white space alone may be trimmed away."""
    content, cut = message["content"], message.get("instruction_chars")
    parts = [content[:cut], content[cut + len(BETWEEN) :]] if cut else [content]
    return [part for part in parts if part.strip()]


def _marked(message: Mapping[str, Any]) -> dict[str, Any]:
    for mark in (OPEN, CLOSE):
        if mark in message["content"]:
            mend = "such rows are no text: leave them out"
            raise ChejilError(f"a message has the noncharacter U+{ord(mark):04X}", mend=mend)
    parts = [_between(part) for part in _parts(message)]
    if not message.get("instruction_chars"):
        return {**message, "content": parts[0] if parts else message["content"]}
    return {**message, "content": BETWEEN.join(parts), "instruction_chars": len(parts[0])}


def _between(part: str) -> str:
    # Inside white space at the ends: a template that trims them trims these, too.
    core = part.strip()
    at = part.index(core)
    return part[:at] + OPEN + core + CLOSE + part[at + len(core) :]


def _cut(marked: str, spans: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    marks = [match.start() for match in re.finditer(f"[{OPEN}{CLOSE}]", marked)]
    edges = {0, len(marked), *marks, *(at + 1 for at in marks), *(edge for span in spans for edge in span)}
    is_content = False
    for start, stop in pairwise(sorted(edges)):
        text = marked[start:stop]
        if text in (OPEN, CLOSE):
            is_content = text == OPEN
        else:
            answer = next((n for n, (begin, end) in enumerate(spans) if begin <= start < end), None)
            yield Piece(text, is_content, answer)
