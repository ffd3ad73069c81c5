"""Evaluation: results with their errors, beside published numbers; and answers as a judge scores them."""
