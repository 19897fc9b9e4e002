"""Names in one block of bytes behave like a list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aam.storage.names import Names


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
