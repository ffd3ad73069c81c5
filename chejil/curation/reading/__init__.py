"""Upstream files → records → documents: containers, formats, web archives, pages, dumps."""
