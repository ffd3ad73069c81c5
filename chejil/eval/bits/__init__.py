"""Bits per byte of held-out text by domain and language, for any causal model and tokenizer."""
