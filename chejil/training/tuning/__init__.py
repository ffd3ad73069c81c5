"""Fine-tuning on conversations: reading them, chat templates, tokens with the mask of what is learnt, the audit."""
