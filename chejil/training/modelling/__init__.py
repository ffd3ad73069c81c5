"""The model: sizes, weights, attention, loss."""
