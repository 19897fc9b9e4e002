"""Classical methods to compare a model with, tuned inside the training part: one file per family."""
