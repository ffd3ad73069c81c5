"""Every family, in the order of the docs page. Importing this module fills the registry."""

from chejil.filters import (  # noqa: F401, I001  (order of the page)
    shared_tables,
    characters,
    words,
    lines,
    repetition,
    c4,
    language,
    boilerplate,
    charset,
    korean,
    stuffing,
    coherence,
    quality,
    morphemes,
    tokens,
    spam,
    toxicity,
    legal,
    generated,
    pii,
)
from chejil.filters.registry import FAMILIES, LANGUAGES, SIGNALS, Bound, Family, Language, Signal, find_signal

__all__ = ["FAMILIES", "LANGUAGES", "SIGNALS", "Bound", "Family", "Language", "Signal", "find_signal"]
