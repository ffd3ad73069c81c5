"""Settings from YAML: pydantic models whose every fault has its file, line and column, and a near name.

Recipes go through here, and every other file of settings: of a sample, a training, an evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chejil.curation import marked_yaml, shards
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters.registry import LANGUAGES

Model = TypeVar("Model", bound=BaseModel)
Kinds = Mapping[str, Mapping[str, type[BaseModel]]]
"""Fields that hold one of several models, each by its name."""

NAMES = {
    r"^\w[\w.+-]*$": "letters, digits, . _ + - and no spaces, the first a letter, a digit or _",
    r"^\w[\w .+-]*$": "letters, digits, spaces and . _ + -, the first a letter, a digit or _",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "letters a to z, digits, . _ - and no spaces, the first a letter or a digit",
}
"""What patterns of names mean, in words; letters are those of every script, but where `a to z` are named."""


def load(
    model: type[Model], path: str | None, settings: Sequence[str] = (), shipped_as: str | None = None
) -> Model:
    """Read a file of settings, or the defaults where there is none.

    Args:
        path: a file or URL.
        settings: `KEY=VALUE` overrides.
        shipped_as: what the names of those that ship begin with; the bare name of one will do, then.

    Raises:
        RecipeError: everything that is wrong, in the order of the file.
        ChejilError: it cannot be read, or none ships by that name.
    """
    if path and shipped_as is not None:
        path = _place_of(path, shipped_as)
    marked = (
        marked_yaml.read(text_of(path), path) if path else MarkedYaml("--set" if settings else "settings", {})
    )
    marked.data = {} if marked.data is None else marked.data
    for setting in settings:
        marked_yaml.override(marked, setting)
    found, problems = form(model, marked)
    problems += marked.problems
    if problems or found is None:
        raise RecipeError(sorted(problems, key=by_place))
    return found


def of_options(model: type[Model], options: Mapping[str, Any]) -> Model:
    """Settings from options of a command; those that are None were not given.

    Raises:
        ChejilError: the first fault.
    """
    marked = MarkedYaml("options", {name: value for name, value in options.items() if value is not None})
    found, problems = form(model, marked)
    if found is None:
        raise problems[0]
    return found


def text_of(path: str, kind: str = "file") -> str:
    """The text of a file or URL.

    Args:
        kind: what it is, for the error.

    Raises:
        ChejilError: it is not there, or not UTF-8.
    """
    files, name = shards.file_system(path)
    try:
        return files.read_bytes(name).decode("utf-8")
    except OSError as error:
        what = f"cannot read the {kind} '{path}': {error.strerror or 'no such file'}"
        raise ChejilError(what, mend="a relative path starts where the command runs") from None
    except UnicodeDecodeError as error:
        mend = f"save it as UTF-8 ({error.reason})"
        raise ChejilError(f"the {kind} '{path}' is not UTF-8", mend=mend) from None


def shipped() -> list[File]:
    """What ships in recipes/: in a wheel inside the package, in a checkout beside it."""
    package = File(__file__).resolve().parent.parent
    inside = package / "recipes"
    folder = inside if inside.is_dir() else package.parent / "recipes"
    return sorted(folder.glob("*.yaml"))


def _place_of(name: str, prefix: str) -> str:
    if File(name).is_file() or not re.fullmatch(r"[\w-]+", name):
        return name
    known = {path.stem: str(path) for path in shipped() if path.stem.startswith(prefix)}
    if name not in known:
        raise ChejilError(f"no config '{name}'", mend=f"give a file, or one of: {', '.join(sorted(known))}")
    return known[name]


def form(
    model: type[Model], marked: MarkedYaml, kinds: Kinds | None = None, whole: str = "the settings"
) -> tuple[Model | None, list[ChejilError]]:
    """The model, or every fault of its form.

    Args:
        kinds: fields of the model that hold one of several models.
        whole: what a fault of no single field is a fault of.
    """
    try:
        return model.model_validate(marked.data), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
        return None, [_fault(model, marked, fault, kinds or {}, whole) for fault in faults]


def by_place(problem: ChejilError) -> tuple[int, int, int]:
    """By line and column; what was set on the command line comes last."""
    placed = re.search(r":(\d+):(\d+)$", problem.where or "")
    return (0, int(placed[1]), int(placed[2])) if placed else (1, 0, 0)


def _fault(root: type[BaseModel], marked: MarkedYaml, fault: Any, kinds: Kinds, whole: str) -> ChejilError:
    path = tuple(step for step in fault["loc"] if step != "[key]")
    kind = None
    if path[1:2] and path[1] in kinds.get(str(path[0]), ()):
        kind, path = (
            kinds[str(path[0])][str(path[1])],
            (path[0], *path[2:]),
        )  # pydantic names the kind that it took
    where = marked.where(path)
    name = str(path[-1]) if path else ""
    if fault["type"] == "extra_forbidden":
        known = _known(kind, path[1:]) if kind else _known(root, path)
        return ChejilError(f"'{name}' is not known here", where=where, mend=did_you_mean(name, known))
    if fault["type"] == "missing":
        return ChejilError(f"'{name}' is missing", where=where, mend=f"add {name}: …")
    if fault["type"] == "literal_error" and fault["loc"][-1] == "[key]":
        return ChejilError(f"'{name}' is not a language", where=where, mend=did_you_mean(name, LANGUAGES))
    message = NAMES.get(fault.get("ctx", {}).get("pattern")) or fault["msg"].removeprefix("Value error, ")
    shown = repr(fault["input"]) if not isinstance(fault["input"], dict | list) else None
    subject = ".".join(map(str, path)) or whole
    mend = None if path else f"these can be given: {', '.join(root.model_fields)}"
    return ChejilError(
        f"{subject}: {message}" + (f", not {shown[:80]}" if shown else ""), where=where, mend=mend
    )


def _known(model: Any, path: Path) -> list[str]:
    """Names that may stand where an unknown one does: the fields of the model that the path leads to."""
    for step in path[:-1]:
        model = _descend(model, step)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _descend(model: Any, step: str | int) -> Any:
    """The model that a key of `model` holds, through lists, mappings and unions with None."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if step in model.model_fields:
            return _bare(model.model_fields[str(step)].annotation)
        return getattr(model, "own_keys", None)
    arguments = getattr(model, "__args__", ())
    return _bare(arguments[-1]) if arguments else None


def _bare(annotation: Any) -> Any:
    choices = [kind for kind in getattr(annotation, "__args__", ()) if kind is not type(None)]
    optional = type(None) in getattr(annotation, "__args__", ())
    return choices[0] if optional else annotation
