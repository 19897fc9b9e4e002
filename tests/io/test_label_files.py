"""Files of splits, folds, class weights and losses."""

import pytest

from aam.config.target import ColumnLossConfig
from aam.errors import MetadataError, SplitError
from aam.io.label_files import LossFileError, read_class_weights, read_column_losses, read_fold_file, read_split_file


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
        ("", None, "'sample-id' and 'split' .*nothing"),
        ("sample-id\tsplit\n", None, "at least one sample; .*nothing"),
        ("id,split\nS1,train\n", None, r"expected .* found 'id,split'"),
        ("sample-id\tfold\nS1\t0\nS2\t1\n", None, r"column 'split': .*--fold .*\b0, 1\b"),
        ("sample-id\tsplit\nS1\ttrain\n", 0, r"column 'fold': .*--fold\b"),
        ("sample-id\tfold\nS1\t0\nS2\t1\n", 2, r"fold 2\. .*: 0, 1\."),
        ("sample-id\tsplit\nS1\ttrain\nS1\ttest\n", None, "more than once: 'S1'"),
        ("sample-id\tsplit\nS1\ttrain\nS2\tval\n", None, r"\b1 samples .*'S2' in 'val'"),
        ("sample-id\tsplit\nS1\n", None, "'S1' in ''"),
        ("sample-id\tsplit\tsplit\nS1\ttrain\ttest\n", None, "same name: 'split'"),
        (f"sample-id\tsplit\n{'x' * 200_000}\ttrain\n", None, r"cells \(field larger"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error(text, fold, message, write):
    with pytest.raises(SplitError, match=message):
        read_split_file(write(text), fold)


@pytest.mark.parametrize(
    ("read_file", "error", "option"),
    [
        (lambda path: read_split_file(path, None), SplitError, "--split-file"),
        (read_class_weights, MetadataError, "--class-weights"),
        (read_column_losses, LossFileError, "--loss-config"),
    ],
    ids=["split", "weights", "losses"],
)
def test_an_absent_file_is_an_error(read_file, error, option, tmp_path):
    with pytest.raises(error, match=rf"{option} \S*absent\.tsv\b"):
        read_file(tmp_path / "absent.tsv")


def test_folds_have_names(write):
    assert read_fold_file(write("fold\tsample-id\n b \tS1\n2\tS2\n")) == {"S1": "b", "S2": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--fold-file .*'sample-id' and 'fold' .*nothing"),
        ("sample-id\tsplit\nS1\ttrain\n", "found 'sample-id', 'split'"),
        ("sample-id\tfold\nS1\t0\nS1\t1\n", "--fold-file .*more than once: 'S1'"),
        ("sample-id\tfold\nS1\t0\nS2\n", r"\b1 samples .*no fold: 'S2'"),
        ("sample-id\tfold\nS1\t0\nS2\t0\n", r"one fold.*\b2\b"),
        ("sample-id\tfold\tfold\nS1\t0\t0\n", r"^--fold-file .*: 'fold'"),
        (f"sample-id\tfold\n{'x' * 200_000}\t0\n", r"^--fold-file .*\(field larger"),
    ],
)
def test_a_malformed_file_of_folds_is_an_error(text, message, write):
    with pytest.raises(SplitError, match=message):
        read_fold_file(write(text))


def test_weights_are_read_by_the_names_of_the_columns(tmp_path):
    (tmp_path / "w.tsv").write_text("weight\tclass\tnote\n2\tleft palm\t\n0.5\tgut\tcommon\n")

    assert read_class_weights(tmp_path / "w.tsv") == {"left palm": 2.0, "gut": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,weight\na,1\n", "'class' and 'weight'; .*'class,weight'"),
        ("", r"found nothing"),
        ("class\tweight\na\t1\na\t2\n", "'a' twice"),
        ("class\tweight\na\t1\nb\tmuch\n", "row 3 .*'much'"),
        ("class\tweight\na\t0\n", "row 2 .*'0'"),
        ("class\tweight\na\n", "row 2 .*''"),
    ],
)
def test_a_file_that_says_no_weights_is_an_error(tmp_path, text, message):
    (tmp_path / "w.tsv").write_text(text)

    with pytest.raises(MetadataError, match=rf"--class-weights \S+w.tsv.*{message}"):
        read_class_weights(tmp_path / "w.tsv")


def read(tmp_path, text):
    (tmp_path / "losses.yaml").write_text(text)
    return read_column_losses(tmp_path / "losses.yaml")


def test_keys_are_written_as_the_options_are(tmp_path):
    losses = read(
        tmp_path, "age: {loss-type: quantile, quantiles: [0.1, 0.5, 0.9]}\n7: {target_transform: minmax, weight: 2}\n"
    )

    assert losses == {
        "age": ColumnLossConfig(loss_type="quantile", quantiles=(0.1, 0.5, 0.9)),
        "7": ColumnLossConfig(target_transform="minmax", weight=2.0),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age: [", "not valid YAML"),
        ("", "expected lines such as"),
        ("- age", "expected lines such as"),
        ("age: huber", "age .*'huber'"),
        ("age: {los-type: mse}", "age .*'los-type'; .*loss-type, quantiles, .*weight"),
        ("age: {loss-type: cubic}", "age: --loss-type cubic"),
        ("age: {weight: 0}", "age: --weight 0: "),
        ("age: {over-penalty: 3}", "age: --over-penalty and --under-penalty .*no effect"),
    ],
)
def test_what_no_column_can_have_is_refused(text, message, tmp_path):
    with pytest.raises(LossFileError, match=message):
        read(tmp_path, text)
