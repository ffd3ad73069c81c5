"""What other bounds would do to a finished run, from its stored signals."""
