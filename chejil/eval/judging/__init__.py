"""Answers of models, scored by another model: prompts, rubrics, an endpoint, transcripts, means and agreement."""
