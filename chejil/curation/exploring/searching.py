"""A search as a person types it, made into the selection that `chejil inspect` takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.browsing.selection import Selection

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
