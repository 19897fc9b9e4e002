"""Arrays that grow on disk open as they were written, and a changed byte is noticed."""

import numpy as np
import pytest

from aam.storage.arrays import ArrayStore, ArrayWriter, DamagedStoreError


@pytest.fixture
def store(tmp_path):
    with ArrayWriter(tmp_path) as writer:
        writer.append("matrix", np.arange(6, dtype=np.int32).reshape(3, 2))
        writer.append("nothing", np.empty((0, 3)))
        writer.append("matrix", np.arange(4, dtype=np.int32).reshape(2, 2))
        writer.finish({"seed": 3})
    return tmp_path


def test_arrays_open_as_they_were_appended(store):
    arrays = ArrayStore(store)

    assert arrays["matrix"].tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    assert arrays["matrix"].dtype == np.int32
    assert arrays["nothing"].shape == (0, 3)
    assert arrays.info == {"seed": 3}
    assert not arrays["matrix"].flags.writeable


def test_rows_of_another_kind_are_our_mistake(store):
    with ArrayWriter(store) as writer:
        writer.append("matrix", np.zeros((1, 2)))
        with pytest.raises(AssertionError, match="matrix holds"):
            writer.append("matrix", np.zeros((1, 3)))


@pytest.mark.parametrize("name", ["matrix.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_damage_is_noticed(store, name, damage):
    path = store / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 8
    path.write_bytes(content[:-1] if damage == "cut" else content)
    if damage == "delete":
        path.unlink()

    with pytest.raises(DamagedStoreError):
        ArrayStore(store)


def test_a_store_that_was_not_finished_is_none(tmp_path):
    with ArrayWriter(tmp_path) as writer:
        writer.append("matrix", np.zeros(3))

    with pytest.raises(DamagedStoreError, match="manifest"):
        ArrayStore(tmp_path)


def test_pages_that_are_let_go_are_read_again(store):
    arrays = ArrayStore(store)
    before = arrays["matrix"].copy()

    arrays.release()

    np.testing.assert_array_equal(arrays["matrix"], before)
