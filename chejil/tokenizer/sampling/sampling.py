"""A sample of exactly N documents (or at most N bytes) by quotas a stratum, for a tokenizer to be trained on.

Two readings: one of ids, sources and languages (of text too where quotas are in bytes), from which follows where each
stratum ends; one of the text, of which only what is taken is written. What is taken follows from the ids and the seed
alone: not from the order of the files, their number of shards, or the number of workers. Of the published model's
tokenizer is known that it saw ten million documents (its card: ten million Korean and ten million English), and not
how they were chosen.

    OUT/documents/00000.parquet …    id, text (cut after `max_chars`), source, lang; a file a piece of the corpus
    OUT/sample.json                  settings, strata with quotas asked and met, inputs, files with hashes; written last
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from chejil import __version__
from chejil.curation import object_lock, shards
from chejil.curation.executors.local import Executor
from chejil.curation.progress import Progress, Silent
from chejil.curation.reading.input_files import fingerprint_of
from chejil.errors import ChejilError
from chejil.tokenizer import corpus, held_folder
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.sampling import quotas, sample_keys
from chejil.tokenizer.sampling.quotas import SampleSettings, Stratum
from chejil.tokenizer.sampling.sample_keys import End

MANIFEST = "sample.json"
WORK = "work"
PLAN = f"{WORK}/plan.json"
GROUP_BYTES = 16 << 20
VERSION = 1
"""Raised when the same settings take other documents."""

Call = tuple[str, Callable[..., Any], tuple]


def sample(
    paths: Sequence[str],
    settings: SampleSettings,
    out: str,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a sample; what an interrupted call has done is kept.

    Args:
        paths: see `corpus.pieces`.
        out: a folder or URL of its own.

    Returns:
        The content of sample.json.

    Raises:
        ChejilError: the quotas cannot be met; an input cannot be read; `out` holds something else.
    """
    pieces = corpus.pieces(paths)
    progress = progress or Silent()
    with held_folder.held(out, progress.say, _foreign):
        return _sampled(paths, pieces, settings, out, workers, progress)


def _foreign(there: set[str]) -> str | None:
    other = held_folder.but(there, (MANIFEST, "documents", "work"))
    return f"this folder holds something else: {', '.join(other[:3])}" if other else None


def _sampled(
    paths: Sequence[str],
    pieces: Sequence[Piece],
    settings: SampleSettings,
    out: str,
    workers: int,
    progress: Progress,
) -> dict[str, Any]:
    key = _key(pieces, settings)
    done = _begun(out, key)
    if done is not None:
        return done
    names = [f"{number:05}" for number in range(len(pieces))]
    weights = {piece.name: max(1, piece.num_bytes) for piece in pieces}
    with Executor(min(workers, len(pieces))) as executor:
        measuring: list[Call] = [
            (p.name, _measure, (out, n, p, settings)) for n, p in zip(names, pieces, strict=True)
        ]
        rejected: Counter[str] = Counter()
        for reasons in _all(executor, measuring, "documents counted", weights, progress):
            rejected.update(reasons)
        urls = [shards.join(out, _keys_path(name)) for name in names]
        found = sample_keys.sizes(urls)
        if not found:
            raise corpus.nothing(paths, rejected)
        allotted = quotas.allot({s: int(size.units.sum()) for s, size in found.items()}, settings)
        ends = sample_keys.ends(urls, found, {s: allotment.given for s, allotment in allotted.items()})
        writing: list[Call] = [
            (p.name, _write, (out, n, number, p, settings, ends))
            for number, (n, p) in enumerate(zip(names, pieces, strict=True))
        ]
        parts = list(_all(executor, writing, "documents sampled", weights, progress))
    content = {
        "key": key, "version": __version__, "settings": settings.model_dump(mode="json"), "paths": list(paths),
        "inputs": _inputs(pieces), "rejected": dict(sorted(rejected.items())),
        "strata": _strata(found, allotted, parts), "files": [part["file"] for part in parts],
    }  # fmt: skip
    shards.write_json(out, MANIFEST, content)
    shards.remove(shards.join(out, WORK))
    return content


def _all(
    executor: Executor, calls: Sequence[Call], stage: str, weights: dict[str, int], progress: Progress
) -> Iterator[Any]:
    """Results in the order of the calls; the first input that could not be read ends it when all have been tried."""
    results: dict[str, Any] = {}
    errors: list[ChejilError] = []
    progress.start(stage, len(calls), 0, weights)
    for outcome in executor.do(calls):
        progress.advance(stage, outcome.name, None if outcome.error is None else str(outcome.error))
        results[outcome.name] = outcome.result
        if outcome.error is not None:
            errors.append(outcome.error)
    progress.finish(stage)
    if errors:
        raise errors[0]
    yield from (results[name] for name, _, _ in calls)


def _begun(out: str, key: str) -> dict[str, Any] | None:
    """The finished sample of the same key, or None when its folder is ready to go on.

    Raises:
        ChejilError: the folder holds something else.
    """
    done = shards.read_json(shards.join(out, MANIFEST))
    if done is not None and done.get("key") == key:
        return done
    plan = shards.read_json(shards.join(out, PLAN))
    if done is None and plan is None and set(shards.below(out, "")) - {object_lock.NAME}:
        raise ChejilError("this folder holds something else", where=out, mend="choose another --out")
    if done is not None or (plan is not None and plan.get("key") != key):
        for name in (MANIFEST, "documents", WORK):  # the manifest first: half a sample never looks whole
            shards.remove(shards.join(out, name))
    shards.write_json(out, PLAN, {"key": key})
    return None


def _key(pieces: Sequence[Piece], settings: SampleSettings) -> str:
    content = [VERSION, settings.model_dump(mode="json"), _inputs(pieces), [piece.name for piece in pieces]]
    return xxhash.xxh3_128_hexdigest(orjson.dumps(content))


def _inputs(pieces: Sequence[Piece]) -> list[dict[str, str]]:
    """Each file once, with what tells that it has changed."""
    urls = dict.fromkeys(piece.url for piece in pieces)
    return [{"file": url, "fingerprint": fingerprint_of(url)} for url in urls]


def _keys_path(name: str) -> str:
    return f"{WORK}/keys/{name}.parquet"


def _measure(root: str, name: str, piece: Piece, settings: SampleSettings) -> Counter[str]:
    """Write the keys of a piece, unless they are there; returns what was no document, by reason."""
    told = shards.read_json(shards.join(root, f"{WORK}/keys/{name}.json"))
    if told is not None:
        return Counter(told)
    rejected: Counter[str] = Counter()
    sample_keys.write(root, _keys_path(name), piece, settings, rejected)
    shards.write_json(root, f"{WORK}/keys/{name}.json", dict(rejected))
    return rejected


def _write(
    root: str, name: str, number: int, piece: Piece, settings: SampleSettings, ends: dict[Stratum, End]
) -> dict[str, Any]:
    """Write what is taken of a piece, unless it is there; returns the file and counts a stratum."""
    told = shards.read_json(shards.join(root, f"{WORK}/written/{name}.json"))
    if told is not None:
        return told
    rows = sample_keys.taken(shards.join(root, _keys_path(name)), number, ends)
    counts: dict[str, Counter[str]] = {}
    tables = _grouped(_counted(_taken(piece, rows, settings.max_chars), counts))
    record = shards.write_shard(root, f"documents/{name}.parquet", tables, corpus.SCHEMA)
    part = {"file": asdict(record), "strata": {stratum: dict(count) for stratum, count in counts.items()}}
    shards.write_json(root, f"{WORK}/written/{name}.json", part)
    return part


def _taken(piece: Piece, rows: np.ndarray, max_chars: int) -> Iterator[pa.Table]:
    """Documents at some sorted rows of a piece, and whether each was `cut`."""
    first = 0
    for table in corpus.batches(piece, corpus.SCHEMA.names) if len(rows) else ():
        low, high = np.searchsorted(rows, [first, first + table.num_rows])
        chosen = table.take(pa.array(rows[low:high] - first))
        first += table.num_rows
        texts, num_bytes = sample_keys.capped(chosen["text"], max_chars)
        cut = pc.greater(pc.binary_length(chosen["text"]), pa.array(num_bytes))
        yield chosen.set_column(1, corpus.SCHEMA.field("text"), texts).append_column("cut", cut)


def _counted(tables: Iterator[pa.Table], counts: dict[str, Counter[str]]) -> Iterator[pa.Table]:
    """The tables without `cut`, while documents and bytes are counted by stratum."""
    for table in tables:
        for stratum, rows in sample_keys.by_stratum(table):
            num_bytes, cut = pc.sum(pc.binary_length(rows["text"])).as_py(), pc.sum(rows["cut"]).as_py()
            counts.setdefault(str(stratum), Counter()).update(docs=rows.num_rows, bytes=num_bytes, cut=cut)
        yield table.drop_columns(["cut"])


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Tables of together GROUP_BYTES: a batch of which little is taken makes no row group of its own."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(part.nbytes for part in held) >= GROUP_BYTES:
            yield pa.concat_tables(held).combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _strata(
    found: dict[Stratum, sample_keys.Sizes],
    allotted: dict[Stratum, quotas.Allotment],
    parts: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """What each stratum had, was asked for, and gave."""
    met: dict[str, Counter[str]] = {}
    for part in parts:
        for name, count in part["strata"].items():
            met.setdefault(name, Counter()).update(count)
    rows = []
    for stratum, one in allotted.items():
        count = met.get(str(stratum), Counter())
        rows.append(
            {
                "source": stratum.source, "lang": stratum.lang, "available_docs": found[stratum].docs,
                "available": one.available, "asked": one.asked, "allotted": one.given,
                **{name: count[name] for name in ("docs", "bytes", "cut")},
            }
        )  # fmt: skip
    return rows
