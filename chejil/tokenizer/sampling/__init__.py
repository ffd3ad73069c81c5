"""Documents by quotas, for a tokenizer to be trained on."""
