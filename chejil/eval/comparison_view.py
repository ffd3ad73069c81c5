"""A comparison in the terminal and as Markdown: models and means first, then rows, differences, classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal

from rich.console import RenderableType

from chejil import terminal
from chejil.eval.comparison import Classes, Comparison, ComparisonTable, Difference, Value
from chejil.eval.contamination import CleanScore

Cells = Sequence[Sequence[str]]

_DIFFERENCES = ("second - first>", "95 %>", "items>", "p>", "p of all rows>", "says")


def rounded(value: float | None, digits: int = 3) -> str:
    """As published tables round: halves up, of the shortest decimal.

    >>> rounded(0.5485), rounded(0.3875), rounded(None)
    ('0.549', '0.388', '')
    """
    if value is None:
        return ""
    step = Decimal(1).scaleb(-digits)
    # Sums of printed numbers end a hair beside the half that they are.
    return str(Decimal(repr(round(value, 9))).quantize(step, ROUND_HALF_UP))


def with_error(value: Value) -> str:
    """A number, its error, and a mark if it is flagged.

    >>> with_error(Value(0.3549, 0.0128, "one class?")), with_error(Value(0.5))
    ('0.355±0.013*', '0.500')
    """
    error = f"±{rounded(value.error)}" if value.error is not None else ""
    return f"{rounded(value.value)}{error}{'*' if value.flag else ''}"


def models(table: ComparisonTable) -> Cells:
    """A row a model: number, name, mean, about."""
    return [
        (str(number), one.model, with_error(one.mean), "published" if one.published else "own", one.about)
        for number, one in enumerate(table.columns, 1)
    ]


def rows(table: ComparisonTable) -> Cells:
    """A row a TASK/METRIC, a column a model."""
    found: list[tuple[str, ...]] = []
    for place, row in enumerate(table.rows):
        values = [one.values[place] for one in table.columns]
        found.append((row, *map(with_error, values)))
    return found


def difference(one: Difference) -> Sequence[str]:
    """A row of the table of differences, without the names of the runs."""
    adjusted = "" if one.p_holm is None else f"{one.p_holm:.4f}"
    interval = f"{one.low:+.3f} … {one.high:+.3f}"
    return (
        one.row, f"{one.difference:+.3f}", interval, f"{one.items:,}", f"{one.p:.4f}", adjusted, one.says,
    )  # fmt: skip


def classes(one: Classes) -> Sequence[str]:
    """A row of the table of predicted classes."""
    predicted, gold = (
        ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        for shares in (one.predicted, one.gold)
    )
    return one.model, one.task, f"{one.items:,}", predicted, gold, one.flag or ""


_MODELS = (">", "model", "mean>", "", "about")
_CLASSES = ("model", "task", "items>", "predicted", "gold", "")
CLEAN = "Without the items that decontamination found in the data"
_CLEAN = ("model", "row", "items>", "found>", "score>", "clean>")
KEY = (
    "± one standard error: of ours by bootstrap over items, of published numbers √(p(1−p)/n). * one class is answered: "
    "to everything or nearly (ours), or not to be told from that by the number (published)."
)


def comparison(found: Comparison) -> Iterator[RenderableType]:
    """Tables and lines."""
    for title, heads, cells in parts(found):
        yield title
        yield terminal.table(heads, cells)
    yield KEY
    yield from (f"note: {note}" for note in found.notes)


def markdown(found: Comparison) -> str:
    """The same, for a page of text."""
    whole = [_markdown(title, heads, cells) for title, heads, cells in parts(found)]
    notes = [f"- {_escaped(note)}" for note in found.notes]
    return "\n\n".join([*whole, KEY.replace("*", r"\*"), *(["\n".join(notes)] if notes else [])]) + "\n"


def parts(found: Comparison) -> Iterator[tuple[str, Sequence[str], Cells]]:
    """Title, heads and cells of every table."""
    for table in found.tables:
        yield f"{table.title} ({table.name})", _MODELS, models(table)
        numbers = [f"{number}>" for number, _ in enumerate(table.columns, 1)]
        yield "By row, models by their numbers", ("row", *numbers), rows(table)
    for first, second in dict.fromkeys((one.first, one.second) for one in found.differences):
        mine = [one for one in found.differences if (one.first, one.second) == (first, second)]
        title = f"Difference, second less first: {first}, {second}"
        yield title, ("row", *_DIFFERENCES), [difference(one) for one in mine]
    if found.clean:
        yield CLEAN, _CLEAN, [clean(one) for one in found.clean]
    if found.classes:
        yield "What is answered", _CLASSES, [classes(one) for one in found.classes]


def clean(one: CleanScore) -> Sequence[str]:
    """A row of the table of clean scores."""
    without = "" if one.clean is None else with_error(Value(one.clean, one.clean_error))
    return one.model, one.row, f"{one.items:,}", f"{one.affected:,}", rounded(one.score), without


def _markdown(title: str, heads: Sequence[str], cells: Cells) -> str:
    lines = ["| " + " | ".join(head.rstrip(">") for head in heads) + " |"]
    lines.append("|" + "|".join("--:" if head.endswith(">") else "---" for head in heads) + "|")
    lines += ["| " + " | ".join(map(_escaped, row)) + " |" for row in cells]
    return f"### {_escaped(title)}\n\n" + "\n".join(lines)


def _escaped(text: str) -> str:
    r"""Text that a Markdown table holds.

    >>> print(_escaped("a|b*\nc<i>"))
    a\|b\* c&lt;i&gt;
    """
    plain = " ".join(terminal.visible(text).split())
    for mark in "\\`*_[]|":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("<", "&lt;").replace(">", "&gt;")
