"""The folder of an extended tokenizer: its tokenizer.json, and whatever the base's folder holds beside its own.

Roles of special tokens, chat template and longest text stay those of the base: its files are copied as they are. A
`vocab.json`, `merges.txt` or `tokenizer.model` is not, as it would still be that of the base, and some readers prefer it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from chejil import __version__
from chejil.curation import shards
from chejil.tokenizer import tokenizer_file, tokenizer_folder
from chejil.tokenizer.extending import Extension, ExtensionSettings

COPIED = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json")


def write(
    out: str, base: Path, made: Extension, settings: ExtensionSettings, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the folder; the manifest, which is returned, comes last.

    Args:
        base: the base's tokenizer.json.
    """
    shards.remove(shards.join(out, tokenizer_folder.MANIFEST))
    records = [shards.write_bytes(out, tokenizer_file.NAME, tokenizer_file.as_bytes(made.content))]
    for name in COPIED:
        if (base.parent / name).is_file():
            records.append(shards.write_bytes(out, name, (base.parent / name).read_bytes()))
    manifest = {
        "chejil": __version__,
        "base": {"hash": shards.file_hash(str(base)), "size": made.base_size},
        "extension": made.as_dict(),
        **provenance,
        "settings": settings.model_dump(mode="json"),
        "files": {record.path: record.hash for record in records},
    }
    shards.write_json(out, tokenizer_folder.MANIFEST, manifest)
    return manifest


def model_rows(base: Path) -> int | None:
    """Rows that the base's model has, from a config.json beside its tokenizer; None where there is none.

    It may have more than the tokenizer has tokens, and then needs fewer new ones.
    """
    config = base.parent / "config.json"
    if not config.is_file():
        return None
    rows = orjson.loads(config.read_bytes()).get("vocab_size")
    return rows if isinstance(rows, int) else None
