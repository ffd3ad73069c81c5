"""`chejil mix`: a mixture of sources, checked against what there is of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chejil.commands.options import JsonOption, SetOption, require_page


def mix(
    config: Annotated[str, typer.Argument(help="A mixture's settings, or the bare name of some that ship.")],
    out: Annotated[
        str | None, typer.Option("--out", help="Write the mixture file that `chejil pretrain` reads.")
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            "--shards", help="Also write documents of a run, repeated by `documents`: a folder or URL."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the ledger of epochs as a page.")] = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Mix sources: shares of bytes by language and source, caps on epochs, what repeats, and what that is worth.

    Shares that do not add up to 1 are refused unless `normalise` is set, as is a source above its cap unless
    `over_cap: redistribute`. --out writes `stages` and `max_epochs` for a training's `mixture_file`.
    """
    from chejil import terminal
    from chejil.curation import settings_file
    from chejil.curation import shards as files
    from chejil.errors import ChejilError
    from chejil.training.mixing import mix_view, mixing, mixture_file, sampled_shards
    from chejil.training.mixing.mix_settings import MixSettings
    from chejil.training.planning import ledger_page

    require_page(html)
    settings = settings_file.load(MixSettings, config, set_ or (), "mix")
    if shards is not None and settings.documents is None:
        raise ChejilError("--shards needs `documents`", where=config, mend="documents: {run: runs/NAME, …}")
    found = mixing.mix(settings)
    if out is not None:
        mixture_file.write(found, out)
    if html is not None:
        page = ledger_page.page(settings.name, found.ledger)
        files.write_bytes(str(html.parent), html.name, page.encode())
    written: dict[str, Any] | None = None
    if shards is not None and settings.documents is not None:
        written = sampled_shards.sample(settings.documents, shards, terminal.cores())
    if json:
        terminal.print_json(found.as_dict() | ({"shards": written} if written else {}))
    else:
        terminal.show(found, False, mix_view.mix)
        terminal.show(written, False, lambda content: mix_view.sampled(content) if content else ())
    for name in (out, html, shards):
        if name is not None:
            terminal.STDERR.print(f"written: {name}", highlight=False, markup=False, soft_wrap=True)
