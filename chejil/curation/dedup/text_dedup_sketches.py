"""What text-dedup measures of a document, as sketches and keys for our own clustering: SimHash, Bloom filter, UniSim.

The fingerprint is the peer's, all that follows is ours: memory bounded by the range, survivors by `keep`, `explain`,
the report, and no wrong transitive merge (a document is dropped only for one whose fingerprint is near its own). One
bit of a fingerprint is one lane of a sketch, so what compares MinHash lanes compares bits.

- **simhash**: 64 or 128 bits of character n-grams (Charikar 2002; Manku, Jain and Das Sarma 2007). Two documents are
  duplicates if at most so many bits differ. Keys are all choices of blocks of which all bits must then be equal; the
  peer tries each choice once for every order of its blocks, six times as many keys for the same pairs.
- **bloom**: a document's hash, and a scalable Bloom filter that says which hashes were seen before. The peer drops what
  the filter flags, and so loses one unique document in a million; here flagged hashes are looked up once more.
- **unisim**: RETSim's embedding of 256 numbers (Zhang et al. 2023), as the sides of 1,024 planes on which it lies: the
  share of equal bits gives the angle, a cosine of 0.9 to within 0.015. The peer asks an index in memory.

On one core SimHash reads 0.4 MB/s of Korean and UniSim 0.05, where our MinHash reads 120: this is to go on with what
was begun there, not for speed. Of a document the first 1,048,576 characters are read.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import itertools
import math
import multiprocessing
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chejil.curation import edits, shards
from chejil.curation.dedup import duplicates, edges
from chejil.curation.dedup.duplicates import Likeness, Measured
from chejil.curation.dedup.hash_mixing import GOLDEN
from chejil.curation.dedup.index import Index
from chejil.curation.dedup.sketches import LANES_A_WORD, band_keys, bands_for, cosine_share, sketches
from chejil.curation.dedup.text_dedup_settings import Bloom, Method, SimHash, UniSim, missing
from chejil.curation.stage import Function, Tally, Unit
from chejil.filters.buffers import TextBuffers

Sketched = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

PLANES = 1024
"""Planes of UniSim's sketch; 512 bytes a document."""

_EMBEDDING = 256
_MAX_CHARS = 1 << 20


def compared_by(
    settings: SimHash | Bloom | UniSim,
) -> tuple[Likeness, Function, Function | None]:
    """What two sketches of a method are compared by, what measures them, and what finds edges if keys do not."""
    if isinstance(settings, SimHash):
        least = settings.bits - settings.max_differing_bits
        return Likeness("signatures", settings.bits // LANES_A_WORD, least, "bits"), sign_simhash, None
    if isinstance(settings, UniSim):
        least = math.ceil(cosine_share(settings.threshold) * PLANES)
        return Likeness("signatures", PLANES // LANES_A_WORD, least, "cosine"), sign_unisim, None
    return Likeness("signatures", 2, 2 * LANES_A_WORD, "bits"), sign_bloom, find_bloom_edges


@contextmanager
def _borrowed() -> Iterator[None]:
    """Undo what importing text-dedup does to its host: start method `fork`, lines on stdout, warnings."""
    before = multiprocessing.get_start_method(allow_none=True)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        multiprocessing.set_start_method(before, force=True)


def _module(method: Method, name: str) -> Any:
    error = missing(method)
    if error is not None:
        raise error
    with _borrowed():
        return importlib.import_module(name)


def _write(unit: Unit, words: int, measure: Callable[[list[str]], Sketched]) -> Tally:
    """Write what `measure` says of each row group's texts: sketch, name, keys, and whether it is compared."""

    def measured() -> Iterator[Measured]:
        for table in edits.documents(unit, ["text"]):
            texts = [(text or "")[:_MAX_CHARS] for text in table["text"].to_pylist()]
            yield Measured(*measure(texts), TextBuffers.of(table["text"]).num_bytes)

    return duplicates.write_measured(unit, words, measured())


def sign_simhash(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/ and keys/, text-dedup's fingerprints."""
    wanted = unit.settings
    fingerprint = simhash(wanted["bits"], wanted["ngram_chars"])

    def measure(texts: list[str]) -> Sketched:
        found = [fingerprint(text) for text in texts]
        size = wanted["bits"] // 8
        lying = np.frombuffer(b"".join(one or bytes(size) for one in found), np.uint8).reshape(-1, size)
        bits = np.unpackbits(lying, axis=1).astype(np.uint64)
        keys = block_keys(bits, wanted["blocks"], wanted["max_differing_bits"])
        return sketches(bits), _names(bits), keys, np.array([one is not None for one in found], bool)

    return _write(unit, wanted["bits"] // 16, measure)


def simhash(bits: int, ngram_chars: int) -> Callable[[str], bytes | None]:
    """text-dedup's fingerprint of a text; None for one of fewer than five characters, which it cannot do."""
    module = _module("simhash", "text_dedup.simhash")
    digest = {64: module.xxh3_64_digest, 128: module.xxh3_128_digest}[bits]

    def fingerprint(text: str) -> bytes | None:
        if len(text) < 5:
            return None
        return module.embed_func(text, 0, ngram=ngram_chars, permutations=None, hash_func=digest)[
            module.SIGNATURE_COLUMN
        ]

    return fingerprint


def block_keys(bits: np.ndarray, blocks: int, max_differing: int) -> np.ndarray:
    """A key for every choice of `blocks - max_differing` blocks: (num_docs, bits) -> (num_docs, choices) uint64.

    Fingerprints that differ in at most so many bits differ in at most so many blocks, so they share a key.
    """
    cuts = np.array_split(np.arange(bits.shape[1]), blocks)
    values = [bits[:, cut] @ (np.uint64(1) << np.arange(len(cut), dtype=np.uint64)) for cut in cuts]
    keys = []
    for number, chosen in enumerate(itertools.combinations(values, blocks - max_differing)):
        key = np.full(len(bits), (number + 1) * int(GOLDEN) & (1 << 64) - 1, np.uint64)
        for value in chosen:
            key = (key ^ value) * GOLDEN
            key ^= key >> np.uint64(29)
        keys.append(key)
    return np.stack(keys, axis=1)


def _names(bits: np.ndarray) -> np.ndarray:
    """Names of documents by all bits of their fingerprint, (num_docs) uint64."""
    return np.bitwise_xor.reduce(band_keys(bits, bits.shape[1] // 16, 16), axis=1)


def sign_unisim(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/ and keys/, on which side of 1,024 planes an embedding lies."""
    embed = embedder()
    bands, rows = unisim_bands(unit.settings["threshold"])

    def measure(texts: list[str]) -> Sketched:
        bits = np.zeros((len(texts), PLANES), np.uint64)
        spoken = np.array([bool(text.strip()) for text in texts], bool)
        for row in np.flatnonzero(spoken):
            bits[row] = sides(embed(texts[row]))
        return sketches(bits), _names(bits), band_keys(bits, bands, rows), spoken

    return _write(unit, PLANES // 16, measure)


def unisim_bands(threshold: float) -> tuple[int, int]:
    """Bands of planes, and planes a band."""
    return bands_for(cosine_share(threshold), PLANES)


@cache
def embedder() -> Callable[[str], np.ndarray]:
    """RETSim's embedding of a text, (256) float32 of length 1, by text-dedup's session on one core.

    A text is embedded alone: the same numbers whatever stands beside it.
    """
    with _borrowed(), _without_tensorflow():
        importlib.import_module("unisim")
    module = _module("unisim", "text_dedup.ann_unisim")
    onnx = importlib.import_module("onnxruntime")
    with _borrowed():
        found = module.TextSim(store_data=False, index_type="exact", return_embeddings=False, batch_size=24,
                               use_accelerator=False, model_id="text/retsim/v1").embedder  # fmt: skip
    options = onnx.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(module.inspect.getfile(module.Embedder)).parent / "models/text/retsim/v1.onnx"
    found.model["sess"] = module.WrapInferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda text: np.asarray(found.embed([text])[0])


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """unisim 0.0.1 imports TensorFlow (600 MB) for one type annotation, and text-dedup does not ask for it."""
    backend, absent = os.environ.get("BACKEND"), importlib.util.find_spec("tensorflow") is None
    os.environ["BACKEND"] = "onnx"
    if absent:
        sys.modules["tensorflow"] = types.ModuleType("tensorflow")
        sys.modules["tensorflow"].Tensor = type("Tensor", (), {})  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if absent:
            del sys.modules["tensorflow"]
        os.environ.pop("BACKEND")
        os.environ.update({"BACKEND": backend} if backend is not None else {})


@cache
def _planes() -> np.ndarray:
    """Normals of the planes, (PLANES, 256), each number 1 or -1; from raw bits, which no version of NumPy changes."""
    raw = np.random.PCG64(1).random_raw(PLANES * _EMBEDDING // 64)
    bits = np.unpackbits(np.asarray(raw, "<u8").view(np.uint8))
    return bits.reshape(PLANES, _EMBEDDING).astype(float) * 2 - 1


def sides(embedding: np.ndarray) -> np.ndarray:
    """1 for each plane that an embedding lies above, (PLANES) bool."""
    above: np.ndarray = _planes() @ embedding.astype(float) > 0
    return above


def sign_bloom(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/, 128 bits of text-dedup's hash; no keys."""
    digest = getattr(_module("bloom", "text_dedup.utils.hashfunc"), _DIGESTS[unit.settings["hash"]])

    def measure(texts: list[str]) -> Sketched:
        found = b"".join(digest(text.encode())[:16] if text else bytes(16) for text in texts)
        hashes = np.frombuffer(found, np.uint64).reshape(-1, 2)
        return hashes, hashes[:, 0], hashes[:, :1], np.zeros(len(texts), bool)

    return _write(unit, 2, measure)


_DIGESTS = {"md5": "md5_digest", "sha256": "sha256_digest", "xxh3": "xxh3_128_digest"}


def find_bloom_edges(unit: Unit) -> Tally:
    """Split, of one part: hashes of all shards → edges between equal ones.

    The first pass asks the filter, which takes about 4 bytes a document; the second looks for the flagged hashes alone.
    """
    assert unit.part is not None
    module = _module("bloom", "text_dedup.bloom_filter")
    index = Index.of(unit)
    seen = module.ScalableBloomFilter(
        initial_capacity=100, mode=module.ScalableBloomFilter.SMALL_SET_GROWTH, error_rate=unit.settings["error_rate"]
    )  # fmt: skip
    flagged = {
        digest
        for _, column in _hashes(index)
        for digest in column.to_pylist()
        if any(digest) and seen.add(digest)
    }
    wanted = pa.array(sorted(flagged), pa.binary(16))
    first: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    for start, column in _hashes(index):
        found = pc.is_in(column, wanted).to_numpy(zero_copy_only=False)
        for row, digest in zip(
            np.flatnonzero(found), column.filter(pa.array(found)).to_pylist(), strict=True
        ):
            other = first.setdefault(digest, start + int(row))
            if other != start + int(row):
                pairs.append((other, start + int(row)))
    return _edges(unit, pairs)


def _hashes(index: Index) -> Iterator[tuple[int, pa.Array]]:
    for table, start in zip(index.tables, index.starts, strict=False):
        at = int(start)
        for group in shards.row_groups(table.measured, ["sketch"]):
            yield at, group["sketch"].combine_chunks()
            at += len(group)


def _edges(unit: Unit, pairs: Sequence[tuple[int, int]]) -> Tally:
    assert unit.part is not None
    table = pa.table(
        dict(zip(("one", "other"), zip(*pairs, strict=True), strict=True))
        if pairs
        else edges.SCHEMA.empty_table()
    )
    file = shards.write_shard(
        unit.root, unit.path(f"work/{unit.stage}", unit.part.name), [table], edges.SCHEMA
    )
    return Tally([file], {"edges": len(pairs)})
