"""What is measured on a document (signals) and what passes (bounds). Knows no files and no recipes."""
