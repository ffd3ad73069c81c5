"""Shards in, clean shards out: sources, recipe, stages, deduplication, the run's folder, reports."""
