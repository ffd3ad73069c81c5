"""What new tokens were spelt with before: the import of a model under a tokenizer that has been extended.

`chejil tokenizer extend` keeps every id and adds tokens behind them. A model that goes on with such a tokenizer needs
a row for each. Drawn at random, or as the mean of all rows, they throw away much of what it knows: of a small model
that had learnt its text the first loss rose from 0.26 nats a byte to 0.73 or 0.79, with means of pieces to 0.44; a
new model has 1.30 (900 ids and 64 new ones, which made the text a seventh shorter; tests/training/test_new_tokens.py
has the same). So each new row begins as the mean of the old rows that spelt it; the mean of all rows
(Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models") is left for those that spell nothing.

Pieces are found below the text: a byte-level token may be a part of a character, which no decoding gives back. A
token as tokenizer.json writes it, a letter a byte, is put through the old merges as it stands.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_level, tokenizer_file
from chejil.tokenizer.files.tokenizer_file import TokenizerFile
from chejil.training.modelling import model_sizes


def new_pieces(start_from: str, tokenizer: str) -> dict[int, list[int]]:
    """Of each new id the old ids that spelt it, for `llama.load`; none where both tokenizers have the same ids.

    Ids count as old if the old tokenizer has them and the model a row of theirs. Special tokens spell nothing and are
    left out.

    Args:
        start_from: a Hugging Face folder of a model, with its tokenizer.json.
        tokenizer: the tokenizer of the token shards: a tokenizer.json or a folder with one.

    Raises:
        ChejilError: a tokenizer is missing or damaged, or the new one gives an old id to another token.
    """
    old_file = _tokenizer_of(start_from)
    if byte_level.read(str(old_file)).hash == byte_level.read(tokenizer).hash:
        return {}
    old, new = tokenizer_file.read(old_file), tokenizer_file.read(tokenizer)
    _refuse_another(_all_ids(old), _all_ids(new), str(tokenizer), start_from)
    rows = min(old.size, model_sizes.size_of_folder(start_from).vocab)
    return _spelt(_new_tokens(old, new, rows), old, rows)


def _tokenizer_of(folder: str) -> Path:
    file = Path(folder).expanduser() / tokenizer_file.NAME
    if not file.is_file():
        mend = (
            "put the tokenizer.json that the model was trained with into its folder; of a tokenizer.model or "
            "vocab.json, transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) makes one"
        )
        raise ChejilError("no tokenizer.json beside the model to start from", where=folder, mend=mend)
    return file


def _all_ids(file: TokenizerFile) -> dict[str, int]:
    return {**file.vocabulary, **file.added}


def _refuse_another(old: Mapping[str, int], new: Mapping[str, int], where: str, start_from: str) -> None:
    """The embedding's rows are of ids: an id that means something else would be trained from a wrong row."""
    moved = [token for token, number in old.items() if new.get(token) != number]
    if not moved:
        return
    shown = ", ".join(f"{token!r} was {old[token]}, is {new.get(token, 'none')}" for token in moved[:3])
    what = (
        f"another tokenizer than that of {start_from}: {len(moved):,} of {len(old):,} tokens differ ({shown})"
    )
    mend = (
        f"extend the model's own, `chejil tokenizer extend {start_from} --with TEXT --add SIZE --out NEW`, and encode "
        "with that; or encode with the model's own tokenizer"
    )
    raise ChejilError(what, where=where, mend=mend)


def _new_tokens(old: TokenizerFile, new: TokenizerFile, rows: int) -> dict[int, str]:
    """Tokens that stand for text and have no row yet, by id, as the model of the tokenizer writes them."""
    special = {row["content"] for row in new.content.get("added_tokens") or () if row.get("special")}
    found = {
        number: token for token, number in new.vocabulary.items() if number >= rows and token not in special
    }
    for row in new.content.get("added_tokens") or ():
        if row["id"] >= rows and not row.get("special"):  # text as it stands, not yet in the model's letters
            found[row["id"]] = _as_written(row["content"], old)
    return dict(sorted(found.items()))


def _as_written(text: str, old: TokenizerFile) -> str:
    from chejil.tokenizer.files import byte_alphabet

    return byte_alphabet.written(text.encode()) if old.kind == "byte_level" else text.replace(" ", "▁")


def _spelt(tokens: Mapping[int, str], old: TokenizerFile, rows: int) -> dict[int, list[int]]:
    """What the old merges make of tokens; those that they spell with an id without a row are left out."""
    merges = _merges_alone(old)
    encoded = merges.encode_batch_fast(list(tokens.values()), add_special_tokens=False)
    pieces = {number: list(one.ids) for number, one in zip(tokens, encoded, strict=True)}
    return {number: ids for number, ids in pieces.items() if ids and max(ids) < rows}


def _merges_alone(old: TokenizerFile) -> Any:
    """The old tokenizer without all that stands around its merges: it takes tokens as they are written."""
    from tokenizers import Tokenizer

    content = copy.copy(old.content)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding"):
        content[part] = None
    content["added_tokens"] = []
    content["model"] = {**content["model"], "dropout": None}
    return Tokenizer.from_str(orjson.dumps(content).decode())
