"""Groups of features by the user: what is read, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from aam.io.feature_groups import GroupsError, read_feature_groups, rows_of_groups

TEXT = "feature-id\tgroup\na\tbutyrate\nb\tbutyrate\na\tmucin\na\tbutyrate\n"


@pytest.mark.parametrize("name", ["groups.tsv", "groups.tsv.gz"])
def test_a_feature_may_be_of_several_groups_and_repeats_count_once(name, tmp_path):
    data = TEXT.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)

    assert read_feature_groups(tmp_path / name) == {"butyrate": ["a", "b"], "mucin": ["a"]}


def test_other_columns_and_their_order_do_not_matter(tmp_path):
    (tmp_path / "g.tsv").write_text("group\tnote\tfeature-id\nx\tn\ta\n")

    assert read_feature_groups(tmp_path / "g.tsv") == {"x": ["a"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected tab-separated columns 'feature-id' and 'group'; found nothing"),
        ("feature-id,group\na,b\n", "expected tab-separated columns"),
        ("feature-id\tgroup\n", "holds no feature below its header"),
        ("feature-id\tgroup\na\tx\nb\t\n", "line 3: a feature or its group is missing"),
        ("feature-id\tgroup\na\n", "line 2: a feature or its group is missing"),
    ],
)
def test_what_is_no_such_table_is_refused(text, message, tmp_path):
    (tmp_path / "g.tsv").write_text(text)

    with pytest.raises(GroupsError, match=message):
        read_feature_groups(tmp_path / "g.tsv")


def test_features_that_the_table_lacks_are_left_out():
    rows = rows_of_groups({"x": ["b", "z"], "y": ["z"], "w": ["c", "a"]}, ["a", "b", "c"], Path("g.tsv"))

    assert list(rows) == ["x", "w"]
    np.testing.assert_array_equal(rows["x"], [1])
    np.testing.assert_array_equal(rows["w"], [2, 0])


def test_groups_of_another_study_are_refused():
    with pytest.raises(GroupsError, match="none of its 2 features is in the table"):
        rows_of_groups({"x": ["p", "q"]}, ["a", "b", "c"], Path("g.tsv"))
