"""`chejil explore`: a page in the browser on which bounds are moved."""

from __future__ import annotations

from pathlib import Path

from chejil.commands.options import RunArgument
from chejil.commands.served_page import LOCAL, AddressOption, NoBrowserOption, PortOption, serve


def explore(
    run: RunArgument,
    port: PortOption = None,
    address: AddressOption = LOCAL,
    no_browser: NoBrowserOption = False,
) -> None:
    """Open a page in the browser: move a bound and see at once which documents come and go, search, compare duplicates.

    The numbers are those of `chejil whatif`. The run is never changed: the page shows the command that would, and
    saves a recipe with the moved bounds in the folder where this is run. It needs the extra ui: pip install
    'chejil[ui]'. Ctrl-C ends it.
    """
    from chejil.curation.exploring import server
    from chejil.curation.whatif.question import Question

    server.check_installed()
    Question.of(run)
    danger = "read every document of the run, and save recipes here"
    serve(server.EXPLORE, (run, str(Path.cwd())), port, address, no_browser, danger)
