"""Sweeps: proxies trained on proposed mixtures, or on curated arms, and what they measured."""
