"""A tokenizer's files: written for transformers, read with every fault named."""
