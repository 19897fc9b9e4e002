"""Names in one block of bytes behave like a list, and are found by their hashes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aam.errors import OutputError
from aam.storage import names as name_index
from aam.storage.names import HASH_DTYPE, NameIndex, Names, hash_names


@given(st.lists(st.text()))
def test_packed_names_read_like_the_list_they_were_made_of(names):
    packed = Names.from_strings(names)

    assert list(packed) == names
    assert len(packed) == len(names)
    assert [packed[-1 - i] for i in range(len(names))] == names[::-1]
    assert packed[1:3] == names[1:3]


def test_a_selection_of_a_selection_shows_its_rows_in_their_order():
    names = Names.from_strings(["a", "b", "c", "d"])

    selected = names.select(np.array([3, 1, 0])).select(np.array([2, 0]))

    assert list(selected) == ["a", "d"]


def test_places_beyond_the_end_are_refused():
    with pytest.raises(IndexError):
        Names.from_strings(["a"])[1]


def test_names_in_blocks_are_the_same_names():
    blocks = [["S1", "é"], [], ["", "a long name"]]

    assert list(Names.from_blocks(blocks)) == ["S1", "é", "", "a long name"]
    assert list(Names.from_blocks([])) == []


@given(st.lists(st.text(max_size=3), max_size=20), st.lists(st.text(max_size=3), max_size=20))
def test_names_are_found_where_a_list_has_them(names, asked):
    unique = list(dict.fromkeys(names))

    found = NameIndex(unique).find(asked)

    assert found.tolist() == [unique.index(name) if name in unique else -1 for name in asked]


@given(st.lists(st.sampled_from("abcd"), max_size=9))
def test_doubles_are_those_that_an_earlier_name_equals(names):
    duplicates = NameIndex(names).duplicates()

    assert duplicates.tolist() == [i for i, name in enumerate(names) if name in names[:i]]


@pytest.fixture
def short_runs(monkeypatch):
    monkeypatch.setattr(name_index, "_PER_BLOCK", 7)
    monkeypatch.setattr(name_index, "_BLOCKS_PER_RUN", 2)
    monkeypatch.setattr(name_index, "_PER_RELEASE", 3)


@pytest.mark.parametrize("n", [13, 14, 15, 28, 29, 500])
def test_names_are_found_among_those_on_disk(n, short_runs, tmp_path):
    names = [f"name {number}" for number in range(n)]

    index = NameIndex(names, tmp_path)

    assert index.find(["no name", *reversed(names), ""]).tolist() == [-1, *reversed(range(n)), -1]
    assert not len(index.duplicates())
    assert not list(tmp_path.iterdir())  # nothing stays behind


@pytest.mark.parametrize("n_distinct", [1, 2, 90])
def test_doubles_are_found_among_names_on_disk(n_distinct, short_runs):
    names = [str(number % n_distinct) for number in range(100)]

    index = NameIndex(names)

    assert index.duplicates().tolist() == list(range(n_distinct, 100))
    assert index.find(["0"]).tolist() == [0]  # the first of them


def test_a_disk_that_refuses_hashes_is_an_error_of_output(short_runs, monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", refuse)

    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        NameIndex([str(number) for number in range(100)], tmp_path)


def test_a_hash_has_a_fixed_width():
    assert hash_names(["a" * 1000, ""]).dtype == HASH_DTYPE
