"""What stands beside a tokenizer.json: the names of its bos, eos and pad tokens, and its chat template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from chejil.errors import ChejilError
from chejil.tokenizer.files import tokenizer_folder


def require_byte_level(content: Mapping[str, Any], where: str) -> None:
    """Refuse a tokenizer that cannot be cut where an answer begins.

    Raises:
        ChejilError: it is no byte-level BPE, or puts a space before every text.
    """
    cutter = content.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", []) if cutter.get("type") == "Sequence" else [cutter]
    levels = [step for step in steps if step.get("type") == "ByteLevel"]
    if levels and not any(step.get("add_prefix_space", True) for step in levels):
        return
    what = "puts a space before every text" if levels else "is not byte-level BPE"
    mend = "take a byte-level BPE without prefix space; `chejil tokenizer train` makes one"
    raise ChejilError(f"the tokenizer {what}: answers could not be told from prompts", where=where, mend=mend)


def roles_of(path: Path) -> dict[str, str]:
    """Tokens by role, of the files that stand beside a tokenizer.json."""
    found: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        file = path.with_name(name)
        content = _object(file) if file.is_file() else {}
        for role in tokenizer_folder.ROLES:
            token = content.get(f"{role}_token")
            token = token.get("content") if isinstance(token, dict) else token
            if isinstance(token, str):
                found[role] = token
    return found


def _object(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ChejilError(f"not JSON: {error}", where=str(file), mend="restore it from its origin") from None
    if not isinstance(content, dict):
        raise ChejilError("no JSON object", where=str(file), mend="restore it from its origin")
    return content


def own_template(path: Path) -> str:
    """The chat template beside a tokenizer.json.

    Raises:
        ChejilError: there is none.
    """
    file = path.with_name("chat_template.jinja")
    if file.is_file():
        return file.read_text("utf-8")
    config = path.with_name("tokenizer_config.json")
    template = _object(config).get("chat_template") if config.is_file() else None
    if not isinstance(template, str):
        names = ", ".join(tokenizer_folder.named_templates())
        raise ChejilError(
            "it has no chat template", where=str(path.parent), mend=f"--template: {names}, or a Jinja file"
        )
    return template


def named_template(name: str) -> str:
    """A template by its name, or of a file.

    Raises:
        ChejilError: there is none.
    """
    template = tokenizer_folder.template_of(name)
    if template is None:
        raise ChejilError(
            "no template", mend=f"one of {', '.join(tokenizer_folder.named_templates())}, or a file"
        )
    return template
