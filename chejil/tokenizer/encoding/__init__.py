"""Texts to tokens, and runs to token shards."""
