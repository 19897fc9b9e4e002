"""Files as other programs write them: R, mothur, PHYLIP and spreadsheets."""
