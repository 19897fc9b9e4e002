"""Places for results: nothing a user made is replaced unasked."""

import pytest

from aam.errors import OutputError
from aam.io.output_directory import check_output_directory, check_output_file, start_output_directory


@pytest.fixture
def used(tmp_path):
    """A directory with the results of an earlier run and a file of the user's."""
    for name in ("run/metrics.json", "run/plots/old.png", "run/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("earlier")
    return tmp_path / "run"


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_or_empty_directory_is_taken_and_not_made_yet(overwrite, tmp_path):
    (tmp_path / "empty").mkdir()

    check_output_directory(tmp_path / "empty", overwrite)
    check_output_directory(tmp_path / "a/b/new", overwrite)

    assert names(tmp_path) == ["empty"]


def test_a_directory_that_holds_anything_is_refused_and_its_files_are_named(used):
    message = (
        r"run is not empty: it holds 'metrics.json', 'notes.txt', 'plots'\. Name a new directory, or pass --overwrite"
    )

    with pytest.raises(OutputError, match=message):
        check_output_directory(used, overwrite=False)


def test_a_hidden_file_counts_as_content(tmp_path):
    (tmp_path / ".hidden").touch()

    with pytest.raises(OutputError, match=r"it holds '\.hidden'"):
        check_output_directory(tmp_path, overwrite=False)


def test_overwriting_is_allowed_and_removes_nothing_by_itself(used):
    before = names(used)

    check_output_directory(used, overwrite=True)

    assert names(used) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_place_of_the_directory_is_refused(overwrite, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"--output-dir \S+file is a file; name a directory"):
        check_output_directory(tmp_path / "file", overwrite)


def test_only_what_the_run_writes_is_removed(used):
    start_output_directory(used, ["metrics.json", "plots", "model"])

    assert names(used) == ["notes.txt"]
    assert (used / "notes.txt").read_text() == "earlier"


def test_a_new_directory_is_made_with_its_parents(tmp_path):
    start_output_directory(tmp_path / "a/b", ["metrics.json"])

    assert names(tmp_path) == ["a", "a/b"]


def test_a_link_is_removed_and_what_it_points_to_stays(used, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").touch()
    (used / "model").symlink_to(tmp_path / "elsewhere")
    (used / "lost").symlink_to(tmp_path / "nowhere")

    start_output_directory(used, ["model", "lost"])

    assert not (used / "model").is_symlink()
    assert not (used / "lost").is_symlink()
    assert (tmp_path / "elsewhere/precious").exists()


def test_a_place_inside_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"--output-dir \S+file/run: Not a directory\. Name another place"):
        start_output_directory(tmp_path / "file/run", [])


def test_a_new_file_in_a_folder_is_taken(tmp_path):
    check_output_file(tmp_path / "out.tsv", overwrite=False)

    assert names(tmp_path) == []


def test_a_file_that_exists_is_replaced_only_when_asked(tmp_path):
    (tmp_path / "out.tsv").write_text("mine")

    check_output_file(tmp_path / "out.tsv", overwrite=True)
    with pytest.raises(
        OutputError, match=r"--output \S+out\.tsv exists\. Name another file, or pass --overwrite to replace it"
    ):
        check_output_file(tmp_path / "out.tsv", overwrite=False)

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
        check_output_file(tmp_path / name, overwrite)
