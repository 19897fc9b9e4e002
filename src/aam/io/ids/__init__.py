"""Ids that two files write differently: by which rule, and what to do about it."""
