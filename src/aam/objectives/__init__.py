"""One prediction, one file: head, loss and metrics."""
