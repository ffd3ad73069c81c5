"""The sample corpus: Korean and English texts of our own, with planted defects and the truth about them.

`chejil demo` must show on a fresh machine, without a network, what curation catches; nobody may wonder whose
texts these are, and what was caught must be countable. So the documents are generated from sentences of our
own (`sample_prose`), one in seven is damaged on purpose (`planting`), and `truth.jsonl` says of every row
what was done to it and what should become of it. The files have the shapes of mC4, C4, the Pile, Wikipedia,
a law corpus and a folder of plain text.

A row of the plan carries a seed of its own: a copy writes its original again instead of looking it up, so
rows are written in order, one at a time. 6,000 documents (15.5 MB of text) take about 3 s on one core. The
same seed gives the same bytes, as long as the compressors are of the same version.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from chejil.curation.demo.planted_truth import TRUTH_FILE, Truth
from chejil.curation.demo.planting import OPERATIONS, Planted
from chejil.curation.demo.sample_prose import Prose, tables, write_prose
from chejil.errors import ChejilError

DEFAULT_DOCUMENTS = 6000
"""What the numbers of `planting.yaml` refer to."""

SECTIONS = (1, 2, 2, 3, 3, 4)
"""Subjects of a document; four give about 4,000 characters of English."""

PILE_SETS = {
    "news": "Pile-CC",
    "encyclopedia": "Wikipedia (en)",
    "forum": "StackExchange",
    "docs": "Github",
}
"""`meta.pile_set_name` by register."""

BAD_ROWS: dict[str, bytes] = {
    "broken_json": '{"text": "줄이 끊긴 기록'.encode(),  # a record whose line was cut
    "null_text": b'{"text": null, "url": "https://ko.example.com/null"}',
    "text_not_string": b'{"text": ["\\uac00", "\\ub098"], "url": "https://ko.example.com/list"}',
    "invalid_utf8": b'{"text": "\xb0\xa1\xb3\xaa", "url": "https://ko.example.com/euc-kr"}',
}
"""Lines that are no documents; the last one is EUC-KR in a file of UTF-8."""


@dataclass(slots=True)
class Row:
    """One row of the plan; `seed` alone decides its prose, so an original and its copy share it."""

    seed: int
    lang: str
    register: str
    op: str = "clean"
    kind: str | None = None
    expect: str = "kept"
    original: Row | None = None
    group: str | None = None
    file: str = ""
    line: int = -1

    def prose(self) -> Prose:
        """Its document before anything happened to it."""
        rng = random.Random(self.seed)
        sections = 1 if self.register == "law" else rng.choice(SECTIONS)
        return write_prose(rng, self.lang, self.register, sections)  # type: ignore[arg-type]


def write_sample_corpus(folder: str | Path, documents: int = DEFAULT_DOCUMENTS, seed: int = 17) -> Truth:
    """Write the corpus and its `truth.jsonl` below a folder, which is replaced as a whole.

    Args:
        documents: how many, the four rows that are no documents apart; a small corpus still has each kind of
            defect at least once, and may be larger than asked for.
        seed: of everything. The same seed and number of documents give the same bytes.

    Raises:
        ChejilError: the folder holds something else than a sample corpus.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / TRUTH_FILE).is_file():
        raise ChejilError(
            f"'{folder}' holds something else than a sample corpus", mend="name a new or an empty folder"
        )
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _new(unfinished / TRUTH_FILE) as truth:
        for row in _write_shards(unfinished, documents, random.Random(seed)):
            truth.write(orjson.dumps(row) + b"\n")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return Truth.read(folder)


def _write_shards(folder: Path, documents: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    for shard, rows in _plan(documents, rng):
        with _WRITERS[shard["shape"]](folder, shard["file"]) as write:
            for row in rows:
                if row.op == "quarantine":
                    write(BAD_ROWS[row.kind or ""])
                    yield _truth_row(row, None, None)
                    continue
                prose = row.prose()
                planted = _planted(row, prose)
                write(_record(shard["shape"], row, prose, planted.text))
                yield _truth_row(row, prose, planted)


def _planted(row: Row, prose: Prose) -> Planted:
    if row.op in ("clean", "original"):
        return Planted(prose.text)
    return OPERATIONS[row.op](random.Random(row.seed + 1), prose, row.kind)


def _plan(documents: int, rng: random.Random) -> list[tuple[dict[str, Any], list[Row]]]:
    shards = tables("shards")
    rows: list[list[Row]] = [[] for _ in shards]
    for planted in tables("planting"):
        for number in range(_number(planted, documents)):
            _plant(planted, number, shards, rows, rng)
    for shard, mine in zip(shards, rows, strict=True):
        missing = round(shard["share"] * documents) - len(mine)
        mine += [_clean(shard, rng) for _ in range(missing)]
    rows[0] += [Row(0, "ko", "", "quarantine", kind, "quarantined") for kind in BAD_ROWS]
    for shard, mine in zip(shards, rows, strict=True):
        rng.shuffle(mine)
        _place(shard, mine)
    return list(zip(shards, rows, strict=True))


def _number(planted: dict[str, Any], documents: int) -> int:
    least = len(planted.get("kinds", [None])) * len(planted["of"])
    return max(least, round(planted["number"] * documents / DEFAULT_DOCUMENTS))


def _plant(
    planted: dict[str, Any],
    number: int,
    shards: list[dict[str, Any]],
    rows: list[list[Row]],
    rng: random.Random,
) -> None:
    lang = planted["of"][number % len(planted["of"])]
    kinds = planted.get("kinds", [None])
    # Languages alternate, kinds turn over once for all languages: each kind is planted in each.
    kind = kinds[number // len(planted["of"]) % len(kinds)]
    home = rng.choice([at for at, shard in enumerate(shards) if shard["lang"] == lang and shard.get("web")])
    row = _clean(shards[home], rng)
    row.op, row.kind, row.expect = planted["op"], kind, planted["expect"]
    if planted.get("pair"):
        row.group = f"{row.op}-{number:04}"
        row.original = Row(row.seed, lang, row.register, "original", group=row.group)
        relatives = [at for at, shard in enumerate(shards) if row.register in shard["registers"]]
        rows[rng.choice([at for at in relatives if shards[at]["lang"] == lang])].append(row.original)
    rows[home].append(row)


def _clean(shard: dict[str, Any], rng: random.Random) -> Row:
    return Row(rng.getrandbits(48), shard["lang"], rng.choice(shard["registers"]))


def _place(shard: dict[str, Any], rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        row.file = shard["file"].format(number=number)
        row.line = 0 if shard["shape"] == "text" else number


def _truth_row(row: Row, prose: Prose | None, planted: Planted | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": row.file,
        "line": row.line,
        "op": row.op,
        "kind": row.kind,
        "lang": (planted and planted.lang) or row.lang,
        "expect": row.expect,
        "group": row.group,
        "parent": row.original and {"file": row.original.file, "line": row.original.line},
        "register": row.register or None,
        "subject": prose and prose.subject,
    }
    if prose is None or planted is None:
        return told
    told |= {"chars": len(planted.text), "sha256": _sha256(planted.text)}
    if planted.restored is not None:
        told["restored_sha256"] = _sha256(planted.restored)
    if planted.spans:
        told["spans"] = planted.spans
    if row.op == "near_dup_word_edit":
        told["jaccard_word5"] = round(word_jaccard(prose.text, planted.text), 4)
    return told


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def word_jaccard(one: str, other: str, words: int = 5) -> float:
    """Share of word n-grams that two texts have in common, of those that either has.

    >>> word_jaccard("a b c d e f", "a b c d e g")
    0.3333333333333333
    """
    first, second = (
        set(zip(*(text.split()[start:] for start in range(words)), strict=False)) for text in (one, other)
    )
    return len(first & second) / max(1, len(first | second))


def _record(shape: str, row: Row, prose: Prose, text: str) -> Any:
    rng = random.Random(row.seed + 2 + row.line)
    url = f"https://{row.lang}.example.com/{row.register}/{rng.getrandbits(40):010x}"
    day = f"{rng.randint(2013, 2024)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    match shape:
        case "c4":
            return {"text": text, "timestamp": f"{day}T{rng.randrange(24):02}:00:00Z", "url": url}
        case "pile":
            return {"text": text, "meta": {"pile_set_name": PILE_SETS[row.register]}}
        case "wikipedia":
            return {"id": str(row.line + 1), "url": url, "title": prose.title, "text": text}
        case "law":
            return {
                "id": f"law-{row.line:05}",
                "title": prose.title,
                "url": url,
                "promulgated": day,
                "text": text,
            }
    return text


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        yield stream


@contextmanager
def _gzip_lines(folder: Path, file: str) -> Iterator[Any]:
    # No name and no time in the header: the same rows are the same bytes on another day.
    with _new(folder / file) as raw, gzip.GzipFile("", "wb", 4, raw, mtime=0) as stream:
        yield lambda record: stream.write(_line(record))


@contextmanager
def _zstd_lines(folder: Path, file: str) -> Iterator[Any]:
    with _new(folder / file) as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as stream:
        yield lambda record: stream.write(_line(record))


def _line(record: dict[str, Any] | bytes) -> bytes:
    return (record if isinstance(record, bytes) else orjson.dumps(record)) + b"\n"


@contextmanager
def _parquet_rows(folder: Path, file: str) -> Iterator[Any]:
    rows: list[dict[str, str]] = []
    yield rows.append
    with _new(folder / file) as raw:
        pq.write_table(pa.Table.from_pylist(rows), raw, compression="zstd")


@contextmanager
def _text_files(folder: Path, file: str) -> Iterator[Any]:
    number = 0

    def write(text: str) -> None:
        nonlocal number
        with _new(folder / file.format(number=number)) as stream:
            stream.write(text.encode())
        number += 1

    yield write


_WRITERS = {
    "c4": _gzip_lines,
    "pile": _zstd_lines,
    "law": _zstd_lines,
    "wikipedia": _parquet_rows,
    "text": _text_files,
}
