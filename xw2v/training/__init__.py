"""Training: draws, batches, engines and the trainer. Knows token ids, no text and no files."""
