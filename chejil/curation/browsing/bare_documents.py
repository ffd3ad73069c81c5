"""Documents of files that no run has read: text, its other columns, and signals measured when they are asked for.

What the sources of a recipe can read can be looked at. A condition may name a column of the document, a field of its
`meta` (any other column that the file has), or a signal; signals are measured for the batch at hand. A column of the
file that is called like a signal is read and not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.run_documents import RunDocuments, is_run
from chejil.curation.browsing.selection import Selection, evaluated
from chejil.curation.changes.pieces import pieces
from chejil.curation.id_hashes import id_hashes
from chejil.curation.quality.examples import inputs
from chejil.curation.reading import sources
from chejil.curation.reading.documents import SCHEMA, Batch
from chejil.curation.reading.layouts import formats
from chejil.curation.reading.sources import Columns
from chejil.errors import ChejilError
from chejil.filters.catalogue import SIGNALS
from chejil.filters.rules import columns_of, signal_type

_FIRST_ROWS = 1000  # of the first batch, whose fields of `meta` a condition may name
_COLUMNS: dict[str, pl.DataType] = {name: pl.String() for name in SCHEMA.names if name != "lang"}


class BareDocuments:
    """Files that are read. `quarantined` counts, by reason, records that were no documents."""

    def __init__(self, path: str, text: str | None = None) -> None:
        self.path = path
        self.source, self.files = inputs(path)
        if text is not None:
            self.source = self.source.model_copy(update={"columns": Columns(text=text)})
        self.quarantined: dict[str, int] = {}

    def read(self, selection: Selection) -> Iterator[Reading]:
        """The chosen documents, in the order of the files, or a sample in its own.

        Raises:
            ChejilError: the selection asks for what only a run has; a condition or a signal that is not there.
        """
        self._check(selection)
        if selection.sample is not None:
            return self._sampled(selection, selection.sample)
        return (
            _reading(row, selection) for rows in self._chosen(selection) for row in rows.iter_rows(named=True)
        )

    def _check(self, selection: Selection) -> None:
        options = {
            "--kept": selection.kept,
            "--dropped": selection.dropped is not None,
            "--near": selection.near is not None,
        }
        asked = [name for name, given in options.items() if given]
        if asked:
            raise ChejilError(
                f"{asked[0]} asks what a run decided, and this is none",
                where=self.path,
                mend="name a run's folder",
            )
        if selection.by and selection.sample is None:
            raise ChejilError(
                "--by would hold all documents of bare files", where=self.path, mend="add --sample N"
            )
        known = dict[str, pl.DataType](_COLUMNS)
        if self._fields_named(selection):
            known |= self._first_fields
        selection.check({name: signal_type(name) for name in SIGNALS} | known)

    def _fields_named(self, selection: Selection) -> list[str]:
        """Columns of the file that are asked for. One that is called like a signal is the file's own, not measured."""
        named = self._named(selection)
        own = self._first_fields if any(name in SIGNALS for name in named) else {}
        return [name for name in named if name not in _COLUMNS and (name not in SIGNALS or name in own)]

    @staticmethod
    def _named(selection: Selection) -> list[str]:
        named = columns_of(selection.where) if selection.where is not None else []
        return list(dict.fromkeys([*named, *selection.by_signals]))

    @cached_property
    def _first_fields(self) -> dict[str, pl.DataType]:
        """Fields of `meta` in the first batch that has documents, with their types."""
        for batch in self._batches():
            metas = [orjson.loads(meta) for meta in batch.documents["meta"].to_pylist()[:_FIRST_ROWS] if meta]
            if metas:
                return dict(pl.DataFrame(metas, infer_schema_length=None, strict=False).schema)
        return {}

    def _batches(self) -> Iterator[Batch]:
        for file in self.files:
            yield from sources.read("files", self.source, file)

    def _chosen(self, selection: Selection) -> Iterator[pl.DataFrame]:
        """By batch, the rows for which the condition holds, with the signals that were asked for."""
        fields, signals = self._fields_named(selection), self._signals(selection)
        for batch in self._batches():
            for reason in batch.quarantine["reason"].to_pylist():
                self.quarantined[reason] = self.quarantined.get(reason, 0) + 1
            if batch.documents.num_rows:
                rows = pl.DataFrame(pl.from_arrow(batch.documents))
                rows = rows.with_columns(*_meta(rows["meta"], fields), *_measured(batch.documents, signals))
                yield rows.filter(evaluated(rows, selection.holds(), selection.where))

    def _signals(self, selection: Selection) -> list[str]:
        own = self._fields_named(selection)
        return [name for name in self._named(selection) if name in SIGNALS and name not in own]

    def _sampled(self, selection: Selection, sample: int) -> Iterator[Reading]:
        """The documents of the smallest hashes; as many are held, and their texts."""
        held: pl.DataFrame | None = None
        for rows in self._chosen(selection):
            columns = ("id", "text", "url", "timestamp", "license", "meta", *selection.by_signals)
            rows = rows.select(list(dict.fromkeys(columns)))
            rows = rows.with_columns(pl.Series("hash", id_hashes(rows["id"], selection.seed)))
            best = rows.sort("hash", maintain_order=True).head(sample)
            held = (
                best
                if held is None
                else pl.concat([held, best]).sort("hash", maintain_order=True).head(sample)
            )
        if held is not None and selection.by:
            turned = [name.startswith("-") for name in selection.by]
            held = held.sort(selection.by_signals, descending=turned, nulls_last=True, maintain_order=True)
        for row in held.iter_rows(named=True) if held is not None else ():
            yield _reading(row, selection)


def _meta(metas: pl.Series, fields: list[str]) -> list[pl.Series]:
    """Fields of `meta` as columns, null where a document has none."""
    if not fields:
        return []
    records = [orjson.loads(meta) if meta else {} for meta in metas]
    return [pl.Series(name, [record.get(name) for record in records], strict=False) for name in fields]


def _measured(documents: pa.Table, names: list[str]) -> list[pl.Series]:
    """Signals of a batch; its texts are measured as a run would read them, normalised."""
    if not names:
        return []
    from chejil.curation.normalising.normalise import Normalise, normalise
    from chejil.filters.engine import score

    scored = score(normalise(documents["text"], Normalise()).texts, names)
    return [pl.Series(name, pl.from_arrow(scored[name])) for name in names]


def _reading(row: dict[str, Any], selection: Selection) -> Reading:
    text, id_ = row["text"], row["id"]
    own = {name: row[name] for name in ("url", "timestamp", "license") if row[name] is not None}
    meta = {"meta": orjson.loads(row["meta"])} if row["meta"] else {}
    return Reading(
        id_, pieces(text, ()), own | meta, signals={name: row[name] for name in selection.by_signals}
    )


def documents_of(path: str, text: str | None = None) -> RunDocuments | BareDocuments:
    """A run, or files: whatever a path of the command line names; `text` is the field of files that holds it.

    Raises:
        ChejilError: nothing is there; a run that is not finished.
    """
    name, colon, _ = path.partition(":")
    if not (colon and name in formats()) and is_run(path):
        if text is not None:
            raise ChejilError("a run's text is known, --text is for files", where=path, mend="leave it out")
        return RunDocuments(path)
    return BareDocuments(path, text)
