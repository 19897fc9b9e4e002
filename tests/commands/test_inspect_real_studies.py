"""``aam inspect`` on real studies."""

import re

import pytest

from aam.cli import COMMANDS, parse
from helpers.studies import real_study


@pytest.mark.parametrize(
    ("name", "group", "problem"),
    [
        ("moving_pictures", None, None),
        ("ibd_2538", "host_subject_id", None),
        ("ecam_infant", "host_subject_id", None),
    ],
)
def test_real_studies_fit_together(name, group, problem, inspect):
    folder = real_study(name)

    code, _, _, report = inspect(
        *(path for path in sorted(folder.iterdir()) if path.suffix in (".biom", ".fasta", ".nwk", ".tsv"))
    )

    assert code == 0
    assert report["study"]["group_column"] == group
    assert report["study"]["problems"].get("tree") == problem
    for command in report["study"]["commands"]:
        parse(command[1], command[2:])
    assert {command[1] for command in report["study"]["commands"]} <= set(COMMANDS)


def test_a_column_of_two_subjects_may_be_of_two_classes(inspect):
    _, text, _, report = inspect(*(real_study("cfs") / name for name in ("table.biom", "metadata.tsv")))

    assert report["study"]["group_column"] is None
    assert re.search(r"Subject .*\b2 values.*--group-column Subject\b", " ".join(text.split()))


def test_published_artifacts_are_recognised(inspect):
    folder = real_study("moving_pictures") / "qza"

    code, text, _, report = inspect(*sorted(folder.iterdir()))

    assert code == 0
    assert text.count("checksums hold") == 5
    assert "uuid 3a0bc8cf-afb4-447a-a144-f49cedcaa1fc" in text
    assert {file["kind"] for file in report["files"]} == {
        "distances",
        "sequences",
        "tree",
        "metadata",
        "table",
        "taxonomy",
    }
