"""Layouts of conversations: which fields of a record are whose words. The layouts are a table (layouts.yaml).

A layout is told from the keys of each record, not of the file: published sets mix records with and without a system
message, and Parquet gives every record every column, null where it has none. A record gives drafts: strings by role,
not yet normalised and not yet checked (conversation.py), so that a whole batch is normalised in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from chejil.errors import ChejilError, did_you_mean
from chejil.training.conversations.conversation import BETWEEN, NotOne

Kind = Literal["turns", "tree", "messages_of_trees", "instances", "pair", "questions", "transcript"]


class Layout(BaseModel):
    """One entry of layouts.yaml; `needs` and `needs_one` are the keys that tell it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    kind: Kind
    needs: tuple[str, ...] = ()
    needs_one: tuple[str, ...] = ()
    question: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Whether a record with these fields (lower case) is of it."""
        if any(fields.get(name) is None for name in self.needs):
            return False
        if self.kind == "turns" and not isinstance(fields[self.needs[0]], list):
            return False
        if self.kind == "tree" and not isinstance(fields["prompt"], dict):
            return False
        return not self.needs_one or any(fields.get(name) is not None for name in self.needs_one)


@dataclass(frozen=True, slots=True)
class Draft:
    """One conversation of a record as it stands there: roles and parts of contents; or why there is none."""

    turns: list[tuple[str, list[str]]] = field(default_factory=list)
    fault: NotOne | None = None
    id: str | None = None
    lang: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(
        (resources.files("chejil.training.conversations") / "layouts.yaml").read_text("utf-8")
    )


@cache
def layouts() -> Mapping[str, Layout]:
    """All layouts by name, in the order in which they are tried.

    >>> layouts()["dolly"].input
    ('context',)
    """
    return MappingProxyType({name: Layout(**entry) for name, entry in _table()["layouts"].items()})


@cache
def _roles() -> Mapping[str, str]:
    return MappingProxyType({name: role for role, names in _table()["roles"].items() for name in names})


def role_of(name: Any) -> str:
    """The role that a name stands for.

    Raises:
        NotOne: none.

    >>> role_of("GPT"), role_of("사람")  # a human
    ('assistant', 'user')
    """
    role = _roles().get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise NotOne("unknown_role", repr(name)[:80])
    return role


def named(name: str) -> str:
    """The layout of a name or of one of its other names.

    Raises:
        ChejilError: there is none.
    """
    for own, layout in layouts().items():
        if name in (own, *layout.also):
            return own
    raise ChejilError(f"no layout is called '{name}'", mend=did_you_mean(name, layouts()))


def layout_of(row: Mapping[str, Any]) -> str:
    """The layout of a record, told from its keys.

    Raises:
        NotOne: none fits.
    """
    fields = {key.lower(): value for key, value in row.items()}
    for name, layout in layouts().items():
        if layout.kind != "transcript" and layout.fits(fields):
            return name
    raise NotOne("unknown_layout", f"fields: {', '.join(row)[:200]}")


def required(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A record with its keys in lower case.

    Raises:
        NotOne: it is not of that layout.
    """
    fields = {key.lower(): value for key, value in row.items()}
    if not layouts()[name].fits(fields):
        raise NotOne("unknown_layout", f"not {name}: fields: {', '.join(row)[:200]}")
    return fields


def drafts(row: Mapping[str, Any], name: str) -> list[Draft]:
    """The conversations of a record; one at least, which may be a fault.

    Args:
        name: of a layout whose records are conversations: not of trees, nor of plain text.
    """
    layout = layouts()[name]
    fields = {key.lower(): key for key in row}
    try:
        required(row, name)
        return list(_drafts(_Record(row, fields), layout))
    except NotOne as why:
        return [Draft(fault=why, id=_own_id(row))]


def _own_id(row: Mapping[str, Any]) -> str | None:
    for key in ("id", "idx", "question_id"):
        if isinstance(row.get(key), str | int):
            return str(row[key])
    return None


class _Record:
    """A record whose fields are taken one by one; what nobody took is its meta."""

    def __init__(self, row: Mapping[str, Any], fields: Mapping[str, str]) -> None:
        self._row, self._fields = row, fields
        self._taken: set[str] = {"id", "idx"}
        self.id = _own_id(row)

    def take(self, names: Sequence[str]) -> tuple[str, Any]:
        """The first of the fields that is not null, and its name; the last one's name where all are."""
        for name in names:
            if name in self._fields and self._row[self._fields[name]] is not None:
                self._taken.add(self._fields[name])
                return name, self._row[self._fields[name]]
        return (names[-1] if names else "", None)

    def draft(self, turns: list[tuple[str, list[str]]], number: int | None = None) -> Draft:
        meta = {key: value for key, value in self._row.items() if key not in self._taken}
        lang = meta.get("lang", meta.get("language"))
        own = self.id if number is None or self.id is None else f"{self.id}/{number}"
        return Draft(turns, None, own, lang if isinstance(lang, str) else None, meta)


def _drafts(record: _Record, layout: Layout) -> Iterator[Draft]:
    if layout.kind == "turns":
        yield record.draft([_turn(turn) for turn in record.take(layout.needs)[1]])
    elif layout.kind == "instances":
        yield from _instances(record)
    elif layout.kind == "questions":
        raise NotOne("no_answer", "`turns` are questions alone")
    else:
        yield record.draft(_pair(record, layout))


def _turn(turn: Any) -> tuple[str, list[str]]:
    if not isinstance(turn, Mapping):
        raise NotOne("not_text", f"a turn that is a {type(turn).__name__}")
    name = next((turn[key] for key in ("role", "from", "speaker") if turn.get(key) is not None), None)
    content = next((turn[key] for key in ("content", "value", "text") if turn.get(key) is not None), None)
    return role_of(name), _apart(_text(content, "content"), turn.get("instruction_chars"))


def _apart(content: str, at: Any) -> list[str]:
    """An instruction and its input, where messages that Chejil wrote say where one ends."""
    if type(at) is int and at > 0 and content[at : at + len(BETWEEN)] == BETWEEN:
        return [content[:at], content[at + len(BETWEEN) :]]
    return [content]


def _pair(record: _Record, layout: Layout) -> list[tuple[str, list[str]]]:
    _, question = record.take(layout.question)
    _, extra = record.take(layout.input)
    _, system = record.take(layout.system)
    _, answer = record.take(layout.answer)
    if answer is None:
        raise NotOne("no_answer", f"no field {', '.join(layout.answer)}, or it is null")
    turns = [("system", [_text(system, "system")])] if system is not None else []
    turns.append(("user", [_text(question, layout.question[0]), _input(extra)]))
    return [*turns, ("assistant", [_text(answer, layout.answer[0])])]


def _instances(record: _Record) -> Iterator[Draft]:
    _, question = record.take(["instruction"])
    _, instances = record.take(["instances"])
    if not isinstance(instances, list) or not instances:
        raise NotOne("no_answer", "`instances` is empty")
    asked = _text(question, "instruction")
    for number, instance in enumerate(instances):
        one = number if len(instances) > 1 else None
        try:
            yield record.draft(_instance(asked, instance), one)
        except NotOne as why:
            yield Draft(fault=why, id=record.id)


def _instance(asked: str, instance: Any) -> list[tuple[str, list[str]]]:
    if not isinstance(instance, Mapping):
        raise NotOne("not_text", f"an instance that is a {type(instance).__name__}")
    if instance.get("output") is None:
        raise NotOne("no_answer", "an instance without output")
    answer = _text(instance["output"], "output")
    return [("user", [asked, _input(instance.get("input"))]), ("assistant", [answer])]


def _input(value: Any) -> str:
    text = "" if value is None else _text(value, "input")
    return "" if text.strip().lower() in _table()["no_input"] else text


def _text(value: Any, name: str) -> str:
    """A content as text; null is an empty one. A list of text parts (OpenAI) is their concatenation."""
    if value is None:
        return ""
    if isinstance(value, list) and all(_is_text_part(part) for part in value):
        value = "".join(part["text"] for part in value)
    if not isinstance(value, str):
        raise NotOne("not_text", f"`{name}` is a {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotOne("invalid_utf8", f"`{name}` has half a surrogate pair: {error.reason}") from None
    return value


def _is_text_part(part: Any) -> bool:
    return (
        isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str)
    )
