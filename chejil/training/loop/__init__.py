"""The parts of the pretraining loop."""
