"""The tokenizer: documents are sampled, words counted, byte-level BPE trained, measured, and shards encoded."""
