"""Options of explanations: what each needs, and what is refused."""

import pytest

from aam.cli import main
from helpers.commands import QUIET

pytestmark = QUIET

FILES = ("--model", "m", "--table", "t.tsv", "--sequences", "s.fasta", "--output-dir", "o")
FOLDS = (
    "--table",
    "t.tsv",
    "--sequences",
    "s.fasta",
    "--metadata",
    "m.tsv",
    "--metadata-column",
    "age",
    "--output-dir",
    "o",
    "--folds",
    "3",
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metadata-column", "age"], "--metadata-column has no effect without --metadata"),
        (["--group-column", "subject"], "--group-column has no effect without --metadata"),
        (["--metadata", "m.tsv", "--metadata-column", "a", "b"], "one column is explained at a time"),
        (["--root", "midpoint"], "--root has no effect without --tree"),
        (["--nucleotides"], "--nucleotides has no effect without --gradients"),
        (["--nuisance-columns", "run"], "--nuisance-columns needs --metadata and --metadata-column"),
        (["--null-draws", "5"], "--null-draws"),
        (["--top", "0"], "--top"),
        (["--rarefactions", "-1"], "--rarefactions"),
    ],
)
def test_what_aam_explain_refuses(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["explain", *FILES, *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--top", "5"], "--top has no effect without --explain"),
        (["--no-attributions"], "--attributions has no effect without --explain"),
        (["--nuisance-columns", "run"], "--nuisance-columns has no effect without --explain"),
        (["--explain", "--no-aam"], "--explain has no effect without --aam"),
    ],
)
def test_what_aam_crossval_refuses(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["crossval", *FOLDS, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "crossval"])
def test_help_says_what_each_option_needs(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help", "all"])

    text = capsys.readouterr().out
    assert "--explain True" not in text
    assert ("(only with --explain)" in text) == (command == "crossval")
