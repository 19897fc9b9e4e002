"""Studies as flat arrays on disk, and the batches that are built from them."""
