"""What ``aam inspect`` reads of files, and what it says of them."""
