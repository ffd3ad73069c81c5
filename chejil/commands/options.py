"""Arguments and options that several commands have, and the bars that show their progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chejil.errors import ChejilError

RecipeArgument = Annotated[str, typer.Argument(help="A recipe's file, or the bare name of one that ships.")]
RunArgument = Annotated[str, typer.Argument(help="A run's folder or URL.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one value, e.g. stages.near_dedup.threshold=0.8."
    ),
]
OutOption = Annotated[str | None, typer.Option("--out", help="The run's folder or URL [default: runs/NAME].")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
LogJsonOption = Annotated[
    bool, typer.Option("--log-json", help="Progress on stderr as JSON: an object a line.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes [default: the cores].")
]

ContaminationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--contamination",
        metavar="RUN",
        help="A run that decontaminates: score without what it found, too [default: those of the lineage].",
    ),
]


def require_page(html: Path | None) -> None:
    """Refuse a place for a page that cannot be one, before hours of work.

    Raises:
        ChejilError: it is a folder, or below a file.
    """
    if html is None:
        return
    if html.is_dir():
        raise ChejilError("a folder", where=str(html), mend=f"name a file, e.g. {html / 'report.html'}")
    if any(parent.is_file() for parent in html.parents):
        raise ChejilError("below a file", where=str(html), mend="name a file in a folder")


EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 and the number of the signal."""

EXIT_TERMINATED = 143
"""SIGTERM, from a scheduler or a shutdown."""


@contextmanager
def progress(
    after: str = "the same command goes on where it stopped", log_json: bool = False
) -> Iterator[Any]:
    """Bars, lines or JSON while the block goes on; Ctrl-C ends it with what holds `after` it and the shell's own exit
    code for it."""
    import signal

    from chejil import terminal
    from chejil.curation.progress_display import display

    def terminated(number: int, frame: Any) -> None:
        codes.append(EXIT_TERMINATED)
        raise KeyboardInterrupt

    codes = [EXIT_INTERRUPTED]
    before = signal.signal(signal.SIGTERM, terminated)
    with display(terminal.STDERR, log_json) as bars:
        try:
            yield bars
        except KeyboardInterrupt:
            terminal.STDERR.print(f"interrupted: {after}", highlight=False)
            raise typer.Exit(codes[-1]) from None
        finally:
            signal.signal(signal.SIGTERM, before)
