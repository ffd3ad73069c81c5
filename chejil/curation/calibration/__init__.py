"""Bounds from a trusted reference."""
