"""Measure tokenizers on documents: a sample is chosen and counted in pieces on all workers, then scored.

Measured on one loaded core: four tokenizers of 50,000 on 5.6 MB with Kiwi, 31 s of processor time, compiling
included; 12 s for three on 2.2 MB without. Memory is that of a batch (32 MiB of text) and some 100 bytes a sampled
document and tokenizer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from chejil.curation.executors.local import Executor
from chejil.curation.progress import NO_WORK, Progress, Silent, Work
from chejil.errors import ChejilError
from chejil.tokenizer import corpus
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.measuring import morphemes, parallel, speed
from chejil.tokenizer.measuring.counting import Part, count_piece
from chejil.tokenizer.measuring.documents import merged, smallest
from chejil.tokenizer.measuring.numbers import numbers
from chejil.tokenizer.measuring.opening import Opened, named, open_tokenizer
from chejil.tokenizer.measuring.probes import probes
from chejil.tokenizer.measuring.report_card import ReportCard, groups
from chejil.tokenizer.measuring.scores import renyi_efficiency
from chejil.tokenizer.measuring.vocabulary import vocabulary
from chejil.tokenizer.pretokens import patterns

DOCS = 2000


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Args:
        docs: documents of each source, at most.
        parallel: parallel text (parallel.py).
        with_morphemes, with_speed: what takes longest, and what differs from one time to the next.
    """

    docs: int = DOCS
    parallel: str | None = None
    with_morphemes: bool = True
    with_speed: bool = True


def measure(
    specs: Sequence[str],
    paths: Sequence[str],
    settings: Settings | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> ReportCard:
    """The report card of some tokenizers on the documents of some paths.

    Raises:
        ChejilError: a tokenizer or path is no such thing, or there is no text.
    """
    settings, progress = settings or Settings(), progress or Silent()
    tokenizers = [open_tokenizer(*one) for one in named(specs)]
    pairs = parallel.pairs(settings.parallel) if settings.parallel else None
    pieces = corpus.pieces(paths)
    with Executor(workers) as pool:
        limits, found = _limits(pool, pieces, settings.docs, progress)
        part = _counted(pool, pieces, limits, named(specs), progress)
    if not part.rows or not part.frame()["num_bytes"].sum():
        raise ChejilError(
            "no text to measure on", where=", ".join(paths), mend="--on names documents with text"
        )
    return _card(specs, paths, settings, tokenizers, part, found, pairs)


def _card(
    specs: Sequence[str], paths: Sequence[str], settings: Settings, tokenizers: Sequence[Opened], part: Part,
    found: Mapping[str, Any], pairs: Any,
) -> ReportCard:  # fmt: skip
    rows = part.frame()
    names = [one.name for one in tokenizers]
    texts = {lang: [text for _, text in some] for lang, some in sorted(part.texts.items())}
    about = {
        "docs_per_source": settings.docs, **found, "documents": len(rows),
        "bytes": int(rows["num_bytes"].sum()), "shortened": part.shortened,
    }  # fmt: skip
    cut = {"left_out": "not asked for", "tokenizers": {}}
    return ReportCard(
        paths=tuple(paths),
        sample=about,
        tokenizers=[
            _tokenizer(spec, one, _used(part, number, one), texts if settings.with_speed else {})
            for number, (spec, one) in enumerate(zip(dict.fromkeys(specs), tokenizers, strict=True))
        ],
        groups=groups(rows, names),
        parity=None if pairs is None else parallel.parity(tokenizers, pairs),
        morphemes=morphemes.compare(tokenizers, texts.get("ko", [])) if settings.with_morphemes else cut,
    )


def _tokenizer(
    spec: str, opened: Opened, used: Mapping[str, np.ndarray], texts: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    return {
        "name": opened.name,
        "spec": spec,
        "kind": opened.kind,
        "pattern": _pattern(opened),
        "vocabulary": vocabulary(opened, used["all"]),
        "renyi": {lang: renyi_efficiency(counts, opened.num_tokens) for lang, counts in used.items()},
        "numbers": numbers(opened),
        "probes": probes(opened),
        "speed": speed.speed(opened, texts),
    }


def _pattern(opened: Opened) -> str | None:
    """The name of its pattern where it has one, else the regular expression."""
    if opened.pattern is None:
        return None
    with suppress(ChejilError):  # tiktoken's own are not written for Oniguruma
        return patterns.by_regex(opened.pattern).name.removeprefix(patterns.OWN)
    return opened.pattern


def _used(part: Part, number: int, opened: Opened) -> dict[str, np.ndarray]:
    """How often each id came, by language, and in `all`."""
    langs = {lang: counts for (of, lang), counts in sorted(part.used.items()) if of == number}
    return {"all": sum(langs.values(), np.zeros(len(opened.token_bytes), np.int64)), **langs}


def _limits(
    pool: Executor, pieces: Sequence[Piece], docs: int, progress: Progress
) -> tuple[dict[str, int], dict[str, Any]]:
    """The largest hash of each source that is measured; how many documents there are, and records that are none."""
    found: dict[str, np.ndarray] = {}
    documents, rejected = 0, Counter[str]()
    for hashes, number, bad in _done(pool, "choose", pieces, smallest, (docs,), progress, lambda one: one[1]):
        found = merged(found, hashes, docs)
        documents += number
        rejected += bad
    limits = {source: int(hashes[-1]) for source, hashes in found.items() if len(hashes)}
    return limits, {"documents_found": documents, "rejected": dict(sorted(rejected.items()))}


def _counted(
    pool: Executor, pieces: Sequence[Piece], limits: Mapping[str, int], specs: Sequence[tuple[str, str]],
    progress: Progress,
) -> Part:  # fmt: skip
    part = Part()
    arguments = (limits, tuple(specs))
    for one in _done(
        pool, "encode", pieces, count_piece, arguments, progress, lambda one: sum(map(len, one.rows))
    ):
        part.add(one)
    return part


def _done(
    pool: Executor,
    stage: str,
    pieces: Sequence[Piece],
    function: Callable[..., Any],
    arguments: tuple,
    progress: Progress,
    documents: Callable[[Any], int],
) -> Any:
    """Results as they come. A file that cannot be read stops the whole: a sample must not lack a part of itself."""
    weights = {piece.name: piece.num_bytes for piece in pieces}
    progress.start(stage, len(pieces), 0, weights)
    for outcome in pool.do([(piece.name, function, (piece, *arguments)) for piece in pieces]):
        if outcome.error is not None:
            raise outcome.error
        work = Work(documents(outcome.result), weights[outcome.name]) if outcome.result else NO_WORK
        progress.advance(stage, outcome.name, work=work)
        yield outcome.result
    progress.finish(stage)
