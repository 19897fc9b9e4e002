"""Batches of samples: composed, drawn, masked, changed at random, divided among ranks; and the memory that they take."""
