"""Commands, one file a group; `cli.py` puts them together. Nothing heavy is imported before a command runs."""
