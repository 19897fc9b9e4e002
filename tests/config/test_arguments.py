"""What the user typed is checked before a config is built: unknown options and values of the wrong type are named."""

import pytest

from aam.cli import main

TRAIN = ["train", "--table", "t", "--metadata", "m", "--metadata-column", "age", "--output-dir", "o"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["train", "--tabel", "x"],
            "aam train: there is no option --tabel; did you mean --table? aam train --help all lists them.\n",
        ),
        ([*TRAIN, "--qqq"], "aam train: there is no option --qqq. aam train --help all lists them.\n"),
        ([*TRAIN, "--epochs", "five"], "aam train: --epochs five: expected a whole number.\n"),
        ([*TRAIN, "--epochs=five"], "aam train: --epochs five: expected a whole number.\n"),
        ([*TRAIN, "--epochs", "2.5"], "aam train: --epochs 2.5: expected a whole number.\n"),
        ([*TRAIN, "--lr", "fast"], "aam train: --lr fast: expected a number.\n"),
        (
            [*TRAIN, "--rarefy-depth", "x"],
            "aam train: --rarefy-depth x: expected a whole number or 'auto' or 'none'.\n",
        ),
        ([*TRAIN, "--head", "forest"], "aam train: --head forest: expected 'auto', 'kernel' or 'network'.\n"),
        (["trian"], "aam: there is no command 'trian'; did you mean train? Commands: "),
        (
            ["train", "--help", "splits"],
            "aam train: --help splits: there is no such topic; did you mean split? Topics: all, ",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_mistakes_of_typing_are_named_in_one_line(given, message, capsys):
    assert main(given) == 2

    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    "given",
    [
        ["--rarefy-depth", "none"], ["--rarefy-depth", "100"], ["--batch-size", "None"], ["--baselines", "linear", "depth"],
        ["--no-aam"], ["--metadata_column", "age"], ["--seed=3"], ["--class-weights", "weights.tsv"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_values_of_the_right_type_pass(given, capsys):
    code = main(["crossval", *TRAIN[1:], *given, "--folds", "2"])

    assert (code, capsys.readouterr().err) == (2, "aam crossval: --table t does not exist. Check the path.\n")


def test_a_value_of_the_wrong_type_in_a_file_of_options_is_named_with_the_file(tmp_path, capsys):
    (tmp_path / "options.yaml").write_text("epochs: five\n")

    assert main([*TRAIN, "--config", str(tmp_path / "options.yaml")]) == 2
    assert (
        capsys.readouterr().err
        == f"aam train: --config {tmp_path}/options.yaml: --epochs five: expected a whole number.\n"
    )


def test_a_missing_file_is_named_before_another_is_read(tmp_path, capsys):
    (tmp_path / "t").write_text("no table")

    files = ["--table", str(tmp_path / "t"), "--metadata", str(tmp_path / "m"), "--metadata-column", "age"]
    assert main(["train", *files, "--output-dir", str(tmp_path / "o")]) == 2
    assert capsys.readouterr().err == f"aam train: --metadata {tmp_path}/m does not exist. Check the path.\n"
