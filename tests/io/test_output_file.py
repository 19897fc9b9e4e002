"""Places for one table: nothing that aam reads, and nothing a user made, is replaced unasked."""

import os
from pathlib import Path

import pytest

from aam.config.base import write_yaml
from aam.config.commands import EmbedConfig, InferenceConfig
from aam.config.study import OutputFileConfig, StudyConfig
from aam.errors import OutputError
from aam.storage.output import check_output_file, options_beside, write_options_beside


def config(path, overwrite=False, table="table.biom", sequences=None):
    return EmbedConfig(
        study=StudyConfig(table=Path(table), sequences=sequences),
        inference=InferenceConfig(model=Path("model")),
        output=OutputFileConfig(output=path, overwrite=overwrite),
    )


def test_a_new_file_in_a_folder_is_taken(tmp_path):
    check_output_file(config(tmp_path / "out.tsv"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.tsv.gz", "out.qza"])
def test_a_name_that_promises_another_format_is_refused(name, tmp_path):
    with pytest.raises(OutputError, match=r"is written as plain text\. Name it out\.tsv"):
        check_output_file(config(tmp_path / name))


def test_a_file_that_exists_is_replaced_only_when_asked(tmp_path):
    (tmp_path / "out.tsv").write_text("mine")

    check_output_file(config(tmp_path / "out.tsv", overwrite=True))
    with pytest.raises(
        OutputError, match=r"--output \S+out\.tsv exists\. Name another file, or pass --overwrite to replace it"
    ):
        check_output_file(config(tmp_path / "out.tsv"))

    assert (tmp_path / "out.tsv").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"--output \S+ is a directory; name a file in it"),
        ("a/out.tsv", r"out\.tsv: the folder \S+a does not exist\. Create it first"),
    ],
)
def test_a_directory_or_a_missing_folder_is_refused(name, message, overwrite, tmp_path):
    with pytest.raises(OutputError, match=message):
        check_output_file(config(tmp_path / name, overwrite))


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

    with pytest.raises(
        OutputError, match=rf"--output \S+ would replace {flag} \S+{given}, which is read\. Name another"
    ):
        check_output_file(config(tmp_path / output, overwrite=True, **asked))


def test_options_of_an_earlier_run_are_replaced_when_asked_and_a_users_own_file_never(tmp_path):
    earlier = config(tmp_path / "out.tsv", overwrite=True)
    write_options_beside(earlier)

    check_output_file(earlier)
    with pytest.raises(OutputError, match=r"go to \S+out\.config\.yaml, which exists\. .* to replace both"):
        check_output_file(config(tmp_path / "out.tsv"))
    assert (tmp_path / "out.config.yaml").read_text() == write_yaml(earlier)

    (tmp_path / "out.config.yaml").write_text("mine: 1")
    with pytest.raises(OutputError, match=r"go to \S+out\.config\.yaml, which aam did not write and does not replace"):
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

    with pytest.raises(OutputError, match=r"would replace --model \S+trained, which is read"):
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
            check_output_file(config(tmp_path / name, overwrite=True))
