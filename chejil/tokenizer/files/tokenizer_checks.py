"""What is wrong with a tokenizer.json, by name and with examples, before anything is computed with it.

`shape` finds what would stop any reader (a token without an id, a Split without a pattern), of every kind of model;
`merges_and_ids` what makes byte-pair encoding wrong without a word (two tokens of one id, a merge without its token).
Two parses of JSON, since orjson alone is strict and json alone sees a key that stands twice: 0.1 s a vocabulary of 64k.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from chejil.errors import ChejilError

MAX_ID = (1 << 24) - 1
"""Tables have a row an id: one beyond is a damaged number, not a vocabulary."""

_EXAMPLES = 5
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def parsed(text: bytes, where: str) -> dict[str, Any]:
    """The JSON of a tokenizer that can be read by its keys: its shape is right.

    Raises:
        ChejilError: no JSON, a key twice, no model with a vocabulary, or every fault of the shape at once.
    """
    content = _json(text, where)
    if not isinstance(content, dict):
        raise ChejilError(
            "not a JSON object, so no tokenizer", where=where, mend="is it a tokenizer.json of Hugging Face?"
        )
    model = content.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        mend = "is it a tokenizer.json of Hugging Face?"
        raise ChejilError("no tokenizer: no model with a vocabulary", where=where, mend=mend)
    refuse(list(shape(content)), where)
    return content


def refuse(faults: Sequence[str], where: str) -> None:
    """Raise what was found, if anything was.

    Raises:
        ChejilError: all faults at once.
    """
    if faults:
        mend = "write the file again from its source, or take the tokenizer from a copy that is whole"
        raise ChejilError("; ".join(faults), where=where, mend=mend)


def _json(text: bytes, where: str) -> Any:
    try:
        content = orjson.loads(text)
        json.loads(text, object_pairs_hook=_no_key_twice)
    except _TwiceError as error:
        mend = "a token has one id: take one of the two out"
        raise ChejilError(f"'{error}' stands there twice", where=where, mend=mend) from None
    except (ValueError, RecursionError) as error:
        mend = (
            "the file is torn or no JSON: copy or download it again, or write it by `chejil tokenizer train`"
        )
        raise ChejilError(f"not JSON: {error}", where=where, mend=mend) from None
    return content


class _TwiceError(Exception):
    """A key that an object has twice, of which readers would silently take the last."""


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError(_twice(key for key, _ in pairs)[0])
    return found


def shape(content: Mapping[str, Any]) -> Iterator[str]:
    """What would stop a reader, of any kind of model."""
    for name in _PARTS:
        part = content.get(name)
        if part is not None and not (isinstance(part, dict) and isinstance(part.get("type"), str)):
            yield f"{name} is nothing with a type"
        elif name == "pre_tokenizer" and part is not None:
            yield from _steps(part)
    yield from _added(content.get("added_tokens"))
    model = content["model"]
    if not isinstance(model.get("type", "BPE"), str):
        yield "a model whose type is no name"
    yield from _vocabulary(model["vocab"])
    yield from _merges(model.get("merges"))


def _steps(step: Any) -> Iterator[str]:
    if not isinstance(step, dict) or not isinstance(step.get("type"), str):
        yield "a step of the pre_tokenizer without a type"
    elif step["type"] == "Sequence":
        if not isinstance(step.get("pretokenizers"), list):
            yield "a Sequence without a list of pretokenizers"
            return
        for one in step["pretokenizers"]:
            yield from _steps(one)
    elif step["type"] == "Split":
        pattern = step.get("pattern")
        kinds = pattern if isinstance(pattern, dict) else {}
        if not any(isinstance(kinds.get(kind), str) for kind in ("Regex", "String")):
            yield "a Split without a pattern"
        if not isinstance(step.get("behavior"), str):
            yield "a Split without a behavior"


def _added(rows: Any) -> Iterator[str]:
    if rows is None:
        return
    if not isinstance(rows, list):
        yield "added_tokens are no list"
        return
    good = [row for row in rows if isinstance(row, dict)]
    if len(good) < len(rows):
        yield f"added tokens that are no objects: {some([str(row) for row in rows if row not in good])}"
    kinds = {
        "id": is_id,
        "content": lambda one: isinstance(one, str),
        "special": lambda one: isinstance(one, bool),
    }
    for name, is_right in kinds.items():
        bad = [str(row.get("content", row)) for row in good if not is_right(row.get(name))]
        if bad:
            yield f"added tokens without {name}, or with one that is none: {some(bad)}"
    for name in ("id", "content"):
        twice = _twice(str(row.get(name)) for row in good)
        if twice:
            yield f"added tokens whose {name} stands there twice: {some(twice)}"


def is_id(number: Any) -> bool:
    """Whether it is a whole number that can be an id."""
    return type(number) is int and 0 <= number <= MAX_ID


def _vocabulary(vocab: Any) -> Iterator[str]:
    if isinstance(vocab, dict):
        bad = [token for token, number in vocab.items() if not is_id(number)]
        if bad:
            yield f"{some(bad)} without a whole number as id, of 0 to {MAX_ID:,}"
        return
    odd = [
        str(row) for row in vocab if not (isinstance(row, list) and len(row) == 2 and isinstance(row[0], str))
    ]
    if odd:
        yield f"a vocabulary with what is no pair of a token and a number: {some(odd)}"


def _merges(merges: Any) -> Iterator[str]:
    if merges is None:
        return
    if not isinstance(merges, list):
        yield "merges are no list"
        return
    odd = [str(merge) for merge in merges if not _is_pair(pair_of(merge))]
    if odd:
        yield f"merges that are no pair: {some(odd)}"


def pair_of(merge: Any) -> Any:
    """A merge of the older form, one string, as a pair."""
    return merge.split(" ") if isinstance(merge, str) else merge


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) and part for part in pair)


def merges_and_ids(content: Mapping[str, Any]) -> Iterator[str]:
    """What makes encoding or decoding wrong, of a model whose vocabulary is an object and whose shape is right."""
    model, ids = content["model"], content["model"]["vocab"]
    added = {row["content"]: row["id"] for row in content.get("added_tokens") or ()}
    numbers = {number: token for token, number in ids.items()}
    if len(numbers) < len(ids):
        twice = [
            f"{token} = {numbers[number]} = {number}"
            for token, number in ids.items()
            if numbers[number] != token
        ]
        yield f"ids that two tokens have: {some(twice)}"
    other = [token for token, number in added.items() if numbers.get(number, token) != token]
    if other:
        yield f"added tokens whose id is another token's: {some(other)}"
    moved = [token for token, number in added.items() if ids.get(token, number) != number]
    if moved:
        yield f"added tokens that have another id in the model: {some(moved)}"
    yield from _faulty_merges([tuple(pair_of(merge)) for merge in model.get("merges") or ()], model)


def _faulty_merges(merges: Sequence[tuple[str, ...]], model: Mapping[str, Any]) -> Iterator[str]:
    ids = model["vocab"]
    inner = len(model.get("continuing_subword_prefix") or "")
    lost = [
        " ".join(pair)
        for pair in merges
        if not (pair[0] in ids and pair[1] in ids and pair[0] + pair[1][inner:] in ids)
    ]
    if lost:
        yield f"merges whose tokens are not in the vocabulary: {some(lost)}"
    again = [" ".join(pair) for pair in _twice(merges)]
    if again:
        yield f"merges that stand there twice: {some(again)}"


def _twice(found: Any) -> list[Any]:
    """What is there more than once, in order."""
    return [one for one, number in Counter(found).items() if number > 1]


def some(names: Sequence[str]) -> str:
    """The first few of many.

    >>> some(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
