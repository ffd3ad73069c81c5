"""Talking to models: whatever answers a conversation, chat in a terminal, several models side by side."""
