"""Files that may or may not be read: flipped bits, other options' files, and unusual but right ones."""

import os
from pathlib import Path

import numpy as np
import pytest

from aam.errors import AamError, InputError
from aam.io.tables import read_table
from helpers.bad_files import PLAIN, READERS, Given, assert_is_one_clear_message, read_sequences
from helpers.files import FASTA, SAMPLES, classic_table, json_table, valid_files


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return valid_files(tmp_path_factory.mktemp("valid"))


@pytest.fixture
def given(valid, tmp_path):
    return Given(valid, tmp_path)


FLIPS = [
    "table.biom",
    "table.qza",
    "sparse.json.gz",
    "tree.qza",
    "tree.nwk.gz",
    "distances.npy",
    "distances.h5",
    "taxonomy.qza",
]


@pytest.mark.parametrize("name", FLIPS)
def test_flipped_bits_give_a_refusal_or_a_reading_but_no_other_exception(given, name):
    option = next(option for option, files in given.valid.items() if name in files)
    given.file("distances.ids", "\n".join(SAMPLES))
    n_refused = 0

    for step in range(60):
        try:
            READERS[option](given.flip(name, step / 60))
        except AamError as error:
            assert_is_one_clear_message(error, option)
            n_refused += 1

    assert n_refused > 3


ELSEWHERE = {
    ("--metadata", "taxonomy.tsv"), ("--metadata", "taxonomy.tsv.gz"), ("--metadata", "taxonomy.qza"),
    ("--taxonomy", "taxa.tsv"), ("--taxonomy", "taxa.tsv.gz"),
}  # fmt: skip
"""Taxonomies are metadata of features in QIIME 2; that no sample is in them is noticed when samples are looked up.

A table with a column of lineages is a taxonomy as well."""


@pytest.mark.parametrize("option", READERS)
@pytest.mark.parametrize("other", READERS)
def test_files_that_are_swapped_between_options_are_refused(given, option, other):
    for name, path in given.valid[other].items():
        if option == other or (option, name) in ELSEWHERE:
            READERS[option](path)
            continue
        with pytest.raises(InputError) as caught:
            READERS[option](path)
        assert_is_one_clear_message(caught.value, option)


@pytest.mark.parametrize("option", READERS)
def test_unreadable_files_are_refused(given, monkeypatch, option):
    opened = Path.open

    def refuse(path, *arguments, **options):
        if path.parent == given.own:
            raise PermissionError(
                13, "Permission denied"
            )  # root may read everything, so permissions cannot be used here
        return opened(path, *arguments, **options)

    path = given.file(PLAIN[option], "x")
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(InputError, match="Permission denied"):
        READERS[option](path)


def test_a_pipe_is_refused(given):
    os.mkfifo(given.own / "pipe")

    with pytest.raises(InputError, match="is a pipe or device"):
        read_table(given.own / "pipe")


TOKENS = [
    [1, 2, 3, 4, 1, 2, 3, 4, 1, 2],
    [1, 2, 3, 4, 4, 2, 3, 4, 1, 1],
    [3, 3, 3, 4, 1, 2, 3, 4, 1, 2],
    [1, 2, 3, 4, 1, 2, 3, 4, 4, 4],
]


@pytest.mark.parametrize(
    "change",
    [str, str.lower, lambda fasta: fasta.replace("T", "U"), lambda fasta: fasta.replace("\n", "\r\n"), str.swapcase],
)
def test_mixed_case_and_rna_are_the_same_sequences(given, change):
    records = [record.partition("\n") for record in FASTA.split(">")[1:]]
    changed = "".join(f">{header}\n{change(body)}" for header, _, body in records)

    assert read_sequences(given.file("s.fasta", changed)) == TOKENS


@pytest.mark.parametrize("values", [np.zeros((3, 4), dtype=int), np.diag([1, 0, 2, 0])[:3]])
def test_empty_samples_and_features_and_tables_of_zeros_are_read(given, values):
    for path in (
        given.table(values=values),
        given.file("t.tsv", classic_table(values)),
        given.file("t.json", json_table(values)),
    ):
        np.testing.assert_array_equal(read_table(path).counts.toarray(), values)
