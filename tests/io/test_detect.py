"""A file is told by its content, whatever its name says."""

import gzip
import re

import numpy as np
import pytest

from aam.errors import InputError
from aam.io.detect import detect_format
from helpers.files import TREE, artifact, tree_artifact, valid_files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return valid_files(tmp_path_factory.mktemp("valid"))


def save(folder, content, name="x.doc"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def refused(folder, content, name="x.doc"):
    with pytest.raises(InputError) as caught:
        detect_format(save(folder, content, name))
    return str(caught.value)


def test_every_format_is_recognised_under_a_wrong_name(files, tmp_path):
    for option, named in files.items():
        for name, path in named.items():
            copy = save(tmp_path, path.read_bytes(), "holiday.jpg")

            found = detect_format(copy)

            assert f"--{found.kind}" == option, name
            assert (found.artifact is not None) == name.endswith(".qza"), name
            assert found.format.endswith(", gzip") == name.endswith(".gz"), name


def test_formats_are_named(files):
    formats = {path.name: detect_format(path).format for named in files.values() for path in named.values()}

    assert formats["table.biom"] == "BIOM 2.1 (HDF5)"
    assert formats["dense.json"] == "BIOM 1.0 (JSON)"
    assert formats["table.tsv.gz"] == "classic table (tab-separated), gzip"
    assert formats["distances.h5"] == "matrix of unifrac's ssu (HDF5)"
    assert formats["tree.qza"] == "QIIME 2 artifact"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[&R] (a:1,b:2);", "tree"),
        ("(a:1,b:2\n,(c:1,d:1):2);", "tree"),
        ("\ufeff  >F1\nACGT\n", "sequences"),
        ("F1\td__Bacteria; p__Firmicutes\nF2\tUnassigned\n", "taxonomy"),
        ("#OTU ID\ttaxonomy\nF1\tk__Bacteria\n", "taxonomy"),
        ("#OTU ID\tS1\ttaxonomy\nF1\t3.0\tk__Bacteria\n", "table"),
        ("# a comment\nFeature ID\tS1\nF1\t3\n", "table"),
        ("\tS1\tS2\nS1\t0\t0.5\nS2\t0.5\t0\n", "distances"),
        ("id\tS1\tS2\nS1\t0\t0.5\nS2\t0.5\t0\n", "distances"),
        ("id\tS1\tS2\nS1\t1\t0.5\nS2\t0.5\t1\n", "metadata"),
        ("#SampleID\tTreatment\nS1\ta\n", "metadata"),
        ("sample-id\nS1\nS2\n", "metadata"),
        ("sample-id,age\nS1,3\n", "metadata"),
    ],
)
def test_texts_that_look_alike_are_told_apart(tmp_path, text, kind):
    assert detect_format(save(tmp_path, text)).kind == kind


def test_an_artifact_says_what_it_is(tmp_path):
    info = detect_format(tree_artifact(tmp_path / "tree.qza")).artifact

    assert info is not None
    assert (info.semantic_type, info.format, info.has_checksums) == (
        "Phylogeny[Rooted]",
        "NewickDirectoryFormat",
        True,
    )
    assert info.uuid == "3a0bc8cf-afb4-447a-a144-f49cedcaa1fc"
    old = detect_format(tree_artifact(tmp_path / "old.qza", archive=4)).artifact
    assert old is not None
    assert not old.has_checksums


def test_an_artifact_whose_checksums_do_not_hold_is_refused(tmp_path):
    path = tree_artifact(tmp_path / "tree.qza", changes={"data/tree.nwk": TREE.replace("F1", "F9").encode()})

    with pytest.raises(InputError, match=r"tree\.qza .*'data/tree\.nwk'"):
        detect_format(path)


@pytest.mark.parametrize(
    ("semantic_type", "message"),
    [
        ("Phylogeny[Unrooted]", r"Phylogeny\[Unrooted\], .*--root midpoint"),
        ("FeatureTable[RelativeFrequency]", r"FeatureTable\[Frequency\]"),
        ("PCoAResults", r"PCoAResults, .*\.$"),
        ("Visualization", "QIIME 2 visualisation"),
    ],
)  # fmt: skip
def test_an_artifact_that_no_option_takes_gets_advice(tmp_path, semantic_type, message):
    with pytest.raises(InputError, match=message):
        detect_format(artifact(tmp_path / "a.qza", semantic_type, "SomeFormat", {"file": "content"}))


def test_tables_as_r_writes_them_are_tables(tmp_path):
    sequences = ["ACGTACGTACGTACGTACGTACGTACGTACGT", "TCGTACGTACGTACGTACGTACGTACGTACGT"]
    samples_as_rows = "\t".join(["", *sequences]) + "\nS1\t3\t0\n"
    without_corner = 'S1\tS2\n"F1"\t3\t0\n"F2"\t0\t1\n'

    for text in (samples_as_rows, samples_as_rows.replace("\t", ",")):
        found = detect_format(save(tmp_path, text))
        assert (found.kind, found.format.partition(" (")[0]) == ("table", "table with sequences as columns")
    assert detect_format(save(tmp_path, without_corner)).kind == "table"


def test_other_files_are_refused_with_what_they_begin_with(tmp_path):
    assert re.search(r"x\.doc .*'Dear diary'", refused(tmp_path, "Dear diary\ntoday"))
    assert "x.doc is empty" in refused(tmp_path, b"")
    assert "UTF-8" in refused(tmp_path, b"JFIF\xff\xfe\x00")
    assert "gzip" in refused(tmp_path, gzip.compress(b"sample-id\tage\n" * 99)[:20])
    with pytest.raises(InputError, match=r"\babsent.* does not exist"):
        detect_format(tmp_path / "absent")


def test_other_hdf5_is_refused_with_what_it_holds(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["weights"] = np.zeros(3)

    with pytest.raises(InputError, match=r"neither a BIOM table .*'weights'"):
        detect_format(tmp_path / "x.h5")


def test_only_the_beginning_of_a_text_is_read(tmp_path):
    """A letter of several bytes that the beginning cuts in two is no damage."""
    rows = "sample-id\tplace\n" + "S1\tø\n" * 300_000

    assert detect_format(save(tmp_path, rows)).kind == "metadata"
    assert detect_format(save(tmp_path, "x" + rows)).kind == "metadata"
