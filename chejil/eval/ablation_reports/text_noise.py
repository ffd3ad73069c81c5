"""How much a comparison owes to the held-out text: each proxy's bits by sequence, drawn anew, the same for both sides.

Domains are drawn apart and their variances added by the squares of their weights: no sequence is of two domains.
A domain of n sequences costs 2,000 draws of n counts, 40 ms at 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.ablating.decision import document_deviation
from chejil.eval.ablation_reports.sweep_file import ROWS, Proxy

COLUMNS = ("domain", "nats", "bytes")


@dataclass(frozen=True)
class DomainRows:
    """Held-out sequences of a domain, in order: bits and bytes, (num_sequences,) each."""

    bits: np.ndarray
    bytes: np.ndarray

    @property
    def bits_per_byte(self) -> float:
        """Over all of them."""
        return float(self.bits.sum() / self.bytes.sum()) if self.bytes.sum() else float("nan")


def read(root: str, path: str) -> dict[str, DomainRows]:
    """Sequences by domain.

    Raises:
        ChejilError: the file is missing or damaged, or has other columns.
    """
    url = shards.join(root, path)
    table = shards.read_shard(url)
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise ChejilError(f"no column {missing[0]}", where=url, mend="run the sweep's proxy again")
    names = np.array(table["domain"].to_pylist(), object)
    bits, size = table["nats"].to_numpy() / log(2), table["bytes"].to_numpy().astype(np.float64)
    return {
        name: DomainRows(bits[names == name], size[names == name]) for name in dict.fromkeys(names.tolist())
    }


class HeldOutText:
    """Sequences of a sweep's proxies, read when they are asked for, and deviations that are computed once."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.missing: dict[str, str] = {}
        self._rows: dict[str, dict[str, DomainRows] | None] = {}
        self._known: dict[tuple[str, ...], np.ndarray | None] = {}

    def deviation(
        self, first: Sequence[Proxy], second: Sequence[Proxy], domains: Sequence[str], weights_M: np.ndarray
    ) -> float | None:
        """Standard deviation of the difference of weighted bits per byte; None where sequences are not there."""
        key = tuple([one.name for one in first] + [">"] + [one.name for one in second])
        if key not in self._known:
            self._known[key] = self._by_domain(first, second, domains)
        known = self._known[key]
        return None if known is None else float(np.sqrt(known**2 @ np.square(weights_M)))

    def _by_domain(
        self, first: Sequence[Proxy], second: Sequence[Proxy], domains: Sequence[str]
    ) -> np.ndarray | None:
        sides = [[self._of(one) for one in side] for side in (first, second)]
        rows = [[one for one in side if one is not None] for side in sides]
        if any(len(had) < len(side) for had, side in zip(rows, sides, strict=True)):
            return None
        try:
            return np.array([_deviation(rows[0], rows[1], name) for name in domains])
        except ChejilError as error:
            self.missing[f"{first[0].proposal} against {second[0].proposal}"] = error.what
            return None

    def _of(self, proxy: Proxy) -> dict[str, DomainRows] | None:
        if proxy.folder not in self._rows:
            try:
                file = proxy.file(ROWS)
                self._rows[proxy.folder] = read(self.root, file.path if file else f"{proxy.folder}/{ROWS}")
            except ChejilError as error:
                self.missing[proxy.name] = error.what
                self._rows[proxy.folder] = None
        return self._rows[proxy.folder]


def _deviation(first: list[dict[str, DomainRows]], second: list[dict[str, DomainRows]], domain: str) -> float:
    own = [[side[domain] for side in rows if domain in side] for rows in (first, second)]
    if len(own[0]) < len(first) or len(own[1]) < len(second):
        raise ChejilError(f"a proxy has no sequences of {domain}")
    size = own[0][0].bytes
    if any(not np.array_equal(one.bytes, size) for side in own for one in side):
        raise ChejilError(f"sequences of {domain} are not the same in all of its proxies")
    return document_deviation(
        np.stack([one.bits for one in own[0]]), np.stack([one.bits for one in own[1]]), size
    )
