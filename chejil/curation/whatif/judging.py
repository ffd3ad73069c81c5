"""A filter as bits: which of its reasons hold for each document, without a list of strings a document.

`filters.bounds.judge` gives every reason by name, as a run stores it. To count what a filter would do, names are too
slow and too large: here a reason is a bit of a row of uint64 words. The order of the bits is the order in which a
decision gives reasons, so the lowest bit is the reason that the funnel counts. 30 bounds take two words, 16 bytes a
document of the batch, and 0.1 µs a document; the property test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from chejil.curation import blocklists
from chejil.curation.filtering import Filter
from chejil.errors import RunError
from chejil.filters import bounds
from chejil.filters.bounds import Policy
from chejil.filters.catalogue import LANGUAGES, SIGNALS
from chejil.filters.rules import FIXED_COLUMNS, columns_of

NEAR_SHARE = 0.1
"""A document is near a bound if its value lies within this share of the bound."""

Columns = Mapping[str, pa.ChunkedArray]
"""Columns of a batch: signals, and those of the documents that a rule or a blocklist reads."""


@dataclass(frozen=True)
class Judge:
    """A filter for the documents of every source.

    Args:
        early: reasons of the deciders that stand before the filter; their bits come first.
        lists: URL and content hash of each blocklist, by name.
    """

    settings: Filter
    sources: tuple[str, ...]
    early: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, str]] | None = None

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """What passes, by source."""
        return {source: self.settings.policy(source) for source in self.sources}

    @cached_property
    def signals(self) -> list[str]:
        """Signals that are bounded for any source."""
        named = {name for policy in self.policies.values() for name in bounds.bounded(policy)}
        return [name for name in SIGNALS if name in named]

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """The reason that each bit stands for, in the order of a decision."""
        dropped = [f"language:{lang}" for lang in LANGUAGES if any(self._drops(lang))]
        edges = [f"{name}:{side}" for name in self.signals for side in ("low", "high", "undefined")]
        listed = [f"url:{name}" for name in self.lists or {}]
        rules = [f"rule:{name}" for name in self.settings.rules]
        return (*self.early, "empty", *listed, *dropped, *edges, *rules)

    @cached_property
    def bits(self) -> dict[str, int]:
        """The bit of each reason."""
        return {reason: bit for bit, reason in enumerate(self.reasons)}

    @property
    def num_words(self) -> int:
        """Words of a document's bits."""
        return -(-len(self.reasons) // 64)

    def columns(self, source: str) -> tuple[set[str], set[str]]:
        """Columns of the signals, and of the documents, that decide for a source."""
        policy = self.policies[source]
        read = {column for rule in policy.rules for column in columns_of(rule.condition)}
        fixed = (read & set(FIXED_COLUMNS)) | ({"url"} if self.lists else set())
        return {*bounds.bounded(policy), *(read - set(FIXED_COLUMNS)), "lang", "num_chars"}, fixed

    def judge(self, batch: Columns, source: str) -> np.ndarray:
        """The bits of each document, (num_docs, num_words) uint64."""
        policy, lang, empty = self.policies[source], language_codes(batch["lang"]), is_empty(batch)
        words = np.zeros((len(lang), self.num_words), np.uint64)
        set_bit(words, empty, self.bits["empty"])
        for name, mask in self._listed(batch).items():
            set_bit(words, mask & ~empty, self.bits[f"url:{name}"])
        for code, name in enumerate(LANGUAGES):
            if policy.languages.get(name) == "drop":
                set_bit(words, (lang == code) & ~empty, self.bits[f"language:{name}"])
        for name in bounds.bounded(policy):
            limits = bounds.limits_by_language(name, policy)
            mark_bounds(numbers(batch[name]), lang, empty, *limits, words, self.bits[f"{name}:low"])
        for rule in policy.rules:
            rows = pl.DataFrame({name: _plain(batch[name]) for name in columns_of(rule.condition)})
            set_bit(words, bounds.fails(rule, rows) & ~empty, self.bits[f"rule:{rule.name}"])
        return words

    def judge_again(self, batch: Columns, source: str, other: Judge, words: np.ndarray) -> np.ndarray:
        """The same as `judge`; `words` are those of another filter, of which only what differs is done again."""
        one, two = self.policies[source], other.policies[source]
        verdicts = [{k: v for k, v in p.languages.items() if isinstance(v, str)} for p in (one, two)]
        same_form = self.reasons == other.reasons and self.lists == other.lists and one.rules == two.rules
        if not same_form or verdicts[0] != verdicts[1]:
            return self.judge(batch, source)
        again, lang, empty = words.copy(), language_codes(batch["lang"]), is_empty(batch)
        for name in self.signals:
            limits = [bounds.limits_by_language(name, policy) for policy in (one, two)]
            if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*limits, strict=True)):
                bit = self.bits[f"{name}:low"]
                clear_bits(again, bit, 3)
                mark_bounds(numbers(batch[name]), lang, empty, *limits[0], again, bit)
        return again

    def near(self, batch: Columns, source: str, single: np.ndarray, near: np.ndarray) -> None:
        """Count into `near` (languages, reasons, 2) what lies near each bound: dropped by it alone, and kept."""
        policy, lang = self.policies[source], language_codes(batch["lang"])
        for name in bounds.bounded(policy):
            low, high, _ = bounds.limits_by_language(name, policy)
            reach = distance(name, low), distance(name, high)
            count_near(numbers(batch[name]), lang, low, high, *reach, single, near, self.bits[f"{name}:low"])

    def _drops(self, lang: str) -> list[bool]:
        return [policy.languages.get(lang) == "drop" for policy in self.policies.values()]  # type: ignore[call-overload]

    def _listed(self, batch: Columns) -> dict[str, np.ndarray]:
        if not self.lists:
            return {}
        known = {name: blocklists.kept(url, name, content) for name, (url, content) in self.lists.items()}
        urls = pl.Series("url", pl.from_arrow(batch["url"]))
        return blocklists.listed(urls, known)


def distance(signal: str, bound: np.ndarray) -> np.ndarray:
    """How far from a bound is near: a tenth of it, of a share's or score's bound a tenth of what lies nearer, 0 or 1.

    Of a count it is at least one, of anything else at least 0.01.

    >>> distance("num_words", np.array([50.0, 3.0])), distance("hangul_share", np.array([0.3, 0.95, 0.0]))
    (array([5., 1.]), array([0.03, 0.01, 0.01]))
    """
    kind = SIGNALS[signal].kind
    scale = np.minimum(bound, 1 - bound) if kind in ("share", "score") else np.abs(bound)
    return np.fmax(NEAR_SHARE * scale, 1.0 if kind == "count" else 0.01)


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A signal as (num_docs) float64, NaN where it is undefined."""
    if not pa.types.is_floating(column.type):
        column = pc.cast(column, pa.float64(), safe=False)
    return column.to_numpy()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as a rule compares it: strings that were read as codes are strings again."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def is_empty(batch: Columns) -> np.ndarray:
    """Documents without text, (num_docs) bool."""
    return pc.equal(pc.fill_null(batch["num_chars"], 0), 0).to_numpy()


def language_codes(column: pa.ChunkedArray) -> np.ndarray:
    """Place in LANGUAGES of each document's language, (num_docs) uint8; null is `unknown`."""
    unknown = LANGUAGES.index("unknown")
    codes = []
    for chunk in column.chunks:
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        names = [unknown if name is None else _code(name) for name in coded.dictionary.to_pylist()]
        table = np.array([*names, unknown], np.uint8)
        codes.append(table[pc.fill_null(coded.indices.cast(pa.int64()), len(names)).to_numpy()])
    return np.concatenate(codes) if codes else np.zeros(0, np.uint8)


def _code(name: str) -> int:
    if name not in LANGUAGES:
        raise RunError(f"'{name}' is no language of a run", mend="chejil verify names what changed")
    return LANGUAGES.index(name)


def names_of(words: np.ndarray, reasons: Sequence[str]) -> list[str]:
    """The reasons whose bits are set in one document's (num_words) words."""
    return [reason for bit, reason in enumerate(reasons) if int(words[bit >> 6]) >> (bit & 63) & 1]


def clear_bits(words: np.ndarray, bit: int, num: int) -> None:
    """Clear some bits that follow each other, for every row."""
    for one in range(bit, bit + num):
        words[:, one >> 6] &= np.uint64(~(1 << (one & 63)) & (2**64 - 1))


def set_bit(words: np.ndarray, rows: np.ndarray, bit: int) -> None:
    """Set one bit for some rows, given as a mask or as places."""
    words[rows, bit >> 6] |= np.uint64(1 << (bit & 63))


@njit(cache=True, nogil=True)
def mark_bounds(values, lang, empty, lows, highs, judged, words, bit):
    """Set the bits of low, high and undefined, which follow each other, of one signal."""
    one = np.uint64(1)
    for row in range(len(values)):
        if empty[row]:
            continue
        value, code, found = values[row], lang[row], -1
        if value < lows[code]:
            found = bit
        elif value > highs[code]:
            found = bit + 1
        elif judged[code] and np.isnan(value):
            found = bit + 2
        if found >= 0:
            words[row, found >> 6] |= one << np.uint64(found & 63)


@njit(cache=True, nogil=True)
def count_near(values, lang, lows, highs, low_reach, high_reach, single, near, bit):
    """Documents near a bound: near[language, reason, 0] that it alone drops, [.., 1] that pass (single is -1)."""
    for row in range(len(values)):
        reason = single[row]
        if reason != -1 and reason != bit and reason != bit + 1:
            continue
        value, code = values[row], lang[row]
        passes = reason == -1
        if (passes or reason == bit) and abs(value - lows[code]) <= low_reach[code]:
            near[code, bit, int(passes)] += 1
        if (passes or reason == bit + 1) and abs(value - highs[code]) <= high_reach[code]:
            near[code, bit + 1, int(passes)] += 1
