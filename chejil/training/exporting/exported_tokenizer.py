"""The tokenizer of an exported model: its files, and which tokens begin and end a text.

A training that begins its documents with the end-of-document token (packing.start_token) has a model that expects it
there: a prompt without it is, to the model, the middle of a text whose beginning it cannot see. So the exported
tokenizer puts it in front by itself, as those of Llama do, by a template in tokenizer.json. Every reader of that file
does it then without being told: transformers' pipeline and `generate`, vLLM, llama.cpp's converter,
lm-evaluation-harness. A tokenizer that adds nothing would leave it to each user to know. Encoding without it is
`add_special_tokens=False`, which gives the ids of `chejil encode`. The template is no part of TokenizerFile.hash:
token shards of the tokenizer are still its own.

Rows of the embedding that no token has (a vocabulary padded by model.vocab) were never predicted in training, but
nothing forbids them: generation_config.json suppresses them, for readers of it (transformers). Named tokens that no
text has, reserved ones among them, are not suppressed: fine-tuning may want them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chejil.errors import ChejilError, did_you_mean
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.files import byte_level, tokenizer_file
from chejil.tokenizer.files.byte_level import TokenizerFile
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint

CONFIG, ROLES, TEMPLATE = "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"
PAD = "<|pad|>"
"""What `chejil tokenizer train` calls it, where no file says the roles."""


@dataclass(frozen=True)
class ExportedTokenizer:
    """Files by name, and ids.

    Args:
        hash: TokenizerFile.hash, as the token shards have it.
        end: the token that ends documents; None where none does.
        begins: whether it begins them, too.
        pad: the token that fills a batch up, if there is one.
        unused: rows of the model that no token has.
    """

    files: Mapping[str, bytes]
    hash: str
    num_ids: int
    end: tuple[str, int] | None
    begins: bool
    pad: tuple[str, int] | None
    unused: list[int]

    @property
    def bos_id(self) -> int | None:
        """What a text begins with."""
        return self.end[1] if self.end and self.begins else None

    @property
    def eos_id(self) -> int | None:
        """What a text ends with."""
        return self.end[1] if self.end else None

    @property
    def pad_id(self) -> int | None:
        """What a batch is filled up with."""
        return self.pad[1] if self.pad else None


def of(trained: TrainedCheckpoint, given: str | None = None) -> ExportedTokenizer:
    """The tokenizer of a training.

    Args:
        given: a tokenizer's folder, for the files beside tokenizer.json (chat template, roles) that token shards do
        not
            keep.

    Raises:
        ChejilError: it is not found, is another than the training's, or has more ids than the model rows.
    """
    file = _file(trained, given)
    if file.num_ids > trained.size.vocab:
        what = f"the tokenizer has {file.num_ids:,} ids, the model {trained.size.vocab:,} rows"
        raise ChejilError(
            what, where=file.path, mend="give the tokenizer of the training: --tokenizer FOLDER"
        )
    beside = Path(file.path).parent
    config = _json(beside / CONFIG)
    end = _end(trained, file, config)
    begins = end is not None and trained.starts_documents
    pad = _token(file, config.get("pad_token", PAD))
    files = {
        tokenizer_file.NAME: _written(file, end if begins else None),
        CONFIG: _pretty(_config(trained, file, config, end, begins, pad)),
        ROLES: _pretty(_roles(end, begins, pad)),
    }
    if (beside / TEMPLATE).is_file():
        files[TEMPLATE] = (beside / TEMPLATE).read_bytes()
    unused = sorted(set(range(trained.size.vocab)) - _used(file))
    return ExportedTokenizer(files, file.hash, file.num_ids, end, begins, pad, unused)


def _file(trained: TrainedCheckpoint, given: str | None) -> TokenizerFile:
    """The first that is there, with what stands beside it; all of them have to be the training's."""
    known = trained.rows.get("tokenizer")
    places = [given] if given else list(_places(trained))
    found = [byte_level.read(place) for place in places if given or _is_there(place)]
    same = [file for file in found if known in (None, file.hash)]
    if not found:
        mend = "give it: --tokenizer FOLDER, the one that the token shards were encoded with"
        raise ChejilError("no tokenizer.json beside the training", where=str(trained.training), mend=mend)
    if not same:
        what = f"another tokenizer than the training's: {found[0].hash[:12]}, not {str(known)[:12]}"
        mend = "give the one that the token shards were encoded with: --tokenizer FOLDER"
        raise ChejilError(what, where=found[0].path, mend=mend)
    # Where roles and chat template are told, that copy says more.
    return next((file for file in same if (Path(file.path).parent / CONFIG).is_file()), same[0])


def _places(trained: TrainedCheckpoint) -> Iterator[str]:
    yield str(trained.training)
    if trained.settings.get("tokenizer"):
        yield str(trained.settings["tokenizer"])
    yield from map(str, trained.settings.get("tokens") or ())


def _is_there(place: str) -> bool:
    path = Path(place).expanduser()
    return path.is_file() or (path / tokenizer_file.NAME).is_file()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes()) if path.is_file() else {}
    except orjson.JSONDecodeError as error:
        raise ChejilError(f"not JSON: {error}", where=str(path), mend="restore it from its origin") from None
    return content if isinstance(content, dict) else {}


def _end(
    trained: TrainedCheckpoint, file: TokenizerFile, config: Mapping[str, Any]
) -> tuple[str, int] | None:
    """The token that ends documents: what the token shards say; where they are gone, the role `eos`."""
    for place in trained.settings.get("tokens") or ():
        if token_shards.is_one(str(place)):
            told = token_shards.read_manifest(str(place))["end_of_document"]
            return None if told is None else (told["token"], told["id"])
    names = [_text(config.get("eos_token")), "<|endoftext|>"]
    found = next((token for name in names if (token := _token(file, name))), None)
    if found is None:
        what = f"which token ends documents is not known: the token shards {trained.settings.get('tokens')} are gone"
        mend = f"give a tokenizer's folder whose {CONFIG} has an eos_token: --tokenizer FOLDER"
        raise ChejilError(what, where=file.path, mend=f"{mend}; {did_you_mean('eos', file.special_tokens)}")
    return found


def _text(role: Any) -> str | None:
    return role.get("content") if isinstance(role, dict) else role


def _token(file: TokenizerFile, name: Any) -> tuple[str, int] | None:
    name = _text(name)
    return (name, file.special_tokens[name]) if name in file.special_tokens else None


def _used(file: TokenizerFile) -> set[int]:
    vocab = file.content["model"].get("vocab") or {}
    own = range(len(vocab)) if isinstance(vocab, list) else vocab.values()
    return {*own, *(row["id"] for row in file.content.get("added_tokens") or ())}


def _written(file: TokenizerFile, begin: tuple[str, int] | None) -> bytes:
    """tokenizer.json with the template that begins texts; nothing that cuts or pads them."""
    processor = file.content.get("post_processor")
    steps = processor.get("processors", [processor]) if processor else []
    kept = [step for step in steps if step["type"] == "ByteLevel"]  # it corrects offsets and adds nothing
    steps = [*kept, *([_template(*begin)] if begin else [])]
    made = steps[0] if len(steps) == 1 else {"type": "Sequence", "processors": steps} if steps else None
    return tokenizer_file.as_bytes(
        {**file.content, "truncation": None, "padding": None, "post_processor": made}
    )


def _template(token: str, number: int) -> dict[str, Any]:
    """In front of a text, and of the second of two."""

    def begun(name: str, kind: int) -> list[dict[str, Any]]:
        return [
            {"SpecialToken": {"id": token, "type_id": kind}},
            {"Sequence": {"id": name, "type_id": kind}},
        ]

    special = {token: {"id": token, "ids": [number], "tokens": [token]}}
    pair = [*begun("A", 0), *begun("B", 1)]
    return {
        "type": "TemplateProcessing",
        "single": begun("A", 0),
        "pair": pair,
        "special_tokens": special,
    }


def _roles(end: tuple[str, int] | None, begins: bool, pad: tuple[str, int] | None) -> dict[str, str]:
    named = {"bos_token": end if begins else None, "eos_token": end, "pad_token": pad}
    return {role: token[0] for role, token in named.items() if token}


def _config(
    trained: TrainedCheckpoint,
    file: TokenizerFile,
    before: Mapping[str, Any],
    end: tuple[str, int] | None,
    begins: bool,
    pad: tuple[str, int] | None,
) -> dict[str, Any]:
    """tokenizer_config.json: read as tokenizer.json stands. A class of its own (LlamaTokenizer) would rebuild it."""
    kept = {
        name: value
        for name, value in before.items()
        if name not in ("bos_token", "eos_token", "pad_token", "auto_map")
    }
    rows = {
        str(row["id"]): {k: v for k, v in row.items() if k != "id"}
        for row in file.content.get("added_tokens") or ()
    }
    return {
        "added_tokens_decoder": rows,
        "clean_up_tokenization_spaces": False,
        **kept,
        **_roles(end, begins, pad),
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": begins,
        "add_eos_token": False,
        "model_max_length": trained.size.context_tokens,
    }


def _pretty(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
