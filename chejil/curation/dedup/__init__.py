"""Duplicates: documents, near documents, lines and passages; clusters, survivors, and the nearest of a text."""
