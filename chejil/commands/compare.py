"""`chejil compare`: the same question to several models, votes, and who wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chejil.commands.options import JsonOption, progress
from chejil.commands.served_page import LOCAL, AddressOption, NoBrowserOption, PortOption, serve
from chejil.errors import ChejilError

if TYPE_CHECKING:
    from chejil.eval.comparing.asked_models import Asked
    from chejil.eval.judging.prompts import PromptSet

EXIT_INCOMPLETE = 3
"""Done but for what got no answer."""


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL…",
            help="Folders, adapters, endpoints (http://HOST/v1#MODEL); NAME=PLACE gives a name.",
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            "--prompts", help="CSV (id,question,category,task), self-instruct's JSON lines, or koen: ours."
        ),
    ] = None,
    votes: Annotated[
        str, typer.Option("--votes", help="The file of votes; it goes on where it was.")
    ] = "votes.jsonl",
    wins: Annotated[
        str | None,
        typer.Option("--wins", metavar="VOTES", help="Show the win table of a file of votes, nothing else."),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Names after the vote, in an order shuffled by --seed.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order in blind rounds.")] = 1,
    voter: Annotated[str | None, typer.Option("--voter", help="A label of who votes.")] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            "--template",
            metavar="NAME=TEMPLATE",
            help="A model's chat template: a shipped name, a file, or plain: text goes on.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Of sampling: temperature, top_p, top_k, max_new_tokens, seed …",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, mps, cuda or cuda:NUMBER.")] = "auto",
    dtype: Annotated[str, typer.Option("--dtype", help="auto, fp32, bf16 or fp16.")] = "auto",
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="The environment variable that holds the endpoints' key.")
    ] = None,
    in_terminal: Annotated[
        bool, typer.Option("--terminal", help="Ask and vote here, without a page.")
    ] = False,
    port: PortOption = None,
    address: AddressOption = LOCAL,
    no_browser: NoBrowserOption = False,
    json: JsonOption = False,
) -> None:
    """Ask several models the same question: answers beside each other on a page, votes in a file, who wins.

    The page needs the extra ui (pip install 'chejil[ui]') and loads each model once, however often it is opened.
    --terminal does without it. --prompts with --json prints all answers (and the win table of --votes if there is
    one) and asks nobody; its exit code is 3 if a model failed. `chejil eval compare` is for results of benchmarks.
    """
    from chejil import terminal
    from chejil.curation import settings_file
    from chejil.eval.chatting.speaker import Sampling
    from chejil.eval.comparing import asked_models, wins_view
    from chejil.eval.comparing import votes as ballots
    from chejil.eval.comparing.wins import as_json, table
    from chejil.eval.judging import prompts as prompt_files

    if wins is not None:
        _refuse_models(models)
        found = table(ballots.existing(wins))
        terminal.show(as_json(found) if json else found, json, wins_view.wins)
        return
    asked = asked_models.Asked(
        models=asked_models.models_of(models or [], template or ()), prompts=prompts, votes=votes, blind=blind,
        seed=seed, voter=voter or None, device=device, dtype=dtype, key_env=key_env,
        sampling=settings_file.load(Sampling, None, set_ or ()),
    )  # fmt: skip
    questions = prompt_files.load(prompts) if prompts else None
    ballots.refuse_strangers(votes, ballots.read(votes), asked.names)
    if json:
        _answers(asked, questions)
    elif in_terminal:
        _talk(asked, questions)
    else:
        _page(asked, port, address, no_browser)


def _refuse_models(models: Sequence[str] | None) -> None:
    if models:
        raise ChejilError(
            "--wins shows a file and asks no model", mend="leave the models out, or use --votes"
        )


def _answers(asked: Asked, questions: PromptSet | None) -> None:
    """All answers to all prompts, on stdout."""
    from chejil import terminal
    from chejil.eval.comparing import every_answer, silent

    if questions is None:
        raise ChejilError("--json asks nobody for a question", mend="give --prompts FILE, or koen: ours")
    with progress(after="nothing was written") as bars:
        found: dict[str, Any] = every_answer.of(asked, silent.speakers(asked), questions, bars)
    terminal.print_json(found)
    if found["failed"]:
        raise typer.Exit(EXIT_INCOMPLETE)


def _talk(asked: Asked, questions: PromptSet | None) -> None:
    """Questions and votes in this terminal."""
    import sys

    from chejil import terminal
    from chejil.eval.comparing import silent, terminal_talk

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    terminal.STDERR.print("loading the models …", highlight=False)
    try:
        given = terminal_talk.hold(asked, silent.speakers(asked), questions, input, write)
    except KeyboardInterrupt:
        write("\n")
        terminal.STDERR.print("ended; votes that were given are kept", highlight=False)
        return
    terminal.STDERR.print(
        f"{given} votes: chejil compare --wins {asked.votes}", highlight=False, markup=False
    )


def _page(asked: Asked, port: int | None, address: str, no_browser: bool) -> None:
    """The page, until Ctrl-C."""
    from pathlib import Path

    from chejil.curation.exploring import server
    from chejil.eval import comparing

    server.check_installed()
    app = str(Path(comparing.__file__).with_name("app.py"))
    serve(app, (asked.model_dump_json(),), port, address, no_browser, "ask these models and vote")
