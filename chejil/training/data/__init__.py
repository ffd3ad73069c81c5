"""Rows of a training: token shards, mixtures, packing, batches, held-out documents."""
