"""Objectives, one file each: a head, its loss and its metrics."""
