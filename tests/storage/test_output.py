"""Places for results: nothing a user made, and nothing that a command reads, is replaced unasked."""

import os
from pathlib import Path

import pytest

from aam.config.base import command_that_wrote, write_yaml
from aam.config.commands import EmbedConfig, InferenceConfig, TrainConfig
from aam.config.study import DistanceConfig, LabelConfig, OutputDirectoryConfig, OutputFileConfig, StudyConfig
from aam.config.tools import SimulateConfig
from aam.config.training import TransferConfig
from aam.errors import OutputError
from aam.storage.output import (
    check_continued_directory,
    check_output_directory,
    check_output_file,
    options_beside,
    start_output_directory,
    write_options_beside,
)


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
    message = r"holds 'config\.yaml', 'metrics\.json', 'notes\.txt', 'plots'\. "

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

    with pytest.raises(OutputError, match=r"--output-dir \S+file is a file"):
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

    with pytest.raises(OutputError, match=r"--output-dir \S+file/run: Not a directory"):
        start_output_directory(config(tmp_path / "file/run"), [])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, r"no config\.yaml of 'aam simulate'"),
        ("# my own settings\na: 1\n", r"no config\.yaml of 'aam simulate'"),
        ("# aam train, version 0.1.0\nepochs: 3\n", r"'aam train' wrote it"),
    ],
)
def test_a_directory_that_the_command_did_not_write_is_refused_even_when_asked(content, found, used):
    (used / "config.yaml").unlink()
    if content is not None:
        (used / "config.yaml").write_text(content)

    with pytest.raises(OutputError, match=rf"--overwrite .*'aam simulate' only, .*{found}"):
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
    with pytest.raises(OutputError, match=rf"--{flag} \S+ lies in --output-dir \S+run\b"):
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
    with pytest.raises(OutputError, match=r"--resume .*'aam simulate' only, .*'aam train'"):
        check_continued_directory(config(used, overwrite=False))


def table_config(path, overwrite=False, table="table.biom", sequences=None):
    return EmbedConfig(
        study=StudyConfig(table=Path(table), sequences=sequences),
        inference=InferenceConfig(model=Path("model")),
        output=OutputFileConfig(output=path, overwrite=overwrite),
    )


def test_a_new_file_in_a_folder_is_taken(tmp_path):
    check_output_file(table_config(tmp_path / "out.tsv"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.tsv.gz", "out.qza"])
def test_a_name_that_promises_another_format_is_refused(name, tmp_path):
    with pytest.raises(OutputError, match=r"plain text\..*\bout\.tsv"):
        check_output_file(table_config(tmp_path / name))


def test_a_file_that_exists_is_replaced_only_when_asked(tmp_path):
    (tmp_path / "out.tsv").write_text("mine")

    check_output_file(table_config(tmp_path / "out.tsv", overwrite=True))
    with pytest.raises(OutputError, match=r"--output \S+out\.tsv .*--overwrite\b"):
        check_output_file(table_config(tmp_path / "out.tsv"))

    assert (tmp_path / "out.tsv").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"--output \S+ is a directory"),
        ("a/out.tsv", r"out\.tsv: .*\S+a does not exist"),
    ],
)
def test_a_directory_or_a_missing_folder_is_refused(name, message, overwrite, tmp_path):
    with pytest.raises(OutputError, match=message):
        check_output_file(table_config(tmp_path / name, overwrite))


@pytest.mark.parametrize(
    ("output", "flag", "given"),
    [
        ("in.tsv", "--table", "in.tsv"),
        ("b/../in.tsv", "--sequences", "in.tsv"),
        ("link.tsv", "--table", "in.tsv"),
        ("in.tsv", "--table", "link.tsv"),
        ("in.tsv", "--sequences", "in.config.yaml"),
    ],
)
def test_no_input_is_replaced_even_when_asked(output, flag, given, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "in.tsv").write_text("read")
    (tmp_path / "link.tsv").symlink_to("in.tsv")
    asked = {flag.removeprefix("--"): tmp_path / given}

    with pytest.raises(OutputError, match=rf"--output \S+ would replace {flag} \S+{given}\b"):
        check_output_file(table_config(tmp_path / output, overwrite=True, **asked))


def test_options_of_an_earlier_run_are_replaced_when_asked_and_a_users_own_file_never(tmp_path):
    earlier = table_config(tmp_path / "out.tsv", overwrite=True)
    write_options_beside(earlier)

    check_output_file(earlier)
    with pytest.raises(OutputError, match=r"out\.config\.yaml.* exists.*\bboth\b"):
        check_output_file(table_config(tmp_path / "out.tsv"))
    assert (tmp_path / "out.config.yaml").read_text() == write_yaml(earlier)

    (tmp_path / "out.config.yaml").write_text("mine: 1")
    with pytest.raises(OutputError, match=r"out\.config\.yaml.*aam did not write"):
        check_output_file(earlier)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("x.tsv", "x.config.yaml"),
        ("x.y.txt", "x.y.config.yaml"),
        ("x.v1", "x.v1.config.yaml"),
        ("x.v2", "x.v2.config.yaml"),
        ("x", "x.config.yaml"),
    ],
)
def test_tables_of_different_names_have_options_of_different_names(name, beside):
    assert options_beside(Path("d") / name) == Path("d") / beside


def test_a_file_of_the_model_is_not_replaced_but_a_new_one_beside_it_is_taken(tmp_path):
    model = tmp_path / "trained"
    (model / "model").mkdir(parents=True)
    (model / "model/state.json").write_text("{}")
    inference = InferenceConfig(model=model)

    def embed(output):
        study, to = StudyConfig(table=Path("t")), OutputFileConfig(output=output, overwrite=True)
        return EmbedConfig(study=study, inference=inference, output=to)

    with pytest.raises(OutputError, match=r"--model \S+trained\b"):
        check_output_file(embed(model / "model/state.json"))
    check_output_file(embed(model / "embeddings.tsv"))


def test_pipes_links_in_a_circle_and_names_that_are_too_long_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    for name, message in (
        ("pipe", "is a pipe or device"),
        ("loop", "Too many levels of symbolic links"),
        ("n" * 300, "File name too long"),
    ):
        with pytest.raises(OutputError, match=message):
            check_output_file(table_config(tmp_path / name, overwrite=True))
