"""Classes that are one, though a column names them otherwise, and classes that are learned as one on request."""
