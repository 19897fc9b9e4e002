"""Studies as flat arrays on disk, and what is noticed about their samples and sequences."""
