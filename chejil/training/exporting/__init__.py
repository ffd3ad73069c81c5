"""A checkpoint as a folder that any Hugging Face tool loads, with where it is from."""
