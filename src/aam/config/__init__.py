"""Every option of aam, declared once; torch-free, so that --help answers at once."""
