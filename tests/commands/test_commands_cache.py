"""``aam cache`` and ``aam prepare``: what is kept between runs."""

import re
import shutil

import pytest

from helpers.commands import files_of, run, simulate


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("cached") / "study", 8, 20, 150)


def prepare(study, cache, *more):
    return run("prepare", *files_of(study, "tree"), "--cache-dir", cache, *more)


def listed(cache, capsys, *options):
    capsys.readouterr()
    assert run("cache", "--cache-dir", cache, *options) == 0
    *rows, summary = capsys.readouterr().out.splitlines()
    return [row.split()[4] for row in rows], summary


def test_a_prepared_study_is_listed_and_not_built_again(study, tmp_path, capsys):
    assert prepare(study, tmp_path) == 0
    assert "20 of 20 features" in capsys.readouterr().err
    assert prepare(study, tmp_path) == 0
    assert "PredictOptions" not in capsys.readouterr().err

    kinds, summary = listed(tmp_path, capsys)

    assert sorted(kinds) == ["study", "tree"]
    assert "2 entries" in summary


def test_a_study_in_other_files_is_the_same_study(study, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    prepare(study, tmp_path / "cache")
    prepare(copy, tmp_path / "cache")

    assert "2 entries" in listed(tmp_path / "cache", capsys)[1]


def test_a_limit_is_kept_and_clearing_empties(study, tmp_path, capsys):
    prepare(study, tmp_path)

    assert listed(tmp_path, capsys, "--limit-gb", "1")[1].endswith("at most 1 GB")
    assert listed(tmp_path, capsys)[1].endswith("at most 1 GB")
    assert run("cache", "--cache-dir", tmp_path, "--clear") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Removed ")
    assert "0 entries" in said[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--tree": "none.nwk"}, "--tree none.nwk does not exist"),
        ({"--table": "none.biom"}, "none.biom does not exist"),
    ],
)
def test_files_that_do_not_exist_are_one_message(study, tmp_path, capsys, change, message):
    options = {
        "--table": study / "table.biom",
        "--sequences": study / "sequences.fasta",
        "--cache-dir": tmp_path,
    } | change

    assert run("prepare", *(word for pair in options.items() for word in pair)) == 2

    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("options", [[], ["--clear"], ["--limit-gb", "1"]])
@pytest.mark.parametrize("name", ["typo", "folder", "file"])
def test_a_cache_that_does_not_exist_is_said_and_not_made(tmp_path, capsys, name, options):
    """Clearing must not take what another program keeps in the same layout."""
    (tmp_path / "folder/mine/photos").mkdir(parents=True)
    (tmp_path / "folder/mine/photos/used").touch()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))

    assert run("cache", "--cache-dir", tmp_path / name, *options) == 2

    assert re.search(rf"{tmp_path / name}.*--cache-dir", capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before
