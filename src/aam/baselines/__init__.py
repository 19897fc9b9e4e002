"""Classical methods that a model has to be compared with, tuned inside the training part: one file per family."""
