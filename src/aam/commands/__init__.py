"""One file per command: it wires the parts together."""
