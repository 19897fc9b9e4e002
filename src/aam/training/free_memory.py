"""How much memory a process may still take: what the machine has left, and what its control groups allow."""

import os
from pathlib import Path

_GROUPS = (
    # folder of the hierarchy, its controller in /proc/self/cgroup, limit, usage, and what of that can be given back at once
    ("sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes(root: Path = Path("/")) -> float:
    """Give the bytes that this process may still take; without Linux's ``/proc``, all of the machine's.

    Control groups are what SLURM, Docker and systemd limit memory by, in both versions; a limit of any group above counts, too.
    """
    return min(_of_machine(root), *(_of_groups(root) or [float("inf")]))


def _of_machine(root: Path) -> float:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _of_groups(root: Path) -> list[float]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for folder, controller, *names in _GROUPS:
            if controller in controllers.split(","):
                own = root / folder / path.lstrip("/")
                places = [own, *own.parents[: len(Path(path.lstrip("/")).parts)]]
                left += [_left_in(place, *names) for place in places]
    return left


def _left_in(group: Path, limit: str, usage: str, reclaimable: str) -> float:
    """Give what one group leaves; everything where it sets no limit, or cannot be seen from inside a container."""
    try:
        allowed = float((group / limit).read_text(encoding="ascii"))
        used = int((group / usage).read_text(encoding="ascii"))
        found = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # the limit is the word max
        return float("inf")
    return max(0.0, allowed - used + int(found.get(reclaimable, 0)))
