"""Evaluation texts in the corpus: an index of items, where they stand, and what goes."""
