"""The loop of a pretraining: parallelism, optimiser, checkpoints, metrics."""
