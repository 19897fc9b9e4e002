"""From options and labelled samples to a trained model in a directory."""
