"""Heuristic signals a core: every family but language, beside datatrove's Gopher, C4 and FineWeb filters.

The peer gets no more than half a megabyte a language, since it needs seconds for it. Korean goes through Kiwi there,
with a model that its current version still has, since datatrove's own choice cannot be opened any more.
"""

from __future__ import annotations

from _common import arguments, head, one_core, row, seconds, show, size_mb, texts  # isort: skip

one_core()

from collections.abc import Callable  # noqa: E402

import pyarrow as pa  # noqa: E402

from chejil.filters.catalogue import SIGNALS  # noqa: E402
from chejil.filters.engine import score  # noqa: E402

PEER_MEGABYTES = 0.5
FAMILIES = ("characters", "words", "lines", "repetition")


def ours(documents: list[str], families: tuple[str, ...]) -> float:
    """MB/s of scoring documents that lie in Arrow, as they do in a run."""
    names = [name for name, signal in SIGNALS.items() if signal.family in families]
    batch = pa.array(documents, pa.large_string())
    return size_mb(documents) / seconds(lambda: score(batch, names), runs=3)


def datatrove(documents: list[str], language: str) -> float | None:
    """MB/s of datatrove's four heuristic filters on the same documents, or None if it is not installed."""
    try:
        filters = peer_filters(language)
    except ImportError:
        return None
    from datatrove.data import Document

    def run() -> None:
        for number, text in enumerate(documents):
            document = Document(text=text, id=str(number))
            for keep in filters:
                keep(document)

    return size_mb(documents) / seconds(run, runs=1, warm=False)


def peer_filters(language: str) -> list[Callable]:
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


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    rows = []
    for language, folder in (("ko", "mc4-ko"), ("en", "c4-en")):
        documents = texts(options.corpus, folder, options.megabytes)
        peer = datatrove(head(documents, PEER_MEGABYTES), language)
        rows.append(
            row(f"all heuristic signals, {language}", ours(documents, FAMILIES), peer, "datatrove filters")
        )
        for family in FAMILIES:
            rows.append(row(f"  {family}, {language}", ours(documents, (family,)), None, ""))
    show("signals", rows, options.json)


if __name__ == "__main__":
    main()
