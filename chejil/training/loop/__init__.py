"""The loop: what a step is made of, and what surrounds it."""
