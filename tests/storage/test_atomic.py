"""A file appears whole or not at all, and freed memory goes back to the system."""

import re
import stat
import subprocess
import sys

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from aam.errors import OutputError
from aam.storage.atomic import atomic_path, write_tensors, write_text_atomic
from aam.storage.cache import digest_of


def test_a_file_appears_under_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / "figure.png"

    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")

    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_path_is_a_sibling_with_the_same_ending(tmp_path):
    with atomic_path(tmp_path / "figure.png") as temporary:
        temporary.touch()

        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"


def fail_while_writing(path, failure):
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_removes_the_new_one(tmp_path, failure):
    path = tmp_path / "table.tsv"
    path.write_text("old")

    with pytest.raises(failure):
        fail_while_writing(path, failure)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_reported_with_the_final_name(tmp_path):
    with pytest.raises(OutputError, match=re.escape(f"{tmp_path / 'a.txt'} cannot be written: No space left")):
        fail_while_writing(tmp_path / "a.txt", OSError(28, "No space left on device"))


def test_a_failure_to_read_another_file_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "elsewhere").read_text()


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(OutputError, match="is a directory"):
        write_text_atomic(tmp_path, "text")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\bmissing does not exist"):
        write_text_atomic(tmp_path / "missing" / "a.txt", "text")


def test_text_is_written_as_utf8_with_unix_line_ends(tmp_path):
    write_text_atomic(tmp_path / "a.txt", "α\nβ\n")

    assert (tmp_path / "a.txt").read_bytes() == "α\nβ\n".encode()


def test_a_new_file_has_the_permissions_of_any_other_file(tmp_path):
    (tmp_path / "ordinary").touch()

    write_text_atomic(tmp_path / "a.txt", "text")

    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)


def test_what_was_written_is_read_again(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.ones(2, dtype=torch.int64, requires_grad=False)}

    digest = write_tensors(tmp_path / "t.safetensors", tensors)

    assert digest == digest_of(tmp_path / "t.safetensors")
    found = load_file(tmp_path / "t.safetensors")
    assert all(torch.equal(tensor, found[name]) for name, tensor in tensors.items())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("aam.storage.atomic.save_file", full)

    with pytest.raises(OutputError, match=r"t\.safetensors .*No space left on device"):
        write_tensors(tmp_path / "t.safetensors", {"a": torch.ones(1)})

    assert list(tmp_path.iterdir()) == []


FREEING = """
from pathlib import Path
from aam.storage.atomic import trim_malloc

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

pieces = [bytes(50_000) for _ in range(2_000)]  # below what is mapped by itself
kept = pieces[-1]
before = resident()
del pieces
trim_malloc()
print((before - resident()) * 4096, len(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give memory back by themselves")
def test_freed_memory_is_given_back():
    """In a process of its own, as the holes of a long one would be filled first."""
    shown = subprocess.run([sys.executable, "-c", FREEING], check=True, capture_output=True, text=True)

    freed, n_kept = map(int, shown.stdout.split())
    assert freed > 50_000_000
    assert n_kept == 50_000
