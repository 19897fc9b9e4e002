"""How methods compare on the same held-out samples: scores, and the spread of their differences."""
