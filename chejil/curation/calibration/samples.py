"""What calibration reads: the signals of a run, or of shards of text that are scored on the fly, a column at a time.

Text shards are scored into a temporary folder in the form of a run's signals/, so both kinds are read alike: columns
of row groups, never all columns of all rows at once.
"""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import manifest, marked_yaml, shards
from chejil.curation.filtering import Filter
from chejil.curation.recipe import Recipe
from chejil.errors import ChejilError, RunError, did_you_mean
from chejil.filters import bounds
from chejil.filters.catalogue import SIGNALS, Bound, Language
from chejil.filters.engine import score

Column = np.ndarray
"""(num_docs) float64, NaN where the signal is undefined."""


@dataclass(frozen=True, order=True)
class Group:
    """A language, or a source and a language."""

    source: str | None
    lang: Language

    def __str__(self) -> str:
        return f"{self.source}/{self.lang}" if self.source else self.lang


@dataclass
class Documents:
    """Signals of documents: `files` are (source, URL of a Parquet file with the column `lang` and signals).

    A null source stands for every source: shards of text need not say where they are from.
    """

    name: str
    files: list[tuple[str | None, str]]
    settings: Filter | None = None

    @classmethod
    def of_run(cls, root: str) -> Documents:
        """The stored signals of a finished run.

        Raises:
            RunError: no finished run, or one without signals.
        """
        content = manifest.read(root)
        names = [
            entry["shard"] for entry in content.inputs if f"signals/{entry['shard']}.parquet" in content.files
        ]
        if not names:
            mend = "put 'score' into its recipe and run it again"
            raise RunError("this run has no signals", where=root, mend=mend)
        files = [(name.split("/")[0], shards.join(root, f"signals/{name}.parquet")) for name in sorted(names)]
        return cls(content.name, files, _filter_of(root))

    @classmethod
    @contextmanager
    def open(cls, path: str, names: Iterable[str]) -> Iterator[Documents]:
        """A run's signals, or those of shards of text, scored now and forgotten at the end of the block."""
        if shards.size(shards.join(path, manifest.PATH)) is not None:
            yield cls.of_run(path)
            return
        with tempfile.TemporaryDirectory(prefix="chejil-calibrate-") as folder:
            yield cls(
                Path(path).name or path,
                list(_scored(path, folder, [*dict.fromkeys(["num_chars", "lang", *names])])),
            )

    @cached_property
    def _keys(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Source and language of each document, by file; an empty text has neither."""
        keys = []
        for source, url in self.files:
            named = ["source"] if source is None and "source" in self._names(url) else []
            rows = pl.DataFrame(pl.from_arrow(shards.read_shard(url, ["num_chars", "lang", *named])))
            lang = rows["lang"].fill_null("unknown").to_numpy().copy()
            lang[(rows["num_chars"].fill_null(0) == 0).to_numpy()] = ""
            own = rows["source"].to_numpy() if named else np.full(len(rows), source, object)
            keys.append((own, lang))
        return keys

    def _names(self, url: str) -> list[str]:
        with shards.opened(url) as parquet:
            return parquet.schema_arrow.names

    def has(self, name: str) -> bool:
        """Whether the signal was measured."""
        return all(name in self._names(url) for _, url in self.files)

    def require(self, names: Iterable[str]) -> None:
        """Refuse a signal that was not measured.

        Raises:
            ChejilError: with the names of those that were.
        """
        for name in names:
            if not self.has(name):
                known = [other for other in self._names(self.files[0][1]) if other in SIGNALS]
                mend = f"add it to score.signals and run again, or: {did_you_mean(name, known)}"
                raise ChejilError(f"'{name}' was not measured", where=self.name, mend=mend)

    def sources(self) -> set[str]:
        """Sources that have a name."""
        return {str(source) for own, _ in self._keys for source in set(own) if source is not None}

    def groups(self, by: str) -> set[Group]:
        """What there are documents of."""
        pairs = {pair for own, lang in self._keys for pair in zip(own, lang, strict=True) if pair[1]}
        if by == "lang":
            return {Group(None, lang) for _, lang in pairs}
        return {Group(str(own), lang) for own, lang in pairs if own is not None}

    def count(self, group: Group) -> int:
        """Documents of a group."""
        return sum(int(mask.sum()) for mask in self._masks(group))

    def _masks(self, group: Group) -> Iterator[np.ndarray]:
        for own, lang in self._keys:
            mask = lang == group.lang
            if group.source is not None:
                mask &= (own == group.source) | (own == None)  # noqa: E711  (elementwise)
            yield mask

    def column(self, name: str, group: Group) -> Column:
        """A signal of a group's documents."""
        parts = [batch[name] for batch in self.batches([name], group)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def batches(self, names: list[str], group: Group) -> Iterator[dict[str, Column]]:
        """Signals of a group's documents, a row group at a time."""
        for (_, url), mask in zip(self.files, self._masks(group), strict=True):
            start = 0
            for table in shards.row_groups(url, names):
                wanted = mask[start : start + table.num_rows]
                start += table.num_rows
                if wanted.any():
                    yield {name: _numbers(table[name])[wanted] for name in names}

    def drops(self, group: Group) -> bool:
        """Whether the run's recipe drops the whole group."""
        return self.settings is not None and self._limits(group) == "drop"

    def present(self, group: Group) -> Mapping[str, Bound] | None:
        """The bounds of the run's recipe; None where it has no filter."""
        if self.settings is None:
            return None
        limits = self._limits(group)
        return {} if isinstance(limits, str) else limits

    def bounded(self) -> set[str]:
        """Signals that the run's recipe bounds for any language, in any source."""
        policies = (
            [self.settings.policy(source) for source in sorted(self.sources())] if self.settings else []
        )
        return {name for policy in policies for name in bounds.bounded(policy)}

    def _limits(self, group: Group) -> bounds.LanguageBounds:
        assert self.settings is not None
        return self.settings.policy(group.source or "").languages.get(group.lang, {})


def _filter_of(root: str) -> Filter | None:
    files, path = shards.file_system(shards.join(root, "recipe.yaml"))
    try:
        text = files.read_text(path, encoding="utf-8")
    except FileNotFoundError:
        raise RunError(
            "recipe.yaml is missing", where=root, mend="run the recipe again with this --out"
        ) from None
    return Recipe.model_validate(marked_yaml.read(text, path).data).stage("filter")


def _numbers(column: pa.ChunkedArray) -> Column:
    return column.cast(pa.float64()).to_numpy()


def _scored(path: str, folder: str, names: list[str]) -> Iterator[tuple[None, str]]:
    """Score the Parquet shards of a path into a folder, a row group at a time."""
    for number, url in enumerate(_text_shards(path)):
        with shards.opened(url) as parquet:
            columns = parquet.schema_arrow.names
        if "text" not in columns:
            mend = f"rename the column that holds the text; there are: {', '.join(columns[:8])}"
            raise ChejilError("no column 'text'", where=url, mend=mend)
        kept = ["source"] if "source" in columns else []
        schema = pa.schema(
            [*((name, SIGNALS[name].type) for name in names), *((name, pa.string()) for name in kept)]
        )
        tables = (
            _with(score(table["text"], names), table, kept)
            for table in shards.row_groups(url, ["text", *kept])
        )
        yield (
            None,
            shards.join(folder, shards.write_shard(folder, f"{number:05}.parquet", tables, schema).path),
        )


def _with(signals: pa.Table, table: pa.Table, names: list[str]) -> pa.Table:
    for name in names:
        signals = signals.append_column(name, table[name].cast(pa.string()))
    return signals


def _text_shards(path: str) -> list[str]:
    files, name = shards.file_system(path)
    if files.isfile(name):
        return [path]
    pattern = f"{glob.escape(name.rstrip('/'))}/**/*.parquet" if files.isdir(name) else name
    found = sorted(found for found in files.glob(pattern) if not files.isdir(found))
    if not found:
        mend = "give a finished run's folder, or Parquet shards with a column 'text'"
        raise ChejilError("no reference here", where=path, mend=mend)
    return [one if "://" not in path else files.unstrip_protocol(one) for one in found]
