"""Imports point one way, and the command line starts without the heavy libraries."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "chejil"
ORDER = ("errors", "terminal", "filters", "curation", "tokenizer", "training", "eval", "commands", "cli")
"""The house from the cellar to the roof; `reference` writes the docs and stands beside the command line."""

HEAVY = ("torch", "transformers", "trl", "datatrove")


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("chejil."))


def imported_modules(path):
    """Names that may be modules: `from chejil.curation import shards` names both."""
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    return {str(node.module) for node in nodes} | {
        f"{node.module}.{alias.name}" for node in nodes for alias in node.names
    }


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_part_imports_only_from_those_before_it(path):
    """A module imports from its own part and from parts that come earlier in the flow of the data."""
    part = part_of(path)
    if part in ("cli", "reference", "__main__"):
        return
    allowed = {*ORDER[: ORDER.index(part) + 1], "__version__"}
    assert set(imported_parts(path)) <= allowed


def test_no_module_imports_in_a_circle():
    """Each can be read, and tested, with what it imports and nothing else."""
    known = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in modules()}
    graph = {name: imported_modules(path) & known.keys() for name, path in known.items()}

    assert list(TopologicalSorter(graph).static_order())


def test_no_module_is_called_utils():
    """Helpers live with the noun that they serve."""
    assert not [path for path in modules() if path.stem in ("utils", "helpers", "common", "misc")]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("chejil.cli", (*HEAVY, "numba", "polars", "pyarrow", "numpy")),
        ("chejil.filters.catalogue", HEAVY),
        ("chejil.curation.run", HEAVY),
    ],
)
def test_importing_does_not_load(module, absent):
    """The command line starts light, and curation never loads what training needs."""
    code = f"import {module}, sys; print([name for name in {absent!r} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
