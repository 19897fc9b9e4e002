"""A table is turned if its samples are certainly features."""

import pytest

from aam.io.foreign.cells import split_cells
from aam.io.foreign.loose_table import are_features, looks_like_counts, turned_if_certain
from aam.io.tables import open_table
from helpers.files import COUNTS, FEATURES, SAMPLES, hdf5_table

FASTA = "".join(f">{name}\n{'ACGT' * 10}\n" for name in FEATURES)


def test_a_table_on_disk_is_turned_if_its_samples_are_in_the_fasta(tmp_path):
    path = hdf5_table(tmp_path / "t.biom", COUNTS.T, FEATURES, SAMPLES)
    (tmp_path / "s.fasta").write_text(FASTA)

    with open_table(path) as table:
        turned = turned_if_certain(path, table, tmp_path / "s.fasta")

    assert turned is not None
    assert (turned.sample_ids, turned.feature_ids) == (SAMPLES, FEATURES)
    assert turned.counts.toarray().tolist() == COUNTS.tolist()


@pytest.mark.parametrize("fasta", [FASTA.replace("F4", "G4"), FASTA + ">S2\nACGT\n", ">other\nACGT\n"])
def test_a_table_is_left_where_that_is_uncertain(tmp_path, fasta):
    path = hdf5_table(tmp_path / "t.biom", COUNTS.T, FEATURES, SAMPLES)
    (tmp_path / "s.fasta").write_text(fasta)

    with open_table(path) as table:
        assert turned_if_certain(path, table, tmp_path / "s.fasta") is None


@pytest.mark.parametrize(
    ("text", "is_table"),
    [
        (",S1,S2\nF1,3,0\n", True),
        (",S1,S2\nF1,3,0.5\n", False),
        ("sample-id,age,parity\nS1,3,0\n", False),
        ("SampleID,ASV1,ASV2\nS1,3,0\n", True),
        (",observed\nS1,3\n", False),
        (",age,site\nS1,3,gut\n", False),
        ("OTU,S1,S2,Genus\nF1,3,0,Blautia\n", True),
    ],
)
def test_counts_are_told_from_metadata(text, is_table):
    cells = split_cells(text)

    assert cells is not None
    assert looks_like_counts(cells) is is_table


@pytest.mark.parametrize(
    "name", ["ASV1", "Otu00012", "zotu_7", "denovo3", "f1f8f4bf413b16ad135722aa4591043e", "ACGT" * 9]
)
def test_names_that_programs_give_to_features_are_known(name):
    assert are_features([name])
    assert not are_features([name, "S1"])
