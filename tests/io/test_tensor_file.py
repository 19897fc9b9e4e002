"""Tensors are written whole, or what the disk says is told."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from aam.errors import OutputError
from aam.storage.atomic import write_tensors
from aam.storage.cache import digest_of


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

    with pytest.raises(OutputError, match=r"t\.safetensors cannot be written: .*No space left on device"):
        write_tensors(tmp_path / "t.safetensors", {"a": torch.ones(1)})

    assert list(tmp_path.iterdir()) == []
