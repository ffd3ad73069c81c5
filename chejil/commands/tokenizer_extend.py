"""`chejil tokenizer extend`: new tokens for an existing tokenizer."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, WorkersOption, progress
from chejil.commands.tokenizer_train import EXIT_INCOMPLETE


def extend(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A tokenizer.json, or its folder.")],
    with_: Annotated[
        list[str],
        typer.Option(
            "--with", metavar="PATH", help="Text of the new language, as of `train`; may be repeated."
        ),
    ],
    add: Annotated[str, typer.Option(metavar="SIZE", help="New tokens, e.g. 14000 or 14k.")],
    out: Annotated[str, typer.Option(help="Folder for the extended tokenizer.")],
    min_count: Annotated[int | None, typer.Option(help="A pair must occur as often [default: 2].")] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Share of characters that get tokens, for bases with byte fallback [default: 0.9995]."
        ),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="How words are cut where the base names no regex [default: koen].")
    ] = None,
    multiple: Annotated[
        int | None, typer.Option(help="Reserved tokens fill up to a multiple [default: 128].")
    ] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Extend a tokenizer by tokens of another language: the base's ids stay, and its text is encoded as before.

    Byte-level BPE (GPT-2, Llama 3, Qwen) and BPE with byte fallback (Llama 2) can be extended. Shown are tokens per
    eojeol and per word before and after, on the text given, and the rows by which the model's embedding must grow.
    """
    from chejil import terminal
    from chejil.curation.settings_file import of_options
    from chejil.tokenizer.merging import extended_folder, training_view
    from chejil.tokenizer.merging.extending import ExtensionSettings
    from chejil.tokenizer.vocabulary_sizes import size_of

    options = {
        "add": size_of(add), "min_count": min_count, "character_coverage": coverage,
        "pattern": pattern, "multiple": multiple,
    }  # fmt: skip
    settings = of_options(ExtensionSettings, options)
    with progress(log_json=log_json) as bars:
        content = extended_folder.extend(base, with_, out, settings, workers or terminal.cores(), bars)
    terminal.show(content, json, training_view.extended)
    for warning in content["warnings"]:
        terminal.STDERR.print(warning, highlight=False, markup=False, soft_wrap=True)
    if content["failed"]:
        raise typer.Exit(EXIT_INCOMPLETE)
