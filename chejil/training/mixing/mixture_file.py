"""The mixture file that a training reads (`mixture_file`), with what it was made from in its head.

The head has names, settings and numbers, no time and no path of the machine: equal settings give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import yaml

from chejil import __version__
from chejil.curation import shards
from chejil.training.mixing.mixing import Mix


def write(found: Mix, out: str) -> None:
    """Write the file, whole or not at all.

    Raises:
        RunError: an empty path.
    """
    folder, _, name = out.rpartition("/")
    shards.write_bytes(folder or ("/" if out.startswith("/") else "."), name, text(found).encode())


def text(found: Mix) -> str:
    """The file's text: YAML that MixtureStages reads."""
    stages = [{"from_tokens": stage.from_tokens, "weights": stage.weights} for stage in found.mixture.stages]
    content = {"stages": stages, "max_epochs": found.mixture.max_epochs}
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return "".join(f"# {line}".rstrip() + "\n" for line in _head(found)) + body


def _head(found: Mix) -> Iterator[str]:
    settings = found.settings
    yield f"{settings.name}: {' '.join(settings.about.split()) or 'a mixture'}"
    yield f"Made by chejil mix {__version__} for {settings.total_tokens:,} tokens in rows of {settings.row_tokens:,}."
    names = ", ".join(PurePosixPath(folder).name for folder in settings.tokens) or "expected sizes alone"
    yield f"Sizes: {names}. Weights are shares of bytes of text; a change belongs into the settings."
    for begin, stage in settings.stages():
        said = {"languages": stage.languages, "weights": stage.weights, "temperature": stage.temperature}
        told = yaml.safe_dump(
            said, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
        ).strip()
        yield f"asked from token {begin:,}: {told}"
    yield f"over_cap: {settings.over_cap}, headroom: {settings.headroom:g}"
    width = max(len(row.source) for row in found.sources)
    yield f"{'source':{width}}  bytes %  tokens %           tokens   epochs  worth"
    for row in found.sources:
        epochs = f"{row.epochs:8.3f}" if row.epochs is not None else "       ?"
        worth = f"{row.effective_tokens / row.tokens:6.1%}" if row.effective_tokens is not None else "     ?"
        yield (
            f"{row.source:{width}}  {row.byte_share:7.3%}  {row.token_share:8.3%}  {row.tokens:15,} {epochs} {worth}"
        )
    for name, (asked, given) in found.changed.items():
        yield f"caps: {name} asked for {asked:.4%} of the bytes, has {given:.4%}"
