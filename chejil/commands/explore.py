"""`chejil explore`: a page in the browser on which bounds are moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import RunArgument


def explore(
    run: RunArgument,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The page's port [default: the first free from 8501 on]."),
    ] = None,
    address: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0: on every network of this machine.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the URL, open nothing.")] = False,
) -> None:
    """Open a page in the browser: move a bound and see at once which documents come and go, search, compare duplicates.

    The numbers are those of `chejil whatif`. The run is never changed: the page shows the command that would, and
    saves a recipe with the moved bounds in the folder where this is run. It needs the extra ui: pip install
    'chejil[ui]'. Ctrl-C ends it.
    """
    from chejil import terminal
    from chejil.curation.exploring import server
    from chejil.curation.whatif.question import Question

    server.check_installed()
    Question.of(run)
    if address not in (server.LOCAL, "localhost", "::1"):
        what = "whoever reaches this address can read every document of the run, and save recipes here"
        terminal.STDERR.print(what, highlight=False)
    number = server.free_port(address, port)
    try:
        with (
            server.ending_by_signal(),
            server.serving(server.EXPLORE, (run, str(Path.cwd())), address, number) as (process, url),
        ):
            print(url, flush=True)
            if not no_browser:
                import webbrowser

                webbrowser.open(url)
            process.wait()
    except KeyboardInterrupt:
        terminal.STDERR.print("ended", highlight=False)
