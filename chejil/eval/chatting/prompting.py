"""Messages to tokens, and which tokens end an answer.

- Byte-level BPE: training/conversations/chat_encoding.py, the very tokens of fine-tuning. What a person wrote never
  becomes a special token. A template that rewrites what was said (it drops `<think>…</think>` of earlier answers) is
  rendered as it stands, unless a message quotes a special token: then it is refused.
- Any other tokenizer (SentencePiece, or byte-level with odd special tokens): `apply_chat_template` of transformers,
  with a note, since there a message that quotes `<|im_end|>` ends its turn.
- Plain: no template, the last message is continued as text.

An answer ends at any end token of generation_config.json, the model's config and the tokenizer, and at the special
token that the template puts behind an answer: ChatML's `<|im_end|>` is seldom in the config.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Messages
from chejil.eval.chatting.whole_characters import ByteLevelCharacters, DecodedCharacters, WholeCharacters
from chejil.eval.judging.prompts import well_formed
from chejil.tokenizer.files import byte_alphabet, tokenizer_file, tokenizer_folder
from chejil.training.conversations import tokenizer_template
from chejil.training.conversations.chat_encoding import ChatEncoder

_ANSWER = "\ufdd0answer\ufdd1"
_PLAIN = "--plain continues a text without a template"


@dataclass(frozen=True)
class Prompting:
    """How a folder's tokenizer makes prompts, and text of tokens.

    Args:
        template: its name, for people.
        encode: the tokens of messages and the beginning of an answer.
        ends: ids that end an answer.
        characters: a fresh reader of one answer's tokens.
        notes: what a person should know.
        keeps_spaces: an answer may begin with white space; templates whose answers begin with one do not mean it.
    """

    template: str
    encode: Callable[[Messages], Sequence[int]]
    ends: frozenset[int]
    characters: Callable[[], WholeCharacters]
    notes: tuple[str, ...] = ()
    keeps_spaces: bool = False


def of_folder(folder: Path, template: str | None = None, plain: bool = False) -> Prompting:
    """The prompting of a tokenizer's folder.

    Args:
        template: a name of chat_templates.yaml or a Jinja file; the tokenizer's own if None.
        plain: continue the last message instead.

    Raises:
        ChejilError: no tokenizer, no template, or one that the tokenizer lacks tokens for.
    """
    if plain:
        return _plain(folder)
    try:
        return _byte_level(ChatEncoder(folder, template))
    except ChejilError as error:
        return _by_transformers(folder, template, error)


def _byte_level(encoder: ChatEncoder) -> Prompting:
    def encode(messages: Messages) -> Sequence[int]:
        given = said(messages)
        with _untold():
            try:
                return encoder.prompt(given).tolist()
            except ChejilError:
                if any(encoder.quotes_special(one["content"]) for one in given):
                    raise
                return tokenizer(encoder.render(given, add_generation_prompt=True))

    tokenizer = _whole_text(encoder.place)
    with _untold():
        after = _after_answer(lambda messages: encoder.render(messages))
    eos = encoder.id_of("eos")
    ends = _first_special(after, encoder.special) | ({eos} if eos is not None else set())
    return Prompting(encoder.name, encode, frozenset(ends), _characters_of(encoder.place))


@contextmanager
def _untold() -> Iterator[None]:
    """Without the library's warning that a template marks no answers: that matters to training alone."""
    logger = logging.getLogger("transformers.utils.chat_template_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _whole_text(place: str) -> Callable[[str], list[int]]:
    """Ids of a text in which special tokens are looked for."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_file.path_of(place).read_text("utf-8"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def _characters_of(place: str | Path) -> Callable[[], WholeCharacters]:
    found = tokenizer_file.read(tokenizer_file.path_of(place))
    bytes_of: dict[int, bytes] = {}
    for token, number in found.vocabulary.items():
        read = byte_alphabet.read(token)
        bytes_of[number] = token.encode() if read is None else read
    for token, number in found.added.items():
        bytes_of[number] = token.encode()
    for token in found.special_tokens:
        bytes_of.pop(found.added[token], None)
    return lambda: ByteLevelCharacters(bytes_of)


def _plain(folder: Path) -> Prompting:
    tokenizer = _library_tokenizer(folder)

    def encode(messages: Messages) -> Sequence[int]:
        if messages and messages[0]["role"] == "system":
            raise ChejilError(
                "plain text has no system message", mend="leave --system out, or name a --template"
            )
        text: str = said(messages)[-1]["content"]
        return list(tokenizer(text, split_special_tokens=True)["input_ids"])

    ends = frozenset({tokenizer.eos_token_id} - {None})
    return Prompting("none", encode, ends, _characters(folder, tokenizer), keeps_spaces=True)


def _by_transformers(folder: Path, template: str | None, error: ChejilError) -> Prompting:
    tokenizer = _library_tokenizer(folder)
    if template is not None:
        tokenizer.chat_template = tokenizer_template.named_template(template)
    if not tokenizer.chat_template:
        names = ", ".join(tokenizer_folder.named_templates())
        mend = f"--template NAME: {names}, or a Jinja file; {_PLAIN}"
        raise ChejilError("its tokenizer has no chat template", where=str(folder), mend=mend)
    if template is not None and _is_byte_level(folder):
        raise error

    def encode(messages: Messages) -> Sequence[int]:
        found = tokenizer.apply_chat_template(
            said(messages), add_generation_prompt=True, tokenize=True, return_dict=True
        )
        return list(found["input_ids"])

    special = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
    after = _after_answer(lambda messages: tokenizer.apply_chat_template(messages, tokenize=False))
    ends = frozenset(_first_special(after, special) | ({tokenizer.eos_token_id} - {None}))
    note = f"prompts are made by transformers, so a message that quotes a special token acts as one ({error.what})"
    return Prompting(
        template or "the tokenizer's own", refused(encode), ends, _characters(folder, tokenizer), (note,)
    )


def refused(encode: Callable[[Messages], Sequence[int]]) -> Callable[[Messages], Sequence[int]]:
    """A template that takes no such messages is the user's error."""
    import jinja2

    def encoded(messages: Messages) -> Sequence[int]:
        try:
            return encode(messages)
        except jinja2.TemplateError as error:
            raise ChejilError(
                f"the template refuses it: {error}", mend="see what it asks of roles and their order"
            ) from None

    return encoded


def _characters(folder: Path, tokenizer: Any) -> Callable[[], WholeCharacters]:
    if _is_byte_level(folder):
        return _characters_of(folder)
    return lambda: DecodedCharacters(
        lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )


def _is_byte_level(folder: Path) -> bool:
    try:
        path = tokenizer_file.path_of(folder)
        tokenizer_template.require_byte_level(tokenizer_file.read(path).content, str(path))
    except ChejilError:
        return False
    return True


def _library_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library's readers raise whatever theirs do
        what = f"its tokenizer cannot be read: {type(error).__name__} {str(error)[:200]}"
        raise ChejilError(what, where=str(folder), mend="put tokenizer.json beside config.json") from None


def _after_answer(render: Callable[[list[dict[str, str]]], str]) -> str:
    """What a template writes behind an answer; nothing where it takes no such conversation."""
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _ANSWER}]
    try:
        return render(talk).rpartition(_ANSWER)[2]
    except Exception:  # templates raise what they like; ends of the config are left
        return ""


def _first_special(text: str, special: Mapping[str, int]) -> set[int]:
    names = sorted(special, key=len, reverse=True)
    found = re.search("|".join(map(re.escape, names)) or "(?!)", text)
    return {special[found[0]]} if found else set()


def said(messages: Messages) -> list[dict[str, str]]:
    """Messages in the form of the texts that models are trained on: NFC, `\\n`, no halves of surrogate pairs."""
    return [{**one, "content": _composed(one["content"])} for one in messages]


def _composed(text: str) -> str:
    whole = well_formed(text).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", whole)
