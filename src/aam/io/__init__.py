"""Files to arrays and back: the only code that knows file formats."""
