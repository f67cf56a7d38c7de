"""Training: draws, batches, engines and the trainer. Knows token ids and its own checkpoints, no text."""
