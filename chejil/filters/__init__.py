"""What is measured on a document (signals) and what passes (bounds). Knows no files and no recipes.

The catalogue comes first, whichever module is asked for: signals register where they are imported, and a document's
reasons are given in their order.
"""

import chejil.filters.catalogue  # noqa: F401
