"""What goes on while a model is trained: parallelism, steps, checkpoints, metrics."""
