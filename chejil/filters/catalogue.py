"""Every family, in the order of the docs page. Importing this module fills the registry."""

from chejil.filters import characters, words, lines, repetition, language  # noqa: F401, I001  (order of the page)
from chejil.filters.registry import FAMILIES, LANGUAGES, SIGNALS, Bound, Family, Language, Signal, find_signal

__all__ = ["FAMILIES", "LANGUAGES", "SIGNALS", "Bound", "Family", "Language", "Signal", "find_signal"]
