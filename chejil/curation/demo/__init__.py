"""The demos: a sample corpus of our own with planted defects, and open corpora."""
