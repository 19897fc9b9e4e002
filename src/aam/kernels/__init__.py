"""Kernel machines for small labelled studies: fitted in seconds, without gradients."""
