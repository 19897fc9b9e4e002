"""Read and write files; the only code that knows file formats."""
