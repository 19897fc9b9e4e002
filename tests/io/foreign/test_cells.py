"""The separator of a text is found by counting its cells."""

import pytest

from aam.io.foreign.cells import is_row_numbers, split_cells


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("id\tnote\nA\tx, y\nB\tz, w\n", ["id", "note"], [["A", "x, y"], ["B", "z, w"]]),
        ("id,note\nA,x y\nB,z w\n", ["id", "note"], [["A", "x y"], ["B", "z w"]]),
        ('id,note\n"A","x, y"\n"B","z ""w"""\n', ["id", "note"], [["A", "x, y"], ["B", 'z "w"']]),
        ("id;age\nA;1,5\nB;2\n", ["id", "age"], [["A", "1.5"], ["B", "2"]]),
        ("id;note\nA;1,5\nB;x,y\n", ["id", "note"], [["A", "1,5"], ["B", "x,y"]]),
        ("# made by x, y, z\nid,age\nA,1\n\nB,2\n", ["id", "age"], [["A", "1"], ["B", "2"]]),
        ('"a" "b"\n"A"   1 2\n"B" 10 4\n', ["", "a", "b"], [["A", "1", "2"], ["B", "10", "4"]]),
        ('id,note\n"A","two\nlines"\n', ["id", "note"], [["A", "two\nlines"]]),
        ("id,a,b\nA,1,\nB,2,\n", ["id", "a", "b"], [["A", "1", ""], ["B", "2", ""]]),
    ],
)
def test_cells_are_split_where_each_row_gets_as_many(text, header, rows):
    cells = split_cells(text)

    assert cells is not None
    assert (cells.header, cells.rows) == (header, rows)


@pytest.mark.parametrize(
    "text", ["", "one line", "id\ta\nA\t1\t2\nB\t1\n", "Dear diary\ntoday", "id\ta\nA\t1\t\nB\t2\t\n", "a,b\n1,2,3,4\n"]
)
def test_rows_of_different_length_are_no_cells(text):
    assert split_cells(text) is None


def test_a_row_that_differs_far_below_is_noticed():
    assert split_cells("id,a\n" + "A,1\n" * 500 + "B,1,2\n") is None


def test_row_numbers_begin_with_1():
    assert is_row_numbers(["1", "2", "3"])
    assert not is_row_numbers(["2", "3"])
    assert not is_row_numbers(["1"])
