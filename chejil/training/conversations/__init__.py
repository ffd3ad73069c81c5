"""Conversations to fine-tune on: reading them, chat templates, tokens with the mask of what is learnt, the audit."""
