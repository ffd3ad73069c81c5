"""YAML whose every value knows its line and column, so that an error can point at it.

PyYAML composes nodes with marks and then forgets them; here the values are built from the nodes and the marks
are kept by path: `("stages", 2, "filter")` -> (line, column). Overrides from the command line are laid over the
values and point at themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from chejil.errors import ChejilError, RecipeError, did_you_mean

Path = tuple[str | int, ...]

_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class MarkedYaml:
    """`data` as plain Python values; `places` says where each path stands, `name:line:column`."""

    name: str
    data: Any
    places: dict[Path, str] = field(default_factory=dict)
    problems: list[ChejilError] = field(default_factory=list)

    def where(self, path: Sequence[str | int]) -> str:
        """Place of the path, or of the nearest enclosing one that is written down."""
        trail = tuple(path)
        while trail and trail not in self.places:
            trail = trail[:-1]
        return self.places.get(trail, self.name)


def read(text: str, name: str) -> MarkedYaml:
    """Compose a YAML text.

    Raises:
        RecipeError: it is not YAML, with the place at which reading stopped.
    """
    marked = MarkedYaml(name, None)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        marked.data = None if node is None else _value(node, (), marked, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RecipeError([ChejilError(f"not YAML: {error.problem}", where=place)]) from None
    except yaml.YAMLError as error:
        raise RecipeError([ChejilError(f"not YAML: {error}", where=name)]) from None
    return marked


def _value(node: yaml.Node, path: Path, marked: MarkedYaml, loader: yaml.SafeLoader) -> Any:
    marked.places.setdefault(path, _place(node, marked.name))
    if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
        raise yaml.constructor.ConstructorError(
            problem=f"no tags here: {node.tag}", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, marked, loader))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), marked, loader) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _pairs(
    node: yaml.MappingNode, path: Path, marked: MarkedYaml, loader: yaml.SafeLoader
) -> Iterator[tuple[Any, Any]]:
    loader.flatten_mapping(node)
    seen: dict[Any, str] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        place = _place(key_node, marked.name)
        if key in seen:
            marked.problems.append(
                ChejilError(f"'{key}' stands twice", where=place, mend=f"it is first set at {seen[key]}")
            )
        seen[key] = place
        marked.places[(*path, key)] = place
        yield key, _value(value_node, (*path, key), marked, loader)


def _place(node: yaml.Node, name: str) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def override(marked: MarkedYaml, setting: str) -> None:
    """Lay `KEY=VALUE` over the values; KEY is a dotted path, VALUE is YAML.

    An item of a list is named by its number or, for stages, by its one key: `stages.filter.rules`.

    Raises:
        ChejilError: no `=`, no such list item, or a path through something that is not a mapping.
    """
    where = f"--set {setting}"
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise ChejilError(f"'{setting}' sets nothing", where=where, mend="write --set KEY=VALUE")
    try:
        parsed = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError as error:
        raise ChejilError(f"'{value}' is not YAML: {error}", where=where, mend="quote it") from None
    if marked.data is None:
        marked.data = {}
    _set(marked, key.strip().split("."), parsed, where)


def _set(marked: MarkedYaml, keys: list[str], value: Any, where: str) -> None:
    holder: Any = marked.data
    path: Path = ()
    for key, more in zip(keys, [*keys[1:], None], strict=True):
        for step in _steps(holder, key, where):
            path = (*path, step)
            if more is None:
                holder[step] = value
            elif isinstance(holder, dict) and holder.get(step) is None:
                holder[step] = {}
            holder = holder[step]
    _forget(marked, path, where)


def _steps(holder: Any, key: str, where: str) -> tuple[str | int, ...]:
    """The keys that lead from `holder` to what `key` names: one, or the number of a list item and its own key."""
    if isinstance(holder, dict):
        return (key,)
    if not isinstance(holder, list):
        raise ChejilError(
            f"'{key}' has nothing to stand in", where=where, mend="name a mapping or a list item"
        )
    if key.isdecimal() and int(key) < len(holder):
        return (int(key),)
    names = [next(iter(item), "") if isinstance(item, dict) else str(item) for item in holder]
    if key not in names:
        raise ChejilError(f"no item is called '{key}'", where=where, mend=did_you_mean(key, names))
    if names.count(key) > 1:
        raise ChejilError(
            f"two items are called '{key}'", where=where, mend=f"name one by number: {names.index(key)}"
        )
    number = names.index(key)
    if isinstance(holder[number], str):
        holder[number] = {key: {}}
    return (number, key)


def _forget(marked: MarkedYaml, path: Path, where: str) -> None:
    """What lay under an overridden path has no place in the file any more."""
    for known in [known for known in marked.places if known[: len(path)] == path]:
        del marked.places[known]
    marked.places[path] = where
