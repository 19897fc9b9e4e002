"""Files that say which sample is on which side."""

import pytest

from aam.errors import SplitError
from aam.io.label_files import read_fold_file, read_split_file


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "s.tsv"
        path.write_text(text)
        return path

    return write


def test_parts_are_read_with_further_columns_and_windows_line_ends(write):
    path = write("note\tsample-id\tsplit\r\nx\tS1\ttrain\r\n\tS2\tvalidation\r\n\tS 3\ttest\r\n")

    assert read_split_file(path, None) == {"S1": "train", "S2": "validation", "S 3": "test"}


def test_white_space_around_cells_and_empty_lines_do_not_matter(write):
    path = write("\n sample-id \t split\n S1\ttrain \n\nS2 \t validation\tmore\n".lstrip("\n"))

    assert read_split_file(path, None) == {"S1": "train", "S2": "validation"}


def test_one_fold_validates_and_the_others_train(write):
    path = write("sample-id\tfold\ttarget\nS1\t0\t3.5\nS2\t1\t4\nS3\t1\t5\n")

    assert read_split_file(path, 1) == {"S1": "train", "S2": "validation", "S3": "validation"}


@pytest.mark.parametrize(
    ("text", "fold", "message"),
    [
        ("", None, r"expected tab-separated columns 'sample-id' and 'split' .* found nothing"),
        ("sample-id\tsplit\n", None, r"above at least one sample; found nothing"),
        ("id,split\nS1,train\n", None, r"expected .* found 'id,split'"),
        ("sample-id\tfold\nS1\t0\nS2\t1\n", None, r"has no column 'split': pass --fold with one of 0, 1"),
        ("sample-id\tsplit\nS1\ttrain\n", 0, r"has no column 'fold': leave --fold out"),
        ("sample-id\tfold\nS1\t0\nS2\t1\n", 2, r"has no fold 2\. Its folds: 0, 1\."),
        ("sample-id\tsplit\nS1\ttrain\nS1\ttest\n", None, r"more than once: 'S1'\. Keep one"),
        ("sample-id\tsplit\nS1\ttrain\nS2\tval\n", None, r"1 samples are in no known part, such as 'S2' in 'val'\. Parts are"),
        ("sample-id\tsplit\nS1\n", None, r"such as 'S1' in ''"),
        ("sample-id\tsplit\tsplit\nS1\ttrain\ttest\n", None, r"columns of the same name: 'split'\. Remove all but one"),
        (f"sample-id\tsplit\n{'x' * 200_000}\ttrain\n", None, r"cannot be split into cells \(field larger"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error(text, fold, message, write):
    with pytest.raises(SplitError, match=message):
        read_split_file(write(text), fold)


def test_an_absent_file_is_an_error(tmp_path):
    with pytest.raises(SplitError, match=r"--split-file .*absent\.tsv does not exist"):
        read_split_file(tmp_path / "absent.tsv", None)


def test_folds_have_names(write):
    assert read_fold_file(write("fold\tsample-id\n b \tS1\n2\tS2\n")) == {"S1": "b", "S2": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"--fold-file .*: expected tab-separated columns 'sample-id' and 'fold' .* found nothing"),
        ("sample-id\tsplit\nS1\ttrain\n", r"expected .* found 'sample-id', 'split'"),
        ("sample-id\tfold\nS1\t0\nS1\t1\n", r"--fold-file .* lists samples more than once: 'S1'"),
        ("sample-id\tfold\nS1\t0\nS2\n", r"1 samples have no fold: 'S2'\. Number them"),
        ("sample-id\tfold\nS1\t0\nS2\t0\n", r"has one fold only: at least 2"),
        ("sample-id\tfold\tfold\nS1\t0\t0\n", r"^--fold-file .* has columns of the same name: 'fold'"),
        (f"sample-id\tfold\n{'x' * 200_000}\t0\n", r"^--fold-file .* cannot be split into cells \(field larger"),
    ],
)
def test_a_malformed_file_of_folds_is_an_error(text, message, write):
    with pytest.raises(SplitError, match=message):
        read_fold_file(write(text))
