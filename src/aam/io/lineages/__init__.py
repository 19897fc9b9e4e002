"""Lineages in the forms that programs write them in."""
