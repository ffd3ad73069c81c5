"""Pages that a command serves: where they listen, and that they last until Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

PortOption = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="The page's port [default: the first free from 8501 on]."),
]
AddressOption = Annotated[
    str, typer.Option("--address", help="Where to listen; 0.0.0.0: on every network of this machine.")
]
NoBrowserOption = Annotated[bool, typer.Option("--no-browser", help="Print the URL, open nothing.")]

LOCAL = "127.0.0.1"


def serve(
    app: str, words: Sequence[str], port: int | None, address: str, no_browser: bool, danger: str
) -> None:
    """Serve a page until Ctrl-C or SIGTERM, with its URL on stdout.

    Args:
        app: the page's file.
        words: its arguments.
        danger: what others can do with it; said where it is served to other machines.
    """
    from chejil import terminal
    from chejil.curation.exploring import server

    if not server.is_local(address):
        terminal.STDERR.print(f"whoever reaches this address can {danger}", highlight=False)
    number = server.free_port(address, port)
    try:
        with (
            server.ending_by_signal(),
            server.serving(app, tuple(words), address, number) as (process, url),
        ):
            print(url, flush=True)
            if not no_browser:
                import webbrowser

                webbrowser.open(url)
            process.wait()
    except KeyboardInterrupt:
        terminal.STDERR.print("ended", highlight=False)
