"""Free memory: the machine's, and what groups of either version leave of it."""

import pytest

from aam.training.memory import available_bytes

KIB, INACTIVE = 1024, 300


def machine(root, groups="", files=None):
    """Make the files that Linux would show; 10,000 KiB are free."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal: 99999 kB\nMemAvailable: 10000 kB\n")
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in (files or {}).items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def second(folder, limit, used):
    stat = f"anon 5\ninactive_file {INACTIVE}\n"
    return {f"{folder}memory.max": limit, f"{folder}memory.current": used, f"{folder}memory.stat": stat}


def first(folder, limit, used):
    names = ("limit_in_bytes", "usage_in_bytes", "stat")
    texts = (limit, used, f"cache 5\ntotal_inactive_file {INACTIVE}\n")
    return {f"memory/{folder}memory.{name}": text for name, text in zip(names, texts, strict=True)}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, 10_000 * KIB),
        ("0::/job/step\n", second("job/step/", "5000\n", "1000\n"), 4000 + INACTIVE),
        ("0::/job/step\n", second("job/step/", "max\n", "1000\n") | second("job/", "5000\n", "2000\n"), 3000 + INACTIVE),
        ("0::/job/step\n", second("job/step/", "max\n", "1000\n"), 10_000 * KIB),
        ("0::/job\n", second("job/", "5000\n", "6000\n"), 0),
        ("0::/seen/outside\n", second("", "7000\n", "1000\n"), 6000 + INACTIVE),  # a container sees its own as the root
        ("5:cpu,memory:/job\n2:cpuset:/\n", first("job/", "5000\n", "1000\n"), 4000 + INACTIVE),
        ("5:memory:/job\n", first("job/", "9223372036854771712\n", "1000\n"), 10_000 * KIB),
    ],
)  # fmt: skip
def test_the_least_of_machine_and_groups_is_what_is_left(groups, files, expected, tmp_path):
    assert available_bytes(machine(tmp_path, groups, files)) == expected


def test_a_machine_without_proc_has_all_of_its_memory(tmp_path):
    assert available_bytes(tmp_path) > 1e8


def test_this_machine_has_some():
    assert 1e6 < available_bytes() < 1e14
