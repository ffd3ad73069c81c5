"""Where the words of a training come from: counted now, or in an earlier count, and what a manifest says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chejil.curation import shards
from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.tokenizer.counting import counting, word_counts
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.pretokens.patterns import Pattern

FOLDER = "words"
"""Below a tokenizer's folder: word counts are kept there, and found again."""

_MADE_BY = ("sample.json", "manifest.json")  # of a sample, of a run
_TOLD = ("documents", "bytes", "min_count", "max_word_bytes", "rare", "overlong", "rejected")


class WordSource(NamedTuple):
    """Words, what a manifest says of them, and the files that could not be read: file, what, where."""

    words: WordCounts
    provenance: dict[str, Any]
    failed: list[dict[str, Any]]

    @property
    def rejected(self) -> dict[str, int]:
        """Records that are no documents, by reason."""
        return self.provenance.get("counted", {}).get("rejected", {})


def count(
    paths: Sequence[str],
    pattern: Pattern,
    out: str,
    workers: int,
    settings: counting.Settings,
    progress: Progress,
) -> WordSource:
    """Count the words of a corpus into OUT/words, or take them from there if nothing has changed.

    Raises:
        ChejilError: no documents, or no words.
    """
    found = counting.count(paths, pattern.name, shards.join(out, FOLDER), workers, settings, progress)
    samples = [shards.file_hash(url) for path in sorted(paths) if (url := _made_by(path)) is not None]
    provenance = {**_told(found.manifest), **({"samples": samples} if samples else {})}
    return WordSource(word_counts.read(found.words), provenance, found.manifest["failed"])


def kept(url: str, pattern: Pattern | None) -> tuple[WordSource, str | None]:
    """Words of an earlier count, and the name of the pattern that they were cut by, if words.json says it.

    Args:
        pattern: by which they should have been cut, if that was said.

    Raises:
        ChejilError: no such file, or words that were cut otherwise.
    """
    if shards.size(url) is None:
        raise ChejilError(
            "no word counts", where=url, mend=f"name a {counting.WORDS} that `chejil tokenizer train` wrote"
        )
    manifest = shards.read_json(shards.join(url.rpartition("/")[0] or ".", counting.MANIFEST))
    if manifest is None:
        return WordSource(word_counts.read(url), {}, []), None
    cut = manifest["pattern"]
    if pattern is not None and pattern.regex != cut["regex"]:
        mend = f"--pattern '{cut['name']}', or count again from the documents"
        raise ChejilError(f"the words were cut by {cut['name']}, not by {pattern.name}", where=url, mend=mend)
    return WordSource(word_counts.read(url), _told(manifest), manifest["failed"]), cut["name"]


def _told(manifest: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on the place of the files."""
    counted = {name: manifest[name] for name in _TOLD if name in manifest}
    return {"counted": {**counted, "failed": len(manifest["failed"])}}


def _made_by(path: str) -> str | None:
    """The manifest of the sample or run that a path is."""
    urls = [shards.join(path, name) for name in _MADE_BY]
    return next((url for url in urls if shards.size(url) is not None), None)
