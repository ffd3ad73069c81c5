"""Where text is cut before merging: named patterns, and the kernels that cut as they do."""
