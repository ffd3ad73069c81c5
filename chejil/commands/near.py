"""`chejil near`: the documents of a run that are nearest to a text, or to one of them."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, RunArgument
from chejil.errors import ChejilError


def near(
    run: RunArgument,
    query: Annotated[
        str,
        typer.Argument(metavar="TEXT|ID", help="A text with spaces, @FILE, - (stdin), or a document's id."),
    ],
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="Documents at most.")] = 10,
    json: JsonOption = False,
) -> None:
    """Find the nearest documents of a run: similarity of shingles, and the words that differ.

    [-words-] are those of TEXT that the document has not, {+words+} the document's own. Without spaces the argument is
    an id, or SOURCE:FILE#LINE; a text of one word goes by @FILE or -.
    """
    from chejil import terminal
    from chejil.curation.dedup import nearest_view
    from chejil.curation.dedup.nearest import nearest

    is_text = query == "-" or query.startswith("@")
    if query == "-":
        query = sys.stdin.buffer.read().decode("utf-8", "replace")
    elif is_text:
        query = _file(query[1:])
    found = nearest(run, unicodedata.normalize("NFC", query), top, is_text)
    terminal.show(found, json, nearest_view.nearest)


def _file(name: str) -> str:
    try:
        return Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ChejilError("not UTF-8", where=name, mend=f"save it as UTF-8 ({error.reason})") from None
    except OSError as error:
        raise ChejilError(str(error.strerror), where=name, mend="@FILE names a text file") from None
