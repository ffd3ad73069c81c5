"""The same question to several models: answers beside each other, votes, and who wins."""
