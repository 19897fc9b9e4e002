"""Names are found by their hashes."""

from hypothesis import given
from hypothesis import strategies as st

from aam.io.name_index import HASH_DTYPE, NameIndex, hash_names


@given(st.lists(st.text(max_size=3), max_size=20), st.lists(st.text(max_size=3), max_size=20))
def test_names_are_found_where_a_list_has_them(names, asked):
    unique = list(dict.fromkeys(names))

    found = NameIndex(unique).find(asked)

    assert found.tolist() == [unique.index(name) if name in unique else -1 for name in asked]


@given(st.lists(st.sampled_from("abcd"), max_size=9))
def test_doubles_are_those_that_an_earlier_name_equals(names):
    duplicates = NameIndex(names).duplicates()

    assert duplicates.tolist() == [i for i, name in enumerate(names) if name in names[:i]]


def test_a_hash_has_a_fixed_width():
    assert hash_names(["a" * 1000, ""]).dtype == HASH_DTYPE
