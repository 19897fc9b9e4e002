"""All that metadata decide: what is learned, from which samples, in which groups and splits."""
