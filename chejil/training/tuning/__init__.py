"""Fine-tuning on conversations with TRL: rows, the trainer, adapters and their merging."""
