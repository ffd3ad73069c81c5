"""`chejil tokenizer train`: word counts, merges, and a folder for each size."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chejil.commands.options import JsonOption, LogJsonOption, WorkersOption, progress
from chejil.errors import ChejilError

EXIT_INCOMPLETE = 3
"""Files could not be read; the others were counted."""


def train(
    out: Annotated[str, typer.Option(help="Folder or URL for the tokenizer, or for one folder a size.")],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH…", help="Samples, runs, Parquet or JSON-lines files, or FORMAT:PATH."),
    ] = None,
    vocab_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Tokens, e.g. 50k (50,000) [default: 50k].")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(metavar="SIZES", help="Several from one training, e.g. 16k,32k,50k.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="How text is cut: koen, gpt2, gpt4 … or regex:REGEX [default: koen].")
    ] = None,
    special: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ROLE=]TOKEN",
            help="Instead of eos=<|endoftext|> pad=<|pad|> <|im_start|> <|im_end|>; roles: bos eos pad unk.",
        ),
    ] = None,
    min_count: Annotated[int | None, typer.Option(help="A pair must occur as often [default: 2].")] = None,
    min_word_count: Annotated[int, typer.Option(min=1, help="Rarer words are left out, and told.")] = 1,
    words: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The words.parquet of an earlier count, instead of PATH."),
    ] = None,
    chat_template: Annotated[
        str | None, typer.Option(metavar="NAME|FILE|none", help="[default: chatml]")
    ] = None,
    max_length: Annotated[int | None, typer.Option(help="model_max_length, tokens [default: 4096].")] = None,
    multiple: Annotated[
        int | None, typer.Option(help="Reserved tokens fill up to a multiple [default: 128].")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="Warn if they cannot share the vocabulary.")] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Train byte-level BPE: words are counted, pairs merged, and a Hugging Face tokenizer written.

    Word counts are kept in OUT/words: the same command goes on where it stopped, and another size or other special
    tokens need no second count. The exit code is 3 if files could not be read (the others were counted).
    """
    from chejil import terminal
    from chejil.curation.settings_file import of_options
    from chejil.tokenizer import corpus
    from chejil.tokenizer.counting import counting, word_source
    from chejil.tokenizer.files import tokenizer_folder
    from chejil.tokenizer.merging import training, training_folder, training_view
    from chejil.tokenizer.merging.training import TrainingSettings
    from chejil.tokenizer.pretokens import patterns

    if bool(paths) == (words is not None):
        raise ChejilError("documents or word counts?", mend="give PATH… to count, or --words FILE, not both")
    options: dict[str, Any] = {
        "vocab_sizes": _sizes(vocab_size, sizes),
        "pattern": pattern, "min_count": min_count, "chat_template": chat_template,
        "model_max_length": max_length, "multiple": multiple, **tokenizer_folder.named_roles(special or ()),
    }  # fmt: skip
    settings = of_options(TrainingSettings, options)
    training.require_room(settings)
    how = patterns.pattern(settings.pattern)
    with (
        progress(log_json=log_json) as bars,
        training_folder.held(out, settings.vocab_sizes, bars.say, words),
    ):
        if words is not None:
            source, name = word_source.kept(words, how if pattern else None)
            settings = settings.model_copy(update={"pattern": name or settings.pattern})
        else:
            counts = counting.Settings(min_count=min_word_count)
            source = word_source.count(paths or (), how, out, workers or terminal.cores(), counts, bars)
        found = training.train(source.words, out, settings, source.provenance, bars)
    content = {
        "tokenizers": [row.as_dict() for row in found],
        "rejected": source.rejected,
        "failed": source.failed,
    }
    terminal.show(content, json, lambda _: training_view.trained(found))
    warnings = [row.warning for row in found]
    if gpus is not None:
        warnings += [tokenizer_folder.sharding_warning(row.size, gpus) for row in found]
    warnings += [f"not read: {row['file']}: {row['what']}" for row in source.failed]
    if source.rejected:
        warnings.append(f"no documents: {corpus.told(source.rejected)}")
    for warning in dict.fromkeys(warnings):
        if warning is not None:
            terminal.STDERR.print(warning, highlight=False, markup=False, soft_wrap=True)
    if source.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _sizes(vocab_size: str | None, sizes: str | None) -> tuple[int, ...] | None:
    from chejil.tokenizer import vocabulary_sizes

    if vocab_size is not None and sizes is not None:
        raise ChejilError("--vocab-size and --sizes are one too many", mend="--sizes 50k names one size, too")
    if vocab_size is not None:
        return (vocabulary_sizes.size_of(vocab_size),)
    return None if sizes is None else vocabulary_sizes.sizes_of(sizes)
