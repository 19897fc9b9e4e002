"""Arrays, names, cached data and results on disk."""
