"""Parallel text, Korean and English: the same meaning, so that tokens can be compared across languages.

Two files with a line each (`KO,EN`), a TSV of two columns, JSON lines or Parquet with columns `ko` and `en`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.errors import ChejilError
from chejil.tokenizer.measuring.opening import Opened
from chejil.tokenizer.measuring.scores import ratio

MAX_PAIRS = 20_000
_MEND = "KO,EN names two files of lines; or a .tsv of two columns, .jsonl or .parquet with columns ko and en"


def pairs(spec: str) -> pl.DataFrame:
    """Columns ko and en; pairs of which a side is empty are left out. The first MAX_PAIRS.

    Raises:
        ChejilError: a file is not there, is none of these, or has no pairs.
    """
    found = _read(spec)
    try:
        found = found.select(pl.col("ko", "en").cast(pl.String).str.strip_chars())
    except pl.exceptions.PolarsError:
        raise ChejilError("no columns `ko` and `en`", where=spec, mend=_MEND) from None
    found = found.filter((pl.col("ko") != "") & (pl.col("en") != "")).head(MAX_PAIRS)
    if found.is_empty():
        raise ChejilError("no pairs of sentences", where=spec, mend=_MEND)
    return found


def _read(spec: str) -> pl.DataFrame:
    if not Path(spec).is_file() and spec.count(",") == 1:
        ko, en = (_lines(path) for path in spec.split(","))
        if len(ko) != len(en):
            said = f"{len(ko):,} lines of Korean and {len(en):,} of English"
            raise ChejilError(said, where=spec, mend="a line of one file must be that of the other")
        return pl.DataFrame({"ko": ko, "en": en})
    try:
        if spec.endswith((".parquet", ".pq")):
            return pl.read_parquet(spec)
        if spec.endswith((".jsonl", ".ndjson")):
            return pl.read_ndjson(spec, infer_schema_length=None)
        rows = [line.split("\t") for line in _lines(spec) if line]
    except FileNotFoundError:
        raise ChejilError("no such file", where=spec, mend=_MEND) from None
    except pl.exceptions.PolarsError as error:
        said = str(error).splitlines()[0][:200]
        raise ChejilError(f"cannot be read: {said}", where=spec, mend=_MEND) from None
    if any(len(row) < 2 for row in rows):
        line = next(number for number, row in enumerate(rows, 1) if len(row) < 2)
        raise ChejilError("no tab", where=f"{spec}:{line}", mend=_MEND)
    named = [name.strip().lower() for name in rows[0][:2]] if rows else []
    rows = rows[1:] if sorted(named) == ["en", "ko"] else rows
    left = named.index("ko") if sorted(named) == ["en", "ko"] else 0
    return pl.DataFrame({"ko": [row[left] for row in rows], "en": [row[1 - left] for row in rows]})


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ChejilError("no such file", where=path, mend=_MEND) from None
    except UnicodeDecodeError as error:
        raise ChejilError("not UTF-8", where=path, mend=f"save it as UTF-8 ({error.reason})") from None


def parity(tokenizers: Sequence[Opened], found: pl.DataFrame) -> dict[str, Any]:
    """Tokens of the Korean sides by those of the English ones, of each tokenizer; bytes beside them."""
    sizes = {lang: int(found[lang].str.len_bytes().sum()) for lang in ("ko", "en")}
    return {
        "pairs": len(found),
        "bytes": sizes,
        "bytes_ratio": sizes["ko"] / sizes["en"],
        "tokenizers": {one.name: _parity(one, found) for one in tokenizers},
    }


def _parity(opened: Opened, found: pl.DataFrame) -> dict[str, Any]:
    ko, en = (_tokens(opened, found[lang].to_arrow()) for lang in ("ko", "en"))
    return {"ko_tokens": int(ko.sum()), "en_tokens": int(en.sum()), "ratio": ratio(ko, en)}


def _tokens(opened: Opened, texts: pa.Array) -> np.ndarray:
    return np.diff(opened.model.encode(texts.to_pylist()).offsets)
