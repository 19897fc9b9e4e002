"""Methods compared over folds: each is fitted anew in every fold and scored on the samples held out."""
