"""A study with a known truth: tree, sequences, taxonomy, metadata and counts, from a config and a seed."""
