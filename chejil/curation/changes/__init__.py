"""What a run changed in its documents, read back from the side tables: pieces with their rules, and the way back."""
