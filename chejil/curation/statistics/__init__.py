"""Statistics of shards and of runs: what a corpus holds, from one pass over the columns that are needed."""
