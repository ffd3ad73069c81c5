"""Byte-level BPE from word counts; a tokenizer trained, or extended."""
