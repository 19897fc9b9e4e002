"""Places for results: nothing a user made, and nothing that a command reads, is replaced."""

from pathlib import Path

import pytest

from aam.config.base import command_that_wrote, write_yaml
from aam.config.commands import TrainConfig
from aam.config.study import DistanceConfig, LabelConfig, OutputDirectoryConfig, StudyConfig
from aam.config.tools import SimulateConfig
from aam.config.training import TransferConfig
from aam.errors import OutputError
from aam.storage.output import check_continued_directory, check_output_directory, start_output_directory


def config(path, overwrite=True):
    return SimulateConfig(output=OutputDirectoryConfig(output_dir=path, overwrite=overwrite))


def reading(path, **given):
    """Give the config of a command that reads files."""
    files = {"table": Path("t"), "metadata": Path("m"), "tree": None, "pretrained": None} | given
    return TrainConfig(
        study=StudyConfig(table=files["table"], cache_dir=path / "cache"),
        label=LabelConfig(metadata=files["metadata"], metadata_column=("age",)),
        distance=DistanceConfig(tree=files["tree"]),
        transfer=TransferConfig(pretrained=files["pretrained"]),
        output=OutputDirectoryConfig(output_dir=path, overwrite=True),
    )


@pytest.fixture
def used(tmp_path):
    """A directory with the results of an earlier run and a file of the user's."""
    for name in ("run/metrics.json", "run/plots/old.png", "run/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("earlier")
    (tmp_path / "run/config.yaml").write_text(write_yaml(config(tmp_path / "run")))
    return tmp_path / "run"


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_or_empty_directory_is_taken_and_not_made_yet(overwrite, tmp_path):
    (tmp_path / "empty").mkdir()

    check_output_directory(config(tmp_path / "empty", overwrite))
    check_output_directory(config(tmp_path / "a/b/new", overwrite))

    assert names(tmp_path) == ["empty"]


def test_a_directory_that_holds_anything_is_refused_and_its_files_are_named(used):
    message = r"run is not empty: it holds 'config.yaml', 'metrics.json', 'notes.txt', 'plots'\. Name a new directory, or pass"

    with pytest.raises(OutputError, match=message):
        check_output_directory(config(used, overwrite=False))


def test_a_hidden_file_counts_as_content(tmp_path):
    (tmp_path / ".hidden").touch()

    with pytest.raises(OutputError, match=r"it holds '\.hidden'"):
        check_output_directory(config(tmp_path, overwrite=False))


def test_overwriting_is_allowed_and_removes_nothing_by_itself(used):
    before = names(used)

    check_output_directory(config(used))

    assert names(used) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_place_of_the_directory_is_refused(overwrite, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"--output-dir \S+file is a file; name a directory"):
        check_output_directory(config(tmp_path / "file", overwrite))


def test_only_what_the_run_writes_is_removed(used):
    start_output_directory(config(used), ["metrics.json", "plots", "model"])

    assert names(used) == ["config.yaml", "notes.txt"]
    assert (used / "notes.txt").read_text() == "earlier"


def test_a_new_directory_is_made_with_its_parents(tmp_path):
    start_output_directory(config(tmp_path / "a/b"), ["metrics.json"])

    assert names(tmp_path) == ["a", "a/b", "a/b/config.yaml"]
    assert command_that_wrote(tmp_path / "a/b/config.yaml") == "simulate"


def test_a_link_is_removed_and_what_it_points_to_stays(used, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").touch()
    (used / "model").symlink_to(tmp_path / "elsewhere")
    (used / "lost").symlink_to(tmp_path / "nowhere")

    start_output_directory(config(used), ["model", "lost"])

    assert not (used / "model").is_symlink()
    assert not (used / "lost").is_symlink()
    assert (tmp_path / "elsewhere/precious").exists()


def test_a_place_inside_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"--output-dir \S+file/run: Not a directory\. Name another place"):
        start_output_directory(config(tmp_path / "file/run"), [])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, r"no config\.yaml of 'aam simulate' is in it"),
        ("# my own settings\na: 1\n", r"no config\.yaml of 'aam simulate' is in it"),
        ("# aam train, version 0.1.0\nepochs: 3\n", r"'aam train' wrote it"),
    ],
)
def test_a_directory_that_the_command_did_not_write_is_refused_even_when_asked(content, found, used):
    (used / "config.yaml").unlink()
    if content is not None:
        (used / "config.yaml").write_text(content)

    with pytest.raises(
        OutputError, match=rf"--overwrite replaces an earlier run of 'aam simulate' only, and {found}\. Name a new"
    ):
        check_output_directory(config(used))


def test_a_directory_in_the_place_of_the_options_is_no_mark(used):
    (used / "config.yaml").unlink()
    (used / "config.yaml").mkdir()

    with pytest.raises(OutputError, match=r"no config\.yaml of"):
        check_output_directory(config(used))


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("table", "t.biom"),
        ("metadata", "a/m.tsv"),
        ("tree", "../run/n.nwk"),
        ("pretrained", ""),
        ("pretrained", "model"),
    ],
)
def test_an_input_in_the_directory_is_refused(flag, name, used):
    with pytest.raises(
        OutputError, match=rf"--{flag} \S+ lies in --output-dir \S+run, and no command writes over what"
    ):
        check_output_directory(reading(used, **{flag: used / name}))


def test_a_link_does_not_hide_an_input(used, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (used / "model").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "alias").symlink_to(used)

    for pretrained in (used / "model", tmp_path / "alias"):
        with pytest.raises(OutputError, match=r"--pretrained .* lies in"):
            check_output_directory(reading(used, pretrained=pretrained))


def test_a_new_directory_inside_an_input_is_taken(tmp_path):
    (tmp_path / "pretrained").mkdir()

    check_output_directory(reading(tmp_path / "pretrained/trained", pretrained=tmp_path / "pretrained"))


def test_of_two_runs_that_start_at_once_one_gets_the_directory(tmp_path):
    check_output_directory(config(tmp_path / "run", overwrite=False))
    check_output_directory(config(tmp_path / "run", overwrite=False))
    start_output_directory(config(tmp_path / "run", overwrite=False), ["model"])

    with pytest.raises(OutputError, match="another run has started there meanwhile"):
        start_output_directory(config(tmp_path / "run", overwrite=False), ["model"])


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(OutputError, match=r"--output-dir \S+loop: Too many levels of symbolic links"):
        check_output_directory(config(tmp_path / "loop"))


def test_only_an_earlier_run_of_the_command_is_continued(used, tmp_path):
    before = names(used)

    assert check_continued_directory(config(used, overwrite=False))
    assert not check_continued_directory(config(tmp_path / "new", overwrite=False))

    assert names(used) == before
    (used / "config.yaml").write_text("# aam train, version 0.1.0\n")
    with pytest.raises(OutputError, match=r"--resume continues a run of 'aam simulate' only, and 'aam train' wrote it"):
        check_continued_directory(config(used, overwrite=False))
