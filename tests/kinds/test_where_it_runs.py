"""Places that cannot be read, written or filled: one message, exit code 2, and nothing is fitted before it is noticed."""

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.commands import QUIET, TINY, files_of, labels_of, pretrain, run, simulate, succeed, train
from helpers.kinds import Kind

KINDS = {
    "cache": Kind(
        "Where it runs",
        "A cache that exists and cannot be written: prepared by another, on a read-only disk, in a container",
        "What is in it is read. A study that is missing in it ends the command; vectors of ASVs that are missing are computed for "
        "the command alone, with a warning",
        "`--cache-dir PLACE`, or `AAM_CACHE_DIR`",
    ),
    "output": Kind(
        "Where it runs",
        "An output that cannot be written: no right, a read-only disk, no space",
        "Ends every command before anything is read or fitted",
        "Name another place, or free space",
    ),
    "input": Kind(
        "Where it runs",
        "A table, a metadata file or a model folder that may not be read",
        "Ends the command with the name of the file and the system's reason",
        "Ask the owner for the right to read it, or for a copy",
    ),
    "disk": Kind(
        "Where it runs",
        "A disk that fills up or vanishes while a command runs",
        "Ends the command with the name of the file; a model whose fit is done is saved in the folder for temporary files",
        "Free space, and run it again",
    ),
    "parallel": Kind(
        "Where it runs",
        "Several first runs at once, of a cluster's array job",
        "The study is built once, by one of them; the others wait and read it",
        "Nothing",
    ),
}

WITHOUT_RIGHTS = [
    "setpriv",
    "--bounding-set",
    "-dac_override,-dac_read_search",
    "--inh-caps",
    "-dac_override,-dac_read_search",
]
"""Begins a command in which permissions bind the root user, too."""

pytestmark = [pytest.mark.multi_process, QUIET]


def as_user(*arguments, **environment):
    """Run aam in a process that permissions bind."""
    is_root = os.geteuid() == 0
    if is_root and shutil.which("setpriv") is None:
        pytest.skip("permissions do not bind the root user, and there is no setpriv")
    command = [*(WITHOUT_RIGHTS if is_root else []), sys.executable, "-m", "aam", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | {name: str(value) for name, value in environment.items()}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def assert_is_refused(shown, *words):
    assert shown.returncode == 2, shown.stderr
    assert "Traceback" not in shown.stderr
    assert all(word in shown.stderr.splitlines()[-1] for word in words), shown.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A study, a model of it, a pre-trained encoder, and a network of that."""
    folder = tmp_path_factory.mktemp("runs")
    study = simulate(folder / "study", 24, 20, 20)
    assert train(study, folder / "model", "--group-column", "subject") == 0
    assert pretrain(study, folder / "encoder", *TINY, "--epochs", "1", "--penalty", "0") == 0
    network = ["--head", "network", "--pretrained", folder / "encoder", "--epochs", "1"]
    assert train(study, folder / "network", "--group-column", "subject", *network) == 0
    return folder


@pytest.fixture
def closed():
    """Function that takes rights of a folder away until the test is over."""
    paths = []

    def close(path, mode):
        paths.append((path, path.stat().st_mode))
        path.chmod(mode)
        return path

    yield close
    for path, mode in reversed(paths):
        path.chmod(mode)


QUICK_FOLDS = ("--folds", "2", "--baselines", "linear", "--no-aam")

RUNS = {
    "prepare": (None, ()),
    "predict": ("model", ("p.tsv",)),
    "embed": ("encoder", ("e.tsv",)),
    "train": (None, ("m/validation_predictions.tsv", "m/metrics.json", "m/splits.tsv")),
    "evaluate": ("model", ("s/predictions.tsv", "s/metrics.json")),
    "crossval": (None, ("f/predictions.tsv", "f/results.tsv")),
}
"""Model of each command, and the files that it writes."""


def command_of(name, runs, folder, cache, model=None):
    """Return a command that writes its results into a folder; with another model, if one is named."""
    study, model = runs / "study", model or RUNS[name][0]
    labels = labels_of(study / "metadata.tsv", "age")
    options = {
        "prepare": [],
        "predict": ["--output", folder / "p.tsv"],
        "embed": ["--output", folder / "e.tsv"],
        "train": [*labels, "--head", "network", *TINY, "--epochs", "1", "--output-dir", folder / "m"],
        "evaluate": [*labels, "--output-dir", folder / "s"],
        "crossval": [*labels, *QUICK_FOLDS, "--output-dir", folder / "f"],
    }[name]
    of_model = [] if model is None else ["--model", runs / model]
    return [name, *of_model, *files_of(study), *options, "--cache-dir", cache]


def results_of(name, folder):
    """Return the content of what a command wrote."""
    return {path: (folder / path).read_bytes() for path in RUNS[name][1]}


def run_into(name, runs, folder, cache, model=None):
    """Run a command in this process and return its results."""
    folder.mkdir()
    succeed(*command_of(name, runs, folder, cache, model))
    return results_of(name, folder)


def read_only(cache, closed):
    for path in [*cache.rglob("*"), cache]:
        closed(path, 0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize("name", ["predict", "embed", "evaluate", "crossval"])
def test_what_is_in_a_read_only_cache_is_read(name, runs, tmp_path, closed):
    cache = tmp_path / "cache"
    first = run_into(name, runs, tmp_path / "first", cache)
    read_only(cache, closed)
    (tmp_path / "second").mkdir()

    shown = as_user(*command_of(name, runs, tmp_path / "second", cache))

    assert shown.returncode == 0, shown.stderr
    assert "cannot be written" not in shown.stderr
    assert results_of(name, tmp_path / "second") == first


@pytest.mark.parametrize("name", ["prepare", "predict", "train"])
def test_a_study_that_is_missing_in_a_read_only_cache_ends_the_command(name, runs, tmp_path, closed):
    (tmp_path / "cache").mkdir()
    closed(tmp_path / "cache", 0o555)

    shown = as_user(*command_of(name, runs, tmp_path, tmp_path / "cache"))

    assert_is_refused(shown, "cache cannot be written: Permission denied", "--cache-dir")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"], "nothing was begun"


@pytest.mark.parametrize(("name", "model"), [("embed", "encoder"), ("predict", "network"), ("evaluate", "network")])
def test_vectors_that_are_missing_in_a_read_only_cache_are_computed_for_the_command_alone(
    name, model, runs, tmp_path, closed
):
    expected = run_into(name, runs, tmp_path / "first", tmp_path / "other", model)
    cache = tmp_path / "cache"
    succeed(*command_of("prepare", runs, tmp_path, cache))
    read_only(cache, closed)
    (tmp_path / "second").mkdir()

    shown = as_user(*command_of(name, runs, tmp_path / "second", cache, model))

    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("What is missing in it is computed for this command alone") == 1
    assert results_of(name, tmp_path / "second") == expected
    assert not (cache / "asv-vectors").exists()


@pytest.mark.parametrize("command", ["predict", "embed", "train", "crossval", "evaluate", "pretrain"])
def test_an_output_that_cannot_be_written_is_noticed_first(command, runs, tmp_path, closed):
    folder = tmp_path / "closed"
    folder.mkdir()
    closed(folder, 0o555)
    study = runs / "study"
    labels = labels_of(study / "metadata.tsv", "age")
    options = {
        "predict": ["--model", runs / "model", "--output", folder / "p.tsv"],
        "embed": ["--model", runs / "model", "--output", folder / "e.tsv"],
        "train": [*labels, "--output-dir", folder / "m"],
        "crossval": [*labels, "--folds", "2", "--output-dir", folder],
        "evaluate": [*labels, "--model", runs / "model", "--output-dir", folder / "e" / "f"],
        "pretrain": ["--penalty", "0", "--output-dir", folder / "m"],
    }[command]

    shown = as_user(command, *files_of(study), *options)

    assert_is_refused(shown, "--output", "cannot be written: Permission denied")
    assert "samples" not in shown.stderr, "nothing was read"


@pytest.mark.parametrize(
    ("closed_path", "message"),
    [
        ("model/model", "The model in "),
        ("model/model/model.safetensors", "The model in "),
        ("study/table.biom", "--table "),
        ("study/sequences.fasta", "--sequences "),
    ],
)
def test_an_input_that_may_not_be_read_is_named(closed_path, message, runs, tmp_path, closed):
    for name in ("study", "model"):
        shutil.copytree(runs / name, tmp_path / name)
    closed(tmp_path / closed_path, 0o000)

    shown = as_user(
        "predict", "--model", tmp_path / "model", *files_of(tmp_path / "study"), "--output", tmp_path / "p.tsv"
    )

    assert_is_refused(shown, message, "cannot be read", "Permission denied")
    assert not (tmp_path / "p.tsv").exists()


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("aam.commands.simulate.simulate", OSError(errno.ENOSPC, "No space left on device", "/disk/x")),
        ("aam.commands.simulate.simulate", OSError(errno.EROFS, "Read-only file system", "/disk/x")),
        ("aam.commands.simulate.simulate", FileNotFoundError(errno.ENOENT, "No such file or directory", "/disk/x")),
    ],
    ids=["full", "read-only", "vanished"],
)
def test_a_disk_that_fails_under_a_command_is_one_message(function, error, monkeypatch, tmp_path, capsys):
    def fail(config):
        raise error

    monkeypatch.setattr(function, fail)

    assert run("simulate", "--output-dir", tmp_path / "s") == 2
    reason = f"aam simulate: /disk/x: {error.strerror}. Check that the place exists, can be used and has space.\n"
    assert capsys.readouterr().err == reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prepare", "train", "predict"])
def test_first_runs_at_once_read_one_study_and_give_the_same_results(name, runs, tmp_path):
    cache = tmp_path / "cache"
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()

    with ThreadPoolExecutor(3) as pool:
        shown = list(pool.map(lambda folder: as_user(*command_of(name, runs, folder, cache)), folders))

    assert [one.returncode for one in shown] == [0, 0, 0], [one.stderr for one in shown]
    assert sum("Reading" in one.stderr for one in shown) == 1
    assert {kind: len(list((cache / kind).iterdir())) for kind in ("study", "unfinished")} == {
        "study": 1,
        "unfinished": 0,
    }
    alone = run_into(name, runs, tmp_path / "alone", tmp_path / "other")
    assert [results_of(name, folder) for folder in folders] == [alone] * 3
