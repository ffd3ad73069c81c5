"""The folder of a tokenizer: tokenizer.json and what `transformers` reads beside it, and a manifest of its making.

    tokenizer.json             the model (tokenizer_file.py)
    tokenizer_config.json      roles of special tokens, longest text, the chat template for readers before 2025
    special_tokens_map.json    the roles again, for readers of the first kind
    chat_template.jinja        the chat template
    tokenizer_manifest.json    what it was trained from, its settings, hashes of the files; written last

The vocabulary is filled up with reserved tokens to a multiple of 128, so that an embedding can be cut in equal
parts: where it cannot, some trainers have resumed with wrong optimizer states (pytorch/torchtitan#1136). 128 serves
every power of two up to 128 GPUs; the much used 50,304 = 393 x 128 does not divide by 256. Reserved tokens are special
and have a name each, so that a later one needs no new row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from chejil import __version__
from chejil.curation import shards
from chejil.errors import ChejilError, did_you_mean
from chejil.tokenizer.files import byte_alphabet, tokenizer_file

MANIFEST = "tokenizer_manifest.json"
ROLES = ("bos", "eos", "pad", "unk")
Role = Literal["bos", "eos", "pad", "unk"]
RESERVED = "<|reserved_{}|>"

_NAMED = re.compile(r"<\|[^|<>\s]+\|>")


class FolderSettings(BaseModel):
    """What a tokenizer has beside its merges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    special_tokens: tuple[str, ...] = Field(
        default=("<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"),
        description="Tokens that stand for no text; they get the first ids, in this order.",
    )
    roles: dict[Role, str] = Field(
        default={"eos": "<|endoftext|>", "pad": "<|pad|>"},
        description="Which of them ends a document (eos), fills a batch (pad), begins a text (bos).",
    )
    chat_template: str | None = Field(
        default="chatml", description="A name of chat_templates.yaml, a Jinja file, or none."
    )
    model_max_length: int = Field(default=4096, ge=1, description="The longest text of the model, in tokens.")
    multiple: int = Field(default=128, ge=1, description="The vocabulary is filled up to a multiple of it.")

    @field_validator("special_tokens")
    @classmethod
    def _apart(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        for number, token in enumerate(tokens):
            if token in tokens[:number]:
                raise ValueError(f"the special token {token} is named twice")
            if not token or token.isspace() or token in byte_alphabet.BYTES:
                raise ValueError(f"'{token}' cannot be a special token: it would stand for text")
            if not _is_marked(token):
                raise ValueError(
                    f"'{token}' cannot be a special token: text has it, too, and other tools would read it there as "
                    f"special; mark it, as <|{token}|>"
                )
        return tokens


def _is_marked(token: str) -> bool:
    """Whether it has a character that prose seldom has: a bracket, `<`, `>`, `|`, `_`, or none that is printed."""
    return any(
        char in "<>|_▁" or unicodedata.category(char) in ("Ps", "Pe", "Cc", "Cf", "Co", "Cn")
        for char in token
    )


def named_roles(given: Sequence[str]) -> dict[str, Any]:
    """Settings from `[ROLE=]TOKEN`, in their order; none if nothing is given.

    >>> named_roles(["eos=</s>", "<a=b>"])
    {'special_tokens': ['</s>', '<a=b>'], 'roles': {'eos': '</s>'}}
    """
    if not given:
        return {}
    parted = [one.split("=", 1) if one.split("=", 1)[0] in ROLES else [None, one] for one in given]
    return {
        "special_tokens": [token for _, token in parted],
        "roles": {role: token for role, token in parted if role is not None},
    }


def require_roles(settings: FolderSettings) -> None:
    """Refuse roles and templates that name tokens which are none.

    Raises:
        ChejilError: a role, or the chat template, wants a token that is not special; no token ends a document.
    """
    for role, token in settings.roles.items():
        if token not in settings.special_tokens:
            mend = f"add it: --special '{role}={token}'"
            raise ChejilError(
                f"the {role} token {token} is no special token", where="special tokens", mend=mend
            )
    if "eos" not in settings.roles:
        mend = "say which token ends a document: --special 'eos=<|endoftext|>'"
        raise ChejilError(
            "no eos token: documents could not be told apart", where="special tokens", mend=mend
        )
    template = template_of(settings.chat_template)
    for token in _NAMED.findall(template or ""):
        if token not in settings.special_tokens:
            mend = f"add --special '{token}', or take another --chat-template (none: no template)"
            place = f"chat template {settings.chat_template}"
            raise ChejilError(f"its token {token} is no special token", where=place, mend=mend)


@cache
def named_templates() -> dict[str, dict[str, Any]]:
    """All of chat_templates.yaml: about, markers, template."""
    return yaml.safe_load((files("chejil.tokenizer.files") / "chat_templates.yaml").read_text("utf-8"))


def template_of(name: str | None) -> str | None:
    """The text of a template by its name, or of a file.

    Raises:
        ChejilError: neither a name nor a file.
    """
    if name is None or name == "none":
        return None
    if name in named_templates():
        return named_templates()[name]["template"]
    if not Path(name).is_file():
        mend = did_you_mean(name, [*named_templates(), "none"])
        raise ChejilError(f"no chat template '{name}', and no such file", mend=mend)
    return Path(name).read_text("utf-8")


def padded(size: int, multiple: int) -> int:
    """The size after reserved tokens.

    >>> padded(50_000, 128), padded(50_304, 256)
    (50048, 50432)
    """
    return -(-size // multiple) * multiple


def sharding_warning(size: int, gpus: int) -> str | None:
    """What to say where the vocabulary does not divide by the number of GPUs.

    >>> sharding_warning(50_304, 64) is None, sharding_warning(50_304, 256)
    (True, '50,304 tokens do not divide by 256 GPUs: take --multiple 256, which gives 50,432')
    """
    if size % gpus == 0:
        return None
    return f"{size:,} tokens do not divide by {gpus} GPUs: take --multiple {gpus}, which gives {padded(size, gpus):,}"


def reserved_tokens(size: int, multiple: int, taken: Sequence[str] = ()) -> list[str]:
    """Names of the reserved tokens behind `size` tokens, none of them taken."""
    missing, number = padded(size, multiple) - size, 0
    names: list[str] = []
    used = set(taken)
    while len(names) < missing:
        name = RESERVED.format(number)
        names += [name] * (name not in used)
        number += 1
    return names


def write(
    folder: str, content: dict[str, Any], settings: FolderSettings, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a tokenizer's folder; the manifest, which is returned, comes last.

    Args:
        content: of tokenizer.json.
        provenance: what the manifest says of where the tokenizer is from.
    """
    shards.remove(shards.join(folder, MANIFEST))
    template = template_of(settings.chat_template)
    config = _config(content, settings, template)
    records = [
        shards.write_bytes(folder, tokenizer_file.NAME, tokenizer_file.as_bytes(content)),
        shards.write_json(folder, "tokenizer_config.json", config),
        shards.write_json(folder, "special_tokens_map.json", _roles(settings)),
    ]
    if template is not None:
        records.append(shards.write_bytes(folder, "chat_template.jinja", template.encode()))
    else:
        shards.remove(shards.join(folder, "chat_template.jinja"))
    found = {record.path: record.hash for record in records}
    manifest = {
        "chejil": __version__,
        **provenance,
        "settings": settings.model_dump(mode="json"),
        "files": found,
    }
    shards.write_json(folder, MANIFEST, manifest)
    return manifest


def _roles(settings: FolderSettings) -> dict[str, Any]:
    named = {f"{role}_token": token for role, token in settings.roles.items()}
    others = [token for token in settings.special_tokens if token not in named.values()]
    return {**named, **({"additional_special_tokens": others} if others else {})}


def _config(content: dict[str, Any], settings: FolderSettings, template: str | None) -> dict[str, Any]:
    rows = {str(row["id"]): {key: row[key] for key in row if key != "id"} for row in content["added_tokens"]}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": settings.model_max_length,
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": rows,
        **_roles(settings),
        **({"chat_template": template} if template is not None else {}),
    }
