"""What the training scripts share: their options and device, checkpoints, loops, and the pictures they learn from."""
