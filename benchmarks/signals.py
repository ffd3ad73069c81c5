"""Signals a core: every heuristic family, language and PII, beside datatrove's filters over the same documents.

The peer gets no more than half a megabyte a language, since it needs seconds for it. Korean goes through Kiwi there,
with a model that its current version still has, since datatrove's own choice cannot be opened any more. For language
the peer is fastText over the whole text, as datatrove asks it. The first call of a kernel compiles it, once a machine:
what that costs is the last row. A family's own row counts the shared tables that it reads, of characters and words.
"""

from __future__ import annotations

from _common import arguments, head, one_core, row, seconds, show, size_mb, texts  # isort: skip

one_core()

import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import pyarrow as pa  # noqa: E402

from chejil.filters.catalogue import FAMILIES, SIGNALS  # noqa: E402
from chejil.filters.engine import score  # noqa: E402

PEER_MEGABYTES = 0.5
APART = ("language", "pii")
"""Families with a target of their own; the other ones that are measured by default are the heuristics."""


def heuristics() -> list[str]:
    """Families of signals that count, without models."""
    return [
        name for name, family in FAMILIES.items() if family.default and not family.model and name not in APART
    ]


def ours(documents: list[str], families: list[str]) -> float:
    """MB/s of scoring documents that lie in Arrow, as they do in a run."""
    names = [name for name, signal in SIGNALS.items() if signal.family in families]
    batch = pa.array(documents, pa.large_string())
    return size_mb(documents) / seconds(lambda: score(batch, names), runs=5, clock=time.process_time)


def peer(documents: list[str], steps: Callable[[], list[Callable]]) -> float | None:
    """MB/s of a peer's functions over the same documents, or None if it is not installed."""
    try:
        from datatrove.data import Document

        functions = steps()

        def run() -> None:
            for number, text in enumerate(documents):
                for function in functions:
                    function(Document(text=text, id=str(number)))

        return size_mb(documents) / seconds(run, runs=1, warm=False, clock=time.process_time)
    except ImportError as error:  # datatrove asks for its word splitters when it first splits
        print(f"no peer: {error}", file=sys.stderr)
        return None


def filters(language: str) -> list[Callable]:
    """Gopher repetition and quality, C4 and FineWeb, each judging every document."""
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils.word_tokenizers import KiwiTokenizer

    tokenizer = KiwiTokenizer(model_type="cong") if language == "ko" else language
    kinds = (GopherRepetitionFilter, GopherQualityFilter, C4QualityFilter, FineWebQualityFilter)
    return [kind(language=tokenizer).filter for kind in kinds]


def pii_formatter() -> list[Callable]:
    """E-mail addresses and public IPs: the peer knows no other kind."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()
    return [lambda document: formatter.format(document.text)]


def whole_text_model() -> list[Callable]:
    """lid.176 over all of a document's text on one line."""
    from chejil.filters.language import language_model

    model = language_model()
    return [lambda document: model.predict([document.text.replace("\n", " ")])]


def compilation() -> float:
    """Seconds of a first call of every kernel, with an empty cache on disk."""
    code = "from chejil.filters.engine import score; from chejil.filters.catalogue import SIGNALS, FAMILIES; "
    code += "score(['가 a'], [s for s in SIGNALS if FAMILIES[SIGNALS[s].family].default])"
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache})
        return time.perf_counter() - start


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    rows = []
    for language, folder in (("ko", "mc4-ko"), ("en", "c4-en")):
        documents = texts(options.corpus, folder, options.megabytes)
        few = head(documents, PEER_MEGABYTES)

        def case(name: str, families: list[str], steps: Callable[[], list[Callable]], peer_name: str) -> None:
            measured = ours(documents, families)  # noqa: B023  (called within the loop)
            rows.append(row(f"{language} {name}", measured, peer(few, steps), peer_name))  # noqa: B023

        case("all heuristic families", heuristics(), lambda: filters(language), "datatrove")  # noqa: B023
        case("pii", ["pii"], pii_formatter, "datatrove")
        case("language", ["language"], whole_text_model, "fastText")
        apart = [name for name in heuristics() if any(signal.family == name for signal in SIGNALS.values())]
        rows += [row(f"{language}   {name}", ours(documents, [name]), None, "") for name in apart]
    rows.append(row("compilation, once a machine", compilation(), None, "", "s"))
    show("signals", rows, options.json)


if __name__ == "__main__":
    main()
