"""Suites: items with their candidates as token ids, which a training scores every so many steps."""
