"""Lines of an article whose markup has been read: list items marked, blank lines counted, empty sections left out."""

from __future__ import annotations

import re

HEADING, GONE = "\ufdd2", "\ufdd3"
"""Marks of our own (noncharacters, which no text has): a heading, with its level behind it, and where something
without text stood."""

SPACES = re.compile("[ \t\u00a0]{2,}")
_LIST = re.compile(r"([*#:;]+)\s*(.*)", re.DOTALL)


def laid_out(text: str) -> str:
    """Lines: no more than one blank one in a row, list items marked, no heading without a section."""
    lines: list[tuple[int, str]] = []  # level of a heading or 0, line
    counts: list[int] = []
    for raw in text.split("\n"):
        was_something = bool(raw.strip())
        line = SPACES.sub(" ", raw.replace(GONE, "")).strip()
        if line.startswith(HEADING):
            lines.append((int(line[1]), line[2:].strip()))
            counts = []
        elif found := _LIST.fullmatch(line):
            lines += [(0, item)] if (item := _item(found[1], found[2], counts)) else []
        elif line or not was_something:  # a line of which only marks were left is no paragraph's end
            lines.append((0, line))
            counts = []
    return "\n".join(_sections(lines)).strip("\n")


def _item(marks: str, text: str, counts: list[int]) -> str:
    """A list item: bullets as `- `, numbers counted by depth, indents and terms as lines."""
    text = text.strip()
    if not text:
        return ""
    depth = len(marks)
    del counts[depth:]
    counts += [0] * (depth - len(counts))
    counts[-1] = counts[-1] + 1 if marks[-1] == "#" else 0
    indent = "  " * sum(mark in "*#" for mark in marks[:-1])
    return f"{indent}{'- ' if marks[-1] == '*' else f'{counts[-1]}. ' if marks[-1] == '#' else ''}{text}"


def _sections(lines: list[tuple[int, str]]) -> list[str]:
    """The lines without headings under which nothing stands, from the last one up."""
    found: list[str] = []
    next_level = 1
    for level, line in reversed(lines):
        if level:
            if next_level > level or not next_level:
                found += ["", line, ""] if line else []
                next_level = level
        elif line:
            found.append(line)
            next_level = 0
        elif found and found[-1]:
            found.append("")
    found.reverse()
    return [line for i, line in enumerate(found) if line or (i and found[i - 1])]
