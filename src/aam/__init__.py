"""Attention All Microbes: learn from microbiome amplicon data, from nucleotides to samples."""

__version__ = "0.1.0"
