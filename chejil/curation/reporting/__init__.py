"""The report of a run: what is gathered for it, its samples, charts and sections, and the style of all pages."""
