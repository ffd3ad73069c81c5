"""YAML whose every value knows its line and column, so that an error can point at it.

PyYAML composes nodes with marks and then forgets them; here the values are built from the nodes and the marks
are kept by path: `("stages", 2, "filter")` -> (line, column). Overrides from the command line are laid over the
values and point at themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from chejil.errors import ChejilError, RecipeError, did_you_mean

Path = tuple[str | int, ...]

WrittenOut = Callable[[Path, str], dict[str, str]]

_MAX_VALUES = 100_000  # a recipe has hundreds; nine levels of ten aliases would have a billion

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
        marked.data = None if node is None else _Builder(marked, loader).value(node, (), ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RecipeError([ChejilError(f"not YAML: {error.problem}", where=place)]) from None
    except yaml.YAMLError as error:
        raise RecipeError([ChejilError(f"not YAML: {error}", where=name)]) from None
    except RecursionError:
        raise RecipeError([ChejilError("not YAML that can be read: nested too deeply", where=name)]) from None
    return marked


@dataclass
class _Builder:
    """Makes plain values of nodes, and keeps the place of each."""

    marked: MarkedYaml
    loader: yaml.SafeLoader
    num_values: int = 0

    def value(self, node: yaml.Node, path: Path, parents: tuple[yaml.Node, ...]) -> Any:
        self.marked.places.setdefault(path, _place(node, self.marked.name))
        self.num_values += 1
        if self.num_values > _MAX_VALUES:
            raise _refused(node, "too many values: aliases of aliases")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _PLAIN_TAGS:
            raise _refused(node, f"no tags here: {node.tag}")
        if any(node is parent for parent in parents):
            raise _refused(node, "an alias to what it stands in")
        if isinstance(node, yaml.MappingNode):
            return dict(self.pairs(node, path, (*parents, node)))
        return [self.value(item, (*path, i), (*parents, node)) for i, item in enumerate(node.value)]

    def scalar(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_object(node)
        except ValueError as error:  # 2024-99-99 looks like a date and is none
            raise _refused(node, str(error)) from None

    def pairs(
        self, node: yaml.MappingNode, path: Path, parents: tuple[yaml.Node, ...]
    ) -> Iterator[tuple[str, Any]]:
        self.find_doubles(node)
        self.loader.flatten_mapping(node)  # what `<<` merges comes first, so that own keys overrule it
        for key_node, value_node in node.value:
            key = str(self.scalar(key_node))
            self.marked.places[(*path, key)] = _place(key_node, self.marked.name)
            yield key, self.value(value_node, (*path, key), parents)

    def find_doubles(self, node: yaml.MappingNode) -> None:
        """YAML would silently take the last of two equal keys."""
        seen: dict[str, str] = {}
        for key_node, _ in node.value:
            key, place = str(key_node.value), _place(key_node, self.marked.name)
            if key in seen:
                problem = ChejilError(
                    f"'{key}' stands twice", where=place, mend=f"it is first set at {seen[key]}"
                )
                self.marked.problems.append(problem)
            seen[key] = place


def _refused(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


def _place(node: yaml.Node, name: str) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def override(marked: MarkedYaml, setting: str, written_out: WrittenOut | None = None) -> None:
    """Lay `KEY=VALUE` over the values; KEY is a dotted path (`a."b.c".d`: a name with a dot), VALUE is YAML.

    An item of a list is named by its number or, for stages, by its one key: `stages.filter.rules`. A word on the
    way becomes the mapping that it is short for, if `written_out` knows it.

    Raises:
        ChejilError: no `=`, no such list item, or a path through something that is not a mapping.
    """
    where = f"--set {setting}"
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise ChejilError(f"'{setting}' sets nothing", where=where, mend="write --set KEY=VALUE")
    try:
        parsed = yaml.safe_load(value) if value.strip() else None
    except (yaml.YAMLError, ValueError) as error:
        raise ChejilError(f"'{value}' is not YAML: {error}", where=where, mend="quote it") from None
    if marked.data is None:
        marked.data = {}
    _set(marked, _names(key.strip(), where), parsed, where, written_out)


def _names(key: str, where: str) -> list[str]:
    try:
        (names,) = csv.reader([key], delimiter=".", strict=True)
    except csv.Error:
        mend = """quote a whole name: by_source."a.b".ko"""
        raise ChejilError(f"the quotes in '{key}' do not close", where=where, mend=mend) from None
    return names


def dotted(names: Iterable[str]) -> str:
    """The path of a setting as `override` reads it.

    >>> dotted(["by_source", "law.v2", "ko"])
    'by_source."law.v2".ko'
    """
    return ".".join(f'"{name}"' if "." in name else name for name in names)


def _set(marked: MarkedYaml, keys: list[str], value: Any, where: str, written_out: WrittenOut | None) -> None:
    holder: Any = marked.data
    path: Path = ()
    steps = [_steps(holder, keys[0], where)]
    for key in keys[1:]:
        holder, path = _inside(holder, steps[-1], path, written_out)
        steps.append(_steps(holder, key, where))
    *before, last = steps[-1]
    holder, path = _inside(holder, tuple(before), path, None)
    holder[last] = value
    path = (*path, last)
    _forget(marked, path, where)


def _inside(holder: Any, steps: Path, path: Path, written_out: WrittenOut | None) -> tuple[Any, Path]:
    """What the steps lead to, made where there is nothing yet, or only a word that is short for it."""
    for step in steps:
        path = (*path, step)
        if isinstance(holder, dict) and holder.get(step) is None:
            holder[step] = {}
        elif written_out is not None and isinstance(holder[step], str):
            holder[step] = written_out(path, holder[step])
        holder = holder[step]
    return holder, path


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
