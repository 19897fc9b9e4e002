"""What is found, as tables, words, pictures and files of other programs."""
