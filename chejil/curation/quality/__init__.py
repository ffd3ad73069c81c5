"""Quality classifiers: examples, training, card."""
