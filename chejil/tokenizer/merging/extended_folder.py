"""The folder of an extended tokenizer: its tokenizer.json, and whatever the base's folder holds beside its own.

Roles of special tokens, chat template and longest text stay those of the base: its files are copied as they are. A
`vocab.json`, `merges.txt` or `tokenizer.model` is not: it would be that of the base still, and some readers prefer it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from fsspec.implementations.local import LocalFileSystem

from chejil import __version__
from chejil.curation import shards
from chejil.curation.progress import Progress, Silent
from chejil.errors import ChejilError
from chejil.tokenizer import corpus
from chejil.tokenizer.counting import counting, word_source
from chejil.tokenizer.files import tokenizer_file, tokenizer_folder
from chejil.tokenizer.files.tokenizer_file import TokenizerFile
from chejil.tokenizer.merging import base_words, extending, fertility, training, training_folder
from chejil.tokenizer.merging.extending import Extension, ExtensionSettings

COPIED = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json")


def extend(
    place: str,
    paths: Sequence[str],
    out: str,
    settings: ExtensionSettings,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Extend the tokenizer of a file or folder by the words of a corpus, and write it.

    Returns:
        What `Extension.as_dict` says, tokens per eojeol and word before and after, rows of the model before
        (`model_rows`) and by how many it must grow (`new_rows`), warnings, and files that could not be read.

    Raises:
        ChejilError: a faulty base, one that cannot be extended, nothing to learn, `out` is the base's folder.
    """
    progress = progress or Silent()
    path = tokenizer_file.path_of(place)
    _require_other_folder(path, out)
    base = tokenizer_file.read(path)
    pattern = base_words.pattern_of(base, settings.pattern)
    with training_folder.held(out, (), progress.say, copied=COPIED):
        source = word_source.count(paths, pattern, out, workers, counting.Settings(), progress)
        with training.told(settings.add, progress) as tell:
            made = extending.extend(base, source.words, settings, tell)
        provenance = {"words": training.described(source.words), "pattern": pattern.name, **source.provenance}
        write(out, path, made, settings, provenance)
    rows = max(base.size, model_rows(path) or 0)
    return {
        **made.as_dict(), "folder": out, "model_rows": rows, "new_rows": max(0, made.size - rows),
        **compared(base, made, paths),
        "warnings": [*base.warnings, *_warnings(made, settings)], "rejected": source.rejected, "failed": source.failed,
    }  # fmt: skip


def _require_other_folder(base: Path, out: str) -> None:
    files, folder = shards.file_system(out)
    homes = {base.parent.resolve(), base.resolve().parent}
    if isinstance(files, LocalFileSystem) and Path(folder).resolve() in homes:
        mend = "write to another folder: the base's ids are what its model was trained with"
        raise ChejilError("the extended tokenizer would take the place of the base", where=out, mend=mend)


def _warnings(made: Extension, settings: ExtensionSettings) -> Iterator[str]:
    added = made.characters + made.merges
    if added < settings.add:
        yield f"{added:,} new tokens, not {settings.add:,}: no pair is left that occurs often enough; take more text"


def compared(base: TokenizerFile, made: Extension, paths: Sequence[str]) -> dict[str, Any]:
    """Tokens per eojeol and per word before and after, on the first 4 MiB of text."""
    texts = (
        text
        for piece in corpus.pieces(paths)
        for batch in corpus.batches(piece)
        for text in batch["text"].to_pylist()
    )
    words, space = fertility.counted(texts), base.kind == "byte_level"
    return {
        "before": fertility.tokens_per(base.content, words, space),
        "after": fertility.tokens_per(made.content, words, space),
    }


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
