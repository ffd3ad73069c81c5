"""Mixtures: shares of languages and sources, caps on epochs, and documents that are repeated."""
