"""Chejil (체질, "sifting"): from raw Korean and English text to a language model that can be trusted."""

__version__ = "0.1.0"
