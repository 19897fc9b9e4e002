"""Damaged HDF5 files end in one message, not in other exceptions and not in a walk without end."""

import h5py
import numpy as np
import pytest

from aam.errors import TableError
from aam.io.hdf5_file import open_hdf5
from aam.io.tables import read_table
from helpers.files import FEATURES, SAMPLES, hdf5_table


def test_a_heap_in_which_the_library_would_walk_in_circles_is_refused(tmp_path):
    path = hdf5_table(tmp_path / "table.biom")
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL") + 16
    while content[place : place + 2] != b"\0\0":  # the free space after the last object
        place += 16 + -(-int.from_bytes(content[place + 8 : place + 16], "little") // 8) * 8
    content[place + 8 : place + 16] = bytes(8)
    path.write_bytes(content)

    with pytest.raises(TableError, match=r"\(a heap of texts is damaged\)"):
        read_table(path)


@pytest.mark.parametrize(
    ("offset", "size"),
    [(8, 0), (8, 1), (8, 2**63), (8, 2**64 - 1), (24, 4097), (24, 2**63), (24, 2**64 - 16), (24, 2**64 - 1)],
)
def test_heaps_and_texts_of_impossible_sizes_are_refused(tmp_path, offset, size):
    path = hdf5_table(tmp_path / "table.biom")
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL") + offset
    content[place : place + 8] = size.to_bytes(8, "little")
    path.write_bytes(content)

    with pytest.raises(TableError, match="heap of texts"):
        read_table(path)


def test_many_ids_of_different_lengths_are_read(tmp_path):
    ids = [f"S{'x' * (i % 50)}{i}" for i in range(5_000)]

    path = hdf5_table(tmp_path / "table.biom", values=np.ones((5_000, 4), dtype=int), samples=ids)

    assert read_table(path).sample_ids == ids


def test_what_is_raised_for_damage_while_reading_becomes_one_message(tmp_path):
    path = hdf5_table(tmp_path / "table.biom")

    with pytest.raises(TableError, match=r"--table .*given\.biom .*HDF5 .*\(.*no group.*\)"):
        read_absent_group(path, tmp_path / "given.biom")


def read_absent_group(path, name):
    with open_hdf5(name, path, TableError, "--table") as file:
        return file["no group"]


def test_an_error_of_ours_passes_through(tmp_path):
    path = hdf5_table(tmp_path / "table.biom")

    with pytest.raises(TableError, match=r"^ours$"), open_hdf5(path, path, TableError, "--table"):
        raise TableError("ours")


@pytest.mark.parametrize("latest", [True, False])
def test_files_of_every_version_of_the_format_are_read(tmp_path, latest):
    path = hdf5_table(tmp_path / "table.biom")
    with (
        h5py.File(path) as old,
        h5py.File(tmp_path / "new.biom", "w", libver="latest" if latest else "earliest") as new,
    ):
        for name in ("sample", "observation"):
            old.copy(name, new)

    table = read_table(tmp_path / "new.biom")

    assert (table.sample_ids, table.feature_ids) == (SAMPLES, FEATURES)
