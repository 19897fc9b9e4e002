"""Metadata that QIIME 2 reads are not touched; others get tabs, and their ids first."""

import pytest

from aam.io.foreign.sample_sheet import MisplacedIdsError, as_qiime2


@pytest.mark.parametrize(
    "text",
    [
        "sample-id\ta\nA\t1\n",
        "#SampleID\ta\n#a comment\nA\t1\n",
        "# a comment\n\nid\ta, b\nA\tx, y\n",
        "\tshannon\nA\t1.5\n",
        "id\nA\nB\n",
        "id\ta\nA\n",
        "Run,a\nA,1\n",
        "",
    ],
)
def test_what_is_right_or_unknown_is_not_changed(text):
    assert as_qiime2(text) == (text, [], [])


def test_directives_stay_with_their_columns():
    text, how, doubts = as_qiime2("sample-id,a,b\n#q2:types,numeric,categorical\nA,1,2\n")

    assert text == "sample-id\ta\tb\n#q2:types\tnumeric\tcategorical\nA\t1\t2\n"
    assert how == ["its columns are separated by commas"]
    assert not doubts


def test_row_numbers_without_a_column_of_ids_are_the_ids_with_a_doubt():
    text, _, doubts = as_qiime2('"","age"\n"1",3\n"2",4\n')

    assert text == "sample-id\tage\n1\t3\n2\t4\n"
    assert "row numbers of R" in doubts[0]


@pytest.mark.parametrize("text", ["a\tb\nA\t1\t2\n", '"a" "b"\n"A" 1 2\n', "x\tsample-id\n1\tA\n2\tB\n"])
def test_ids_in_another_place_are_not_guessed(text):
    with pytest.raises(MisplacedIdsError):
        as_qiime2(text)


def test_a_second_column_named_as_of_ids_with_repeats_has_none():
    assert as_qiime2("x,sample-id\n1,A\n2,A\n")[1:] == ([], [])
