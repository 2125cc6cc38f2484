"""The training loop: batches, augmentation, objective, checkpoints."""
