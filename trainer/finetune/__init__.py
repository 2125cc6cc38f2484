"""Fine-tuning a copy of the base for one question."""
