"""Which organisms drive predictions, how far to trust that, and where they sit in the tree."""
