"""Validation metrics that keep no predictions, a bounded sample of predictions to draw, and scores of arrays."""
