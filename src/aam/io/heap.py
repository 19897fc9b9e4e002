"""Memory that was freed, given back to the system: the C library of Linux keeps it, in pieces, for what may come."""

import ctypes
import sys


def give_back() -> None:
    """Shrink the heap, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
