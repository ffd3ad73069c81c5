"""The report card: what was measured of each tokenizer, by language and source; made by `measure`.

Everything but `speed` is a function of the texts and the tokenizers. Plain dicts below the top, since all of it goes
into JSON, tables and a page, and nothing else reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from chejil.tokenizer.measuring.scores import Score, ratio

MEASURES = {
    "bytes_per_token": ("num_bytes", "tokens"),
    "chars_per_token": ("num_chars", "tokens"),
    "tokens_per_word": ("tokens", "num_words"),
    "whole_share": ("whole", "words"),
}
"""Name of a score, and what is divided by what."""

MAX_SOURCES = 100


@dataclass(frozen=True)
class Group:
    """Documents of a language, of a source, or all.

    Args:
        source, lang: None where they may be any.
        scores: by tokenizer, MEASURES; `against_first`, tokens by those of the first tokenizer on the same documents,
            whose interval tells whether they differ; `same_share`, of documents that come back byte for byte.
    """

    source: str | None
    lang: str | None
    documents: int
    num_bytes: int
    num_chars: int
    num_words: int
    scores: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def name(self) -> str:
        """As tables have it."""
        return " / ".join(one for one in (self.source, self.lang) if one) or "all"


@dataclass(frozen=True)
class ReportCard:
    """What was measured.

    Args:
        sample: what was asked and found: documents a source, documents and bytes measured, of how many.
        tokenizers: name, spec, kind, pattern, vocabulary, numbers, probes, renyi by language, speed by language.
        groups: all documents, each language, each language of each source.
        parity: None without parallel text.
        morphemes: `left_out` says why there are none.
    """

    paths: tuple[str, ...]
    sample: dict[str, Any]
    tokenizers: list[dict[str, Any]]
    groups: list[Group]
    parity: dict[str, Any] | None
    morphemes: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """Of the tokenizers."""
        return [one["name"] for one in self.tokenizers]

    def languages(self) -> list[Group]:
        """All documents, and each language."""
        return [group for group in self.groups if group.source is None]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a score is {value, low, high}."""
        return _plain({one.name: getattr(self, one.name) for one in dataclasses.fields(self)})


def _plain(value: Any) -> Any:
    if isinstance(value, Score):
        return value._asdict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def groups(rows: pl.DataFrame, names: Sequence[str]) -> list[Group]:
    """All documents; each language, the one with most bytes first; each language of each source by name."""
    found = [group(rows, None, None, names)]
    langs = (
        rows.group_by("lang")
        .agg(pl.col("num_bytes").sum())
        .sort(["num_bytes", "lang"], descending=[True, False])
    )
    found += [group(rows.filter(pl.col("lang") == lang), None, lang, names) for lang in langs["lang"]]
    both = rows.select("source", "lang").unique().sort("source", "lang").head(MAX_SOURCES)
    for source, lang in both.iter_rows():
        some = rows.filter((pl.col("source") == source) & (pl.col("lang") == lang))
        found.append(group(some, source, lang, names))
    return found


def group(rows: pl.DataFrame, source: str | None, lang: str | None, names: Sequence[str]) -> Group:
    """The scores of some documents."""
    scores = {name: _scores(rows, number) for number, name in enumerate(names)}
    num_bytes, num_chars, num_words = (
        int(rows[name].sum()) for name in ("num_bytes", "num_chars", "num_words")
    )
    return Group(source, lang, len(rows), num_bytes, num_chars, num_words, scores)


def _scores(rows: pl.DataFrame, number: int) -> dict[str, Any]:
    def column(name: str) -> np.ndarray:
        own = f"{number}_{name}"
        return rows[own if own in rows.columns else name].to_numpy()

    found: dict[str, Any] = {name: ratio(column(a), column(b)) for name, (a, b) in MEASURES.items()}
    found["against_first"] = ratio(column("tokens"), rows["0_tokens"].to_numpy())
    found["tokens"] = int(column("tokens").sum())
    found["same_share"] = float(column("same").mean())
    return found
