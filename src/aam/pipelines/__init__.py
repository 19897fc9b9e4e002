"""One file per command: wires the parts together."""
