"""What the terminal shows of the nearest documents: a line each, and the words that differ.

Words that only the text has are [-so-] and red, words that only the document has are {+so+} and green: the marks for
those who see no colours, and for pipes. Lines are broken by what they take on the screen, where a Hangul syllable
takes two columns.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from chejil.curation.dedup.nearest import Nearest
from chejil.curation.dedup.word_diff import Change, Diff
from chejil.terminal import table, visible

_MAX_CHANGES = 12
_MAX_CHARS = 200


def nearest(found: Nearest) -> Iterator[RenderableType]:
    """The neighbours as a table, then the differences of each."""
    whose = f"nearest to {found.document}" if found.document else "nearest documents"
    if not found.neighbours:
        yield f"no document of {found.documents:,} was found to have a shingle ({found.shingle}) in common with it"
        yield "Documents are found by sketches of the whole of them: a short part of a long one may be missed."
        return
    yield f"{whose}: Jaccard similarity of shingles ({found.shingle}), found by {found.by} of {found.documents:,}"
    rows = [
        (number, n.id, round(n.similarity, 4), round(n.estimate, 4), n.kept,
         n.diff.num_removed_words, n.diff.num_added_words)
        for number, n in enumerate(found.neighbours, 1)
    ]  # fmt: skip
    yield table(("#>", "id", "similarity>", "estimate>", "kept", "words removed>", "added>"), rows)
    for number, neighbour in enumerate(found.neighbours, 1):
        if neighbour.diff.changes:
            yield f"#{number} {neighbour.id}"
            yield from _diff(neighbour.diff)


def _diff(diff: Diff) -> Iterator[Text]:
    for change in diff.changes[:_MAX_CHANGES]:
        yield change_line(change)
    more = len(diff.changes) - _MAX_CHANGES
    if more > 0 or not diff.complete:
        yield Text(
            f"  … {max(more, 0):,} more differences" + ("" if diff.complete else " in the part compared")
        )


def change_line(change: Change) -> Text:
    """One difference between the words around it."""
    line = Text("  … ", overflow="fold")
    line.append(f"{_shown(change.before)} " if change.before else "")
    if change.removed:
        line.append(f"[-{_shown(change.removed)}-]", "red")
    if change.added:
        line.append(f"{{+{_shown(change.added)}+}}", "green")
    line.append(f" {_shown(change.after)}" if change.after else "")
    return line.append(" …")


def _shown(text: str) -> str:
    """On one line, without what steers a terminal, cut in the middle."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS // 2]} … {line[-_MAX_CHARS // 2 :]}"
