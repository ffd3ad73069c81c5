"""Reading documents of a run or of bare shards in the terminal."""
