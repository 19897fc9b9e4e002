"""Weights of classes from a file."""

import pytest

from aam.errors import MetadataError
from aam.io.label_files import read_class_weights


def test_weights_are_read_by_the_names_of_the_columns(tmp_path):
    (tmp_path / "w.tsv").write_text("weight\tclass\tnote\n2\tleft palm\t\n0.5\tgut\tcommon\n")

    assert read_class_weights(tmp_path / "w.tsv") == {"left palm": 2.0, "gut": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,weight\na,1\n", r"expected tab-separated columns 'class' and 'weight'; found 'class,weight'"),
        ("", r"found nothing"),
        ("class\tweight\na\t1\na\t2\n", r"lists 'a' twice: keep one row of it"),
        ("class\tweight\na\t1\nb\tmuch\n", r"row 3 has the weight 'much', which is no number above 0"),
        ("class\tweight\na\t0\n", r"row 2 has the weight '0'"),
        ("class\tweight\na\n", r"row 2 has the weight ''"),
    ],
)
def test_a_file_that_says_no_weights_is_an_error(tmp_path, text, message):
    (tmp_path / "w.tsv").write_text(text)

    with pytest.raises(MetadataError, match=rf"--class-weights \S+w.tsv.*{message}"):
        read_class_weights(tmp_path / "w.tsv")


def test_an_absent_file_is_an_error(tmp_path):
    with pytest.raises(MetadataError, match="--class-weights"):
        read_class_weights(tmp_path / "none.tsv")
