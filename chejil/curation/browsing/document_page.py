"""How a document is drawn: a heading that says what was decided and why, and the text with its changes marked.

[-what went-] is struck out and {+what came+} green, [=what was found=] yellow: the marks for those who see no colours,
and for pipes; the colours say which stage it was. What steers a terminal is U+FFFD here, also in ids and addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import orjson
from rich.text import Text

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.reasons import number
from chejil.curation.changes.pieces import Piece
from chejil.terminal import visible

MAX_REMOVED_CHARS = 400
_COLOURS = {
    "strip_boilerplate": "bright_black",
    "line_dedup": "magenta",
    "substring_dedup": "magenta",
    "decontaminate": "yellow",
    "mask_pii": "red",
}


def page(reading: Reading, changes: bool = True, max_chars: int | None = None) -> Iterator[Text]:
    """Lines of a document: heading, an empty line, text.

    Args:
        changes: show what went beside what stands there now; else only the text as it is now.
        max_chars: of the text that is drawn, with a line that says how much is left; None: all.
    """
    yield from heading(reading)
    yield Text()
    shown, left = 0, 0
    body = Text()
    for piece in reading.pieces:
        room = None if max_chars is None else max(0, max_chars - shown)
        text = piece.after.decode()
        shown += len(text)
        if room is not None and len(text) > room:
            left += len(text) - room
            piece = (
                Piece(piece.before, text[:room].encode(), piece.marks)
                if piece.changed
                else _shortened(piece, room)
            )
        if room != 0 or not text:
            _draw(body, piece, changes)
    yield from body.split("\n", allow_blank=True)
    if left:
        yield Text(f"… {left:,} more characters; --json has them", style="bold")


def _shortened(piece: Piece, room: int) -> Piece:
    first = piece.after.decode()[:room].encode()
    return Piece(first, first, piece.marks)


def heading(reading: Reading) -> Iterator[Text]:
    """Id, place, verdict, every reason, clusters, what was changed and found."""
    yield Text(_line(reading.id), style="bold")
    columns = dict(reading.columns)
    place = [columns.pop(name) for name in ("source", "lang") if name in columns]
    columns.pop("file", None)
    columns.pop("line", None)
    if reading.kept is not None:
        verdict = Text("kept", "bold green") if reading.kept else Text("dropped", "bold red")
        yield Text(" · ").join([*(Text(_line(part)) for part in place), verdict])
    for reason in reading.reasons:
        yield Text("  ") + Text(_line(str(reason)), "red")
    for name, value in reading.signals.items():
        yield Text(f"  {name} {number(value)}", "cyan")
    yield from (Text(f"  {line}") for line in _clusters(reading))
    for name, value in columns.items():
        written = value if isinstance(value, str) else orjson.dumps(value).decode()
        yield Text(f"  {name} {_line(written)}", "bright_black")
    done = Counter(f"{mark.stage}: {mark.rule}" for piece in reading.pieces for mark in piece.marks)
    for what, count in done.items():
        times = f" ({count:,})" if count > 1 else ""
        yield Text(f"  {_line(what)}{times}", _COLOURS.get(what.split(":")[0], "blue"))


def _clusters(reading: Reading) -> Iterator[str]:
    marks = reading.marks
    for kind in ("exact", "near"):
        if f"{kind}_cluster" in marks:
            size = marks.get(f"{kind}_cluster_size", 1)
            yield _line(f"{kind} cluster {marks[f'{kind}_cluster']} of {size:,} documents")
    if "duplicate_of" in marks:
        yield _line(f"duplicate of {marks['duplicate_of']} (similarity {marks['similarity']:.2f})")


def _line(text: str) -> str:
    return visible(" ".join(text.split()))


def _draw(body: Text, piece: Piece, changes: bool) -> None:
    now = visible(piece.after.decode())
    if not piece.marks:
        body.append(now)
        return
    colour = _COLOURS.get(piece.marks[-1].stage, "blue")
    if not piece.changed:
        body.append(f"[={now}=]" if changes else now, f"black on {colour}")
        return
    if changes and piece.before:
        was = visible(piece.before.decode())
        first, last = len(was) - len(was.lstrip("\n")), len(was.rstrip("\n"))
        body.append(was[:first])  # a line that went stands on a line of its own
        body.append(f"[-{_cut(was[first:last])}-]", f"{colour} strike")
        body.append(was[max(first, last) :])
    if now:
        body.append(f"{{+{now}+}}" if changes else now, "green")


def _cut(text: str) -> str:
    """The two ends of a long passage."""
    if len(text) <= MAX_REMOVED_CHARS:
        return text
    half = MAX_REMOVED_CHARS // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"
