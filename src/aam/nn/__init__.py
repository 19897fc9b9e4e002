"""Layers that know tensors and nothing else."""
