"""What `train.benchmark` measures, one file each, and the rivals it measures against."""
