"""Validation metrics that hold no predictions, and a bounded sample of predictions to draw."""
