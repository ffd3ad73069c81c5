"""`chejil sft-data …`: what files of conversations hold, and what of them is fit to train on."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption, WorkersOption, progress
from chejil.errors import ChejilError

EXIT_WRONG = 1
"""There is no conversation, or the audit refuses to train."""

EXIT_INCOMPLETE = 3
"""A file could not be read, or not to its end; the others were counted."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Conversations to fine-tune on: check them, curate them.",
)


class TreePaths(StrEnum):
    """Paths of OpenAssistant's trees."""

    best = "best"
    all = "all"


@app.callback()
def sft_data() -> None:
    """Conversations to fine-tune on: check them, curate them."""


PathsArgument = Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders, quoted globs.")]
LayoutOption = Annotated[
    str | None, typer.Option("--layout", help="Of every record [default: told from its keys].")
]
TreePathsOption = Annotated[TreePaths, typer.Option("--tree-paths", help="Of OpenAssistant's trees.")]


@app.command()
def check(
    paths: PathsArgument,
    layout: LayoutOption = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template", metavar="NAME|FILE", help="A chat template [default: the tokenizer's own]."
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", help="A tokenizer.json or its folder: count tokens, and audit the masks."
        ),
    ] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=2, help="The context of the audit.")] = 4096,
    tree_paths: TreePathsOption = TreePaths.best,
    json: JsonOption = False,
) -> None:
    """Check conversations: layouts, turns, languages, lengths, duplicates, and records that are none, with reasons.

    Alpaca, KoAlpaca, KULLM, self-instruct, evolve-instruct, ShareGPT, OpenAssistant, Dolly, question and answer, plain
    messages, KoChatGPT's text; as JSON, JSON lines, Parquet, CSV or TSV, packed or not. With --tokenizer the masks are
    audited, too: answers and their ends are learnt, prompts are prefixes, nothing is cut.
    The exit code is 1 if there is no conversation or the audit refuses, 3 if files could not be read to their end.
    """
    from chejil import terminal
    from chejil.training.conversations import conversation_view
    from chejil.training.conversations.audit_findings import AuditSettings
    from chejil.training.conversations.chat_encoding import ChatEncoder
    from chejil.training.conversations.conversation_counts import count

    if template is not None and tokenizer is None:
        raise ChejilError("--template is for --tokenizer", mend="name a tokenizer.json, or leave it out")
    encoder = None if tokenizer is None else ChatEncoder(tokenizer, template)
    found = count(paths, layout, tree_paths.value, encoder, AuditSettings(max_tokens=max_tokens))
    terminal.show(found, json, conversation_view.counts)
    if found.is_incomplete:
        raise typer.Exit(EXIT_INCOMPLETE)
    if not found.conversations or (found.audit is not None and found.audit.refused):
        raise typer.Exit(EXIT_WRONG)


@app.command()
def curate(
    paths: PathsArgument,
    out: Annotated[str, typer.Option("--out", help="A folder or URL of its own.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="A recipe's file, or the bare name of one that ships.")
    ] = "conversations-koen",
    evals: Annotated[
        str | None,
        typer.Option("--evals", help="Where the recipe's evaluation sets lie [default: its `data`]."),
    ] = None,
    layout: LayoutOption = None,
    tree_paths: TreePathsOption = TreePaths.best,
    workers: WorkersOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Curate conversations: language, duplicates, evaluation texts, personal data. Conversations in, conversations out.

    Through the stages of `chejil run`: OUT/run is a run with its report, and `chejil explain OUT/run ID` explains a
    conversation. OUT/conversations has what is left, as messages. What is done already is not done again.
    The exit code is 3 if files could not be read, or not to their end, 2 for an error that you can mend.
    """
    from chejil import terminal
    from chejil.training.conversations.curating import curate as curating
    from chejil.training.conversations.curating import view

    with progress(log_json=log_json) as bars:
        found = curating.curate(
            paths, out, recipe, set_ or (), evals, layout, tree_paths.value, workers or terminal.cores(), bars
        )
    terminal.show(found, json, view.curated)
    if found.is_incomplete:
        raise typer.Exit(EXIT_INCOMPLETE)
