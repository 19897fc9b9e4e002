"""Studies as flat arrays, and how they become batches."""
