"""A file that says how columns are learned."""

import pytest

from aam.config.target import ColumnLossConfig
from aam.io.label_files import LossFileError, read_column_losses


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
        ("age: [", "is not valid YAML"),
        ("", "expected lines such as"),
        ("- age", "expected lines such as"),
        ("age: huber", "age has no settings, but 'huber'"),
        ("age: {los-type: mse}", "age has 'los-type'; known are loss-type, quantiles, .*weight"),
        ("age: {loss-type: cubic}", "age: --loss-type cubic"),
        ("age: {weight: 0}", "age: --weight 0: input should be greater than 0"),
        ("age: {over-penalty: 3}", "age: --over-penalty and --under-penalty have no effect without"),
    ],
)
def test_what_no_column_can_have_is_refused(text, message, tmp_path):
    with pytest.raises(LossFileError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LossFileError, match=r"--loss-config .*absent\.yaml"):
        read_column_losses(tmp_path / "absent.yaml")
