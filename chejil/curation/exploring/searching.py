"""A search as a person types it, made into the selection that `chejil inspect` takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.browsing.selection import Selection
from chejil.curation.exploring.moved_bounds import Scope

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")  # what a regular expression takes for more than itself


def quoted(text: str) -> str:
    """A text as SQL writes it.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def condition(where: str = "", text: str = "", kept: bool | None = None) -> str | None:
    """What a document must meet: the SQL, the text that it holds (in any case), and the verdict.

    >>> condition("num_words < 50", "Sift", kept=False)
    "(num_words < 50) AND (REGEXP_LIKE(text, '(?i)Sift')) AND (NOT kept)"
    """
    parts = [where.strip()] if where.strip() else []
    if text.strip():
        # Texts of a run are NFC; what is typed on a Mac is not.
        needle = _SPECIAL.sub(r"\\\g<0>", unicodedata.normalize("NFC", text.strip()))
        parts.append(f"REGEXP_LIKE(text, {quoted('(?i)' + needle)})")
    if kept is not None:
        parts.append("kept" if kept else "NOT kept")
    return " AND ".join(f"({part})" for part in parts) if parts else None


def found(documents: RunDocuments, selection: Selection, most: int) -> Iterator[Reading]:
    """The first documents of a selection; what lies behind them is not read.

    Raises:
        ChejilError: a condition or a reason that the run does not have.
    """
    return islice(documents.read(selection), most)


def place_of(reading: Reading) -> str:
    """What names a document where two have the same id."""
    own = reading.columns
    return f"{own['source']}:{own['file']}#{own['line']}"


def near(
    documents: RunDocuments, scope: Scope, signal: str, side: str, kept: bool, most: int
) -> list[Reading]:
    """Documents closest to a bound of the run: those that are kept, or those that it drops."""
    own = [f"lang = {quoted(scope.lang)}" if scope.lang != "unknown" else "lang IS NULL"]
    own += [f"source = {quoted(scope.source)}"] if scope.source else []
    reason = f"{signal}:{side}"
    if not kept and reason not in documents.all_reasons():
        return []
    selection = Selection(" AND ".join(own), None if kept else reason, kept, near=reason)
    return list(found(documents, selection, most))
