"""Memory that was freed goes back to the system."""

import sys
from pathlib import Path

import pytest

from aam.storage.atomic import trim_malloc


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give memory back by themselves")
def test_freed_memory_is_given_back():
    pieces = [bytes(50_000) for _ in range(2_000)]  # below what is mapped by itself
    kept = pieces[-1]
    before = resident()

    del pieces
    trim_malloc()

    assert resident() < before - 50_000_000 // 4096
    assert len(kept) == 50_000
