"""Random changes of training samples: one file per augmentation, one table of them."""
