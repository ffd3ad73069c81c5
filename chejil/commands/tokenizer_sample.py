"""`chejil tokenizer sample`: the documents that a tokenizer is trained on."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption, WorkersOption, progress
from chejil.errors import ChejilError


def sample(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH…", help="Runs, Parquet or JSON-lines files, folders of them, or FORMAT:PATH."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder or URL for the sample.")],
    docs: Annotated[int | None, typer.Option(min=1, help="Documents, exactly.")] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Settings (YAML): quotas and more.")
    ] = None,
    set_: SetOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Sample documents by quotas of source and language: those with the smallest seeded hashes of their ids.

    The same ids and seed give the same documents, whatever the order of the files or the workers. sample.json says
    what was asked and what was met. Without quotas, sources and languages are taken in proportion.
    """
    from chejil import terminal
    from chejil.curation import settings_file
    from chejil.tokenizer.sampling import sample_view, sampling
    from chejil.tokenizer.sampling.quotas import SampleSettings

    if docs is None and config is None and not set_:
        mend = "--docs 100000, --set bytes=1000000000, or quotas in a file: --config FILE"
        raise ChejilError("how large shall the sample be?", mend=mend)
    given = [f"docs={docs}"] if docs is not None else []
    settings = settings_file.load(SampleSettings, config, [*given, *(set_ or ())])
    with progress(log_json=log_json) as bars:
        content = sampling.sample(paths, settings, out, workers or terminal.cores(), bars)
    terminal.show(content, json, lambda _: sample_view.summary(content, out))
