"""Checkpoints: whole or not there, numbers and names alone, and refused with a reason."""

import errno
import os
import random

import pytest
import torch

from aam.errors import OutputError
from aam.training import checkpoints
from aam.training.checkpoints import (
    HEADER,
    CheckpointError,
    Identity,
    differences,
    header_of,
    read_checkpoint,
    write_checkpoint,
)

IDENTITY = Identity({"lr": 0.01, "epochs": 3, "tree": None}, {"metadata": "a"}, "study")
CONTENT = {"weights": torch.arange(200.0), "names": ["a", "b"], HEADER: header_of(IDENTITY)}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "c" / "last.ckpt", CONTENT)
    return tmp_path / "c" / "last.ckpt"


def is_content(found):
    return torch.equal(found.pop("weights"), CONTENT["weights"]) and found == {
        name: value for name, value in CONTENT.items() if name != "weights"
    }


def test_what_is_written_is_read(path):
    assert is_content(read_checkpoint(path))
    assert [item.name for item in path.parent.iterdir()] == ["last.ckpt"]


def test_no_damaged_byte_is_read_as_something_else(path):
    whole, stream, refused = path.read_bytes(), random.Random(0), 0

    for _ in range(300):
        damaged = bytearray(whole)
        damaged[stream.randrange(len(whole))] ^= 1 << stream.randrange(8)
        path.write_bytes(damaged)
        try:
            assert is_content(read_checkpoint(path))  # a byte between two records
        except CheckpointError as error:
            assert "damaged" in str(error)  # noqa: PT017
            refused += 1

    assert refused > 150


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_file_that_is_cut_off_is_refused(share, path):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        read_checkpoint(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt is missing"):
        read_checkpoint(tmp_path / "none.ckpt")


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_a_program_is_refused_and_runs_none(tmp_path):
    torch.save({HEADER: header_of(IDENTITY), "weights": Malicious(tmp_path / "run")}, tmp_path / "last.ckpt")

    with pytest.raises(CheckpointError, match=r"\(posix\.mkdir\)"):
        read_checkpoint(tmp_path / "last.ckpt")

    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    torch.save({"state_dict": {"w": torch.zeros(2)}, "epoch": 3}, tmp_path / "last.ckpt")

    with pytest.raises(CheckpointError, match="older version of aam"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_of_another_format_is_refused_with_the_version_that_reads_it(path):
    write_checkpoint(path, {HEADER: header_of(IDENTITY) | {"format": 0, "version": "0.0.9"}})

    with pytest.raises(CheckpointError, match=r"aam 0\.0\.9 .*format 0, .*format 2\b"):
        read_checkpoint(path)


def test_a_full_disk_leaves_the_one_before(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OutputError, match="No space left on device"):
        write_checkpoint(path, CONTENT | {"names": ["other"]})

    assert is_content(read_checkpoint(path))
    assert [item.name for item in path.parent.iterdir()] == ["last.ckpt"]


def test_what_the_disk_does_not_give_back_never_takes_the_name(path, monkeypatch):
    save = checkpoints.torch.save

    def damaging(content, file):
        save(content, file)
        file.seek(file.tell() // 3)
        file.write(b"damage" * 50)

    monkeypatch.setattr(checkpoints.torch, "save", damaging)

    with pytest.raises(CheckpointError, match="is damaged"):
        write_checkpoint(path, CONTENT | {"names": ["other"]})

    assert is_content(read_checkpoint(path))
    assert [item.name for item in path.parent.iterdir()] == ["last.ckpt"]


def test_what_differs_is_named():
    other = Identity({"lr": 0.02, "epochs": 3, "tree": None}, {"metadata": "b", "tree": "t"}, "another")

    found = differences(header_of(IDENTITY)["identity"], other)

    assert found == [
        "--lr was 0.01 and is 0.02",
        "--metadata holds something else now",
        "--tree was not given",
        "the study (--table, --sequences, or which samples are deep enough) is another",
    ]
    assert differences(header_of(IDENTITY)["identity"], IDENTITY) == []


@pytest.mark.parametrize(("value", "message"), [(1, []), (8, ["--size-window was 8 and is not given"])])
def test_an_option_that_is_no_more_differs_unless_it_was_at_its_default(value, message):
    before = {"settings": {"lr": 0.01, "size-window": value}, "contents": {}, "study": "s"}

    found = differences(before, Identity({"lr": 0.01}, {}, "s"))

    assert found == message
