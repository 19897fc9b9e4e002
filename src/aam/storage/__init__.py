"""Arrays, names and results on disk."""
