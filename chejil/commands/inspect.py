"""`chejil inspect`: documents of a run, or of bare shards, in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chejil.curation.browsing.readings import Reading

MAX_SAMPLE = 10**9
"""More are held by no machine."""


def inspect(
    path: Annotated[
        str, typer.Argument(metavar="PATH|RUN", help="A run's folder, a file, a quoted glob, or FORMAT:PATH.")
    ],
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="SQL", help="A condition, e.g. \"lang = 'ko' AND num_words < 50\"."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=1,
            max=MAX_SAMPLE,
            metavar="N",
            help="So many documents, drawn by hash of their ids.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**64 - 1, help="Of the sample.")] = 0,
    dropped: Annotated[
        str | None,
        typer.Option(
            "--dropped", metavar="REASON", help="Documents with that reason, or one that begins so."
        ),
    ] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Documents that were kept.")] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="SIGNAL", help="Smallest first; -SIGNAL: largest first. May be repeated."
        ),
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(
            "--near", metavar="SIGNAL:low", help="Closest to that bound first, on both sides of it."
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="FIELD", help="Of bare files: the field that holds the text."),
    ] = None,
    changes: Annotated[
        bool, typer.Option("--changes/--no-changes", help="Mark what transforms took out and put in.")
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, a document each.")
    ] = False,
) -> None:
    """Read documents: text as it stands after the transforms, verdict, every reason with value and bound, clusters.

    [-what went-], {+what came+} and [=what was found=] are marked with their colours. SQL may name signals, columns of
    decisions (`kept`, `reason`, `near_cluster_size` …) and of documents (`url`, `text` …); of bare files also their
    own columns, and signals are measured on the way. In a terminal: n and p for the next document and the one before,
    j and k for lines, / to search, h for help; in a pipe plain text.
    """
    from chejil.curation.browsing.bare_documents import BareDocuments, documents_of
    from chejil.curation.browsing.selection import Selection

    documents = documents_of(path, text)
    selection = Selection(where, dropped, kept, sample, seed, tuple(by or ()), near)
    _print(documents.read(selection), changes, json)
    if isinstance(documents, BareDocuments) and documents.quarantined:
        total = sum(documents.quarantined.values())
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(documents.quarantined.items()))
        print(f"{total:,} records are no documents: {reasons}", file=sys.stderr)
        if "missing_text" in documents.quarantined and text is None:
            print("  mend: name the field that holds the text, --text FIELD", file=sys.stderr)


def _print(found: Iterator[Reading], changes: bool, json: bool) -> None:
    from chejil import terminal
    from chejil.curation.browsing import pager
    from chejil.curation.browsing.document_page import page

    console = terminal.stdout()
    if json:
        for reading in found:
            sys.stdout.write(terminal.json_text(reading.as_dict()))
    elif console.is_terminal and not console.is_dumb_terminal and sys.stdin.isatty():
        pager.show(found, console, changes)
    else:
        number = -1
        for number, reading in enumerate(found):
            sys.stdout.write("─" * 80 + "\n" if number else "")
            sys.stdout.writelines(f"{line.plain}\n" for line in page(reading, changes))
        if number < 0:
            print("no document is like that", file=sys.stderr)
    sys.stdout.flush()
