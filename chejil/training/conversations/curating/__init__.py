"""Conversations through the curation of the corpora: documents out of them, a run, and back into messages."""
