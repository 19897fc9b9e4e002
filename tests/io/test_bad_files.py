"""Files that are damaged, malformed or made to do harm: one clear refusal each."""

import gzip

import numpy as np
import pytest

from aam.errors import InputError
from helpers.bad_files import PLAIN, READERS, Given, assert_is_one_clear_message
from helpers.files import (
    COUNTS,
    DISTANCES,
    FASTA,
    METADATA,
    SAMPLES,
    TAXONOMY,
    TREE,
    UUID,
    classic_table,
    json_table,
    table_artifact,
    tree_artifact,
    valid_files,
)

TYPES = "#q2:types\tnumeric\tcategorical"


CUT = {
    f"{name} cut at {share}": (option, lambda given, share=share, name=name: given.cut(name, share), message)
    for option, name, message in (
        ("--table", "table.biom", "HDF5|lacks|does not fit|damaged"),
        ("--table", "table.qza", "damaged|no QIIME 2 artifact|lacks"),
        ("--table", "sparse.json.gz", "damaged or incomplete gzip|not UTF-8|neither HDF5"),
        ("--sequences", "sequences.qza", "damaged|no QIIME 2 artifact|lacks"),
        ("--sequences", "sequences.fasta.gz", "damaged or incomplete gzip"),
        ("--tree", "tree.qza", "damaged|no QIIME 2 artifact|lacks"),
        ("--tree", "tree.nwk.gz", "damaged or incomplete gzip"),
        ("--metadata", "metadata.qza", "damaged|no QIIME 2 artifact|lacks"),
        ("--distances", "distances.qza", "damaged|no QIIME 2 artifact|lacks"),
        ("--distances", "distances.npy", "not a .npy matrix|is not"),
        ("--taxonomy", "taxonomy.qza", "damaged|no QIIME 2 artifact|lacks"),
    )
    for share in (0.4, 0.97)
}
MISSING_EMPTY_OR_FOLDER = {
    f"{option}: {what}": (option, make, message)
    for option, name in PLAIN.items()
    for what, make, message in (
        ("missing", lambda given, name=name: given.own / name, "does not exist"),
        (
            "empty",
            lambda given, name=name: given.file(name, b""),
            "empty|holds no|Failed to locate header|not FASTA|is not .npy",
        ),
        ("a folder", lambda given, name=name: given.own, "is a directory"),
        ("a link to nothing", lambda given, name=name: link(given.own / name), "does not exist"),
        ("latin-1", lambda given, name=name: given.file(name, "#OTU ID\té\nF1\t1\n".encode("latin-1")), "UTF-8 text"),
        ("another zip", lambda given, name=name: given.zip(("notes.txt", "x")), "no QIIME 2 artifact"),
    )
}


def link(path):
    path.symlink_to(path.with_name("nothing"))
    return path


TABLES = {
    "index too large": ("--table", lambda g: g.hdf5(indices=np.array([1, 2, 9, 0, 0, 2, 3])), "does not fit its ids"),
    "index negative": ("--table", lambda g: g.hdf5(indices=np.array([1, 2, -1, 0, 0, 2, 3])), "does not fit its ids"),
    "pointers descend": ("--table", lambda g: g.hdf5(indptr=np.array([0, 5, 4, 7])), "does not fit its ids"),
    "pointers stop early": ("--table", lambda g: g.hdf5(indptr=np.array([0, 3, 4, 4])), "does not fit its ids"),
    "values of text": ("--table", lambda g: g.hdf5(data=np.array([b"1"] * 7)), "not counts|does not fit"),
    "contradiction in a value": ("--table", lambda g: g.both_ways(data=np.array([1.0, 3, 2, 5, 12, 1, 8])),
                                 r"\b7 counts that sum to 31\b.* biom convert --to-hdf5"),
    "contradiction of two samples": ("--table", lambda g: g.both_ways(data=np.array([3.0, 1, 2, 5, 12, 1, 7])), "contradicts"),
    "contradiction in a place": ("--table", lambda g: g.both_ways(indices=np.array([1, 2, 1, 0, 2, 0, 2])), "contradicts itself"),
    "no counts by feature": ("--table", lambda g: g.both_ways(data=np.zeros(7)), "contradicts itself"),
    "feature counts of NaN": ("--table", lambda g: g.both_ways(data=np.full(7, np.nan)), "contradicts itself"),
    "feature index too large": ("--table", lambda g: g.both_ways(indices=np.array([1, 2, 0, 0, 2, 0, 3])), "fit its ids"),
    "feature pointers": ("--table", lambda g: g.both_ways(indptr=np.array([0, 2, 3, 7])), r"observation/matrix: 4 row pointers"),
    "feature values missing": ("--table", lambda g: g.both_ways(data=None), "is damaged"),
    "feature values of text": ("--table", lambda g: g.both_ways(data=np.array([b"x"] * 7)), "is damaged"),
    "NaN": ("--table", lambda g: g.counts(np.nan), r"\b1 of 8 values .*not finite, in 1 samples: 'S2'"),
    "infinite": ("--table", lambda g: g.counts(np.inf), "are not finite"),
    "negative": ("--table", lambda g: g.counts(-1), "are negative"),
    "fraction": ("--table", lambda g: g.counts(0.5), "not whole numbers.*transformed"),
    "half a character": ("--table", lambda g: g.file("t.json", json_table(samples=["\ud800", "S2", "S3"])), "no 'id'"),
    "too large": ("--table", lambda g: g.counts(2.0**60), "2\\^53 or larger"),
    "duplicate samples": ("--table", lambda g: g.table(samples=["A", "A", "B"]), r"\b1 ids of samples .*'A'"),
    "duplicate features": ("--table", lambda g: g.table(features=["A", "A", "B", "B"]), r"\b2 ids of features"),
    "no samples": ("--table", lambda g: g.table(values=[], samples=[]), "holds no samples"),
    "relative abundances as text": ("--table", lambda g: g.file("t.tsv", classic_table(COUNTS / 9)), "not whole numbers"),
    "relative abundances as JSON": ("--table", lambda g: g.file("t.json", json_table(COUNTS / 9)), "not whole numbers"),
    "gzip of HDF5": ("--table", lambda g: g.file("t.gz", gzip.compress(g.content("table.biom"))), "HDF5 .*gzip"),
    "gzip of an artifact": ("--table", lambda g: g.file("t.gz", gzip.compress(g.content("table.qza"))), "a zip archive inside"),
    "2^53 + 1 as text": ("--table", lambda g: g.file("t.tsv", "#OTU ID\tS1\nF1\t9007199254740993\n"), r"are 2\^53 or larger"),
    "2^53 + 1 among floats": ("--table", lambda g: g.file("t.json", json_table([[2**53 + 1, 1.0, 0, 0]], ["S1"])), r"2\^53 or l"),
    "2^53 + 1 among integers": ("--table", lambda g: g.file("t.json", json_table([[2**53 + 1, 1, 0, 0]], ["S1"])), r"2\^53 or l"),
    "2^53 reads in a sample": ("--table", lambda g: g.table(values=np.full((3, 4), 2.0**51)), r"3 samples .* 2\^53 reads or"),
    "2^53 reads in text": ("--table", lambda g: g.file("t.tsv", classic_table(np.full((3, 4), 2.0**51))), r"3 samples .* 2\^53"),
    **{f"sample id {name!r} in {kind}": ("--table", make, rf"\b1 ids of samples in \S+ \S+ {problem}.*")
       for name, problem in (("#S1", "begin with '#'"), ("", "are empty"), ("S1 ", "begin or end with white"), ("S\t1", "hold con"),
                             ("S\0011", "hold control"), ("Sample-ID", "are names of"), ("sample_name", "are names of"))
       for kind, make in (("HDF5", lambda g, name=name: g.table(samples=[name, "S2", "S3"])),
                          ("JSON", lambda g, name=name: g.file("t.json", json_table(samples=[name, "S2", "S3"]))))},
    "sample id with # in text": ("--table", lambda g: g.file("t.tsv", classic_table(samples=["#a", "b", "c"])), "with '#': '#a'"),
    "relative abundances as artifact": (
        "--table", lambda g: g.qza("--table", "FeatureTable[RelativeFrequency]", "feature-table.biom", b""),
        r"FeatureTable\[RelativeFrequency\], .*FeatureTable\[Frequency\]"),
    "text in an artifact": ("--table", lambda g: table_artifact(g.own / "a.qza", "nothing"), r"a\.qza .*feature table"),
}  # fmt: skip
SEQUENCES = {
    "gaps": ("--sequences", lambda g: g.file("s.fa", FASTA.replace("GGGTA", "GG-.A")), r"\('-', '\.'\): features 'F3'"),
    "letters": ("--sequences", lambda g: g.file("s.fa", FASTA.replace("GGGTA", "GGZ*A")), "correct or remove"),
    "protein": ("--sequences", lambda g: g.file("s.fa", FASTA.replace("GGGTA", "MEPQF")), "not nucleotides"),
    "duplicate": ("--sequences", lambda g: g.file("s.fa", FASTA + ">F1\nA\n"), r"\b1 features .*more than one"),
    "empty record": ("--sequences", lambda g: g.file("s.fa", FASTA + ">F5\n"), "'F5' .*no sequence"),
    "no header": ("--sequences", lambda g: g.file("s.fa", "ACGT\n" + FASTA), "not FASTA: .*'ACGT'"),
    "one missing": ("--sequences", lambda g: g.file("s.fa", FASTA.replace(">F4", ">F9")), "1 of 4 features .*: 'F4'"),
    "gzip of an artifact": ("--sequences", lambda g: g.file("s.gz", gzip.compress(g.content("sequences.qza"))), "inside of gzip"),
    "aligned artifact": (
        "--sequences", lambda g: g.qza("--sequences", "FeatureData[AlignedSequence]", "aligned-dna-sequences.fasta", FASTA),
        r"FeatureData\[Sequence\]"),
}  # fmt: skip
TREES = {
    "NUL": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2", "F\0")), "holds NUL bytes"),
    "negative length": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2:0.2", "F2:-0.2")), "1 branches .* negative length"),
    "missing length": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2:0.2", "F2")), r"\b1 branches .*no length"),
    "length of letters": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2:0.2", "F2:O.2")), r"character 13: .*'O\.2'"),
    "duplicate tips": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2", "F1")), r"\b1 names of tips"),
    "unnamed tip": ("--tree", lambda g: g.file("t.nwk", TREE.replace("F2", "")), r"\b1 of 4 tips .*no name"),
    "unrooted": ("--tree", lambda g: g.file("t.nwk", "(F1:1,F2:1,(F3:1,F4:1):1);"), r"\b3 branches .*--root midpoint"),
    "unbalanced": ("--tree", lambda g: g.file("t.nwk", TREE.replace("((", "(((")), "character 1: .*never closed"),
    "two trees": ("--tree", lambda g: g.file("t.nwk", TREE + TREE), "more than one tree"),
    "cut off": ("--tree", lambda g: g.file("t.nwk", TREE.rpartition(";")[0]), "';'.*cut off"),
    "gzip of an artifact": ("--tree", lambda g: g.file("t.gz", gzip.compress(g.content("tree.qza"))), "inside of gzip"),
    "no lengths but 0": ("--tree", lambda g: g.file("t.nwk", "((F1:0,F2:0):0,(F3:0,F4:0):0);"), r"\b4 features .*length 0"),
    "unrooted artifact": ("--tree", lambda g: g.qza("--tree", "Phylogeny[Unrooted]", "tree.nwk", TREE), "--root midpoint"),
    "visualisation": ("--tree", lambda g: g.qza("--tree", "Visualization", "index.html", ""), r"QIIME 2 visualisation \(.qzv\)"),
}  # fmt: skip
ARCHIVES = {
    "parent directory": ("--tree", lambda g: g.zip((f"{UUID}/../../tree.nwk", TREE)), "out of the archive"),
    "absolute path": ("--tree", lambda g: g.zip(("/tmp/tree.nwk", TREE)), "is an absolute path"),
    "link": ("--tree", Given.zip_link, "is a link or device"),
    "same name twice": ("--tree", Given.zip_twice, "entries have the same name"),
    "zip bomb": ("--tree", Given.zip_bomb, "bytes unpack to more than"),
    "gzip bomb": ("--tree", Given.gzip_bomb, "more than 200 times"),
    "empty zip": ("--tree", lambda g: g.zip(), "without files"),
    "payload changed": ("--tree", lambda g: tree_artifact(g.own / "a.qza", changes={"data/tree.nwk": b"(a,b);"}), "checksums"),
    "taxonomy as tree": ("--tree", lambda g: g.valid["--taxonomy"]["taxonomy.qza"], "type Phylogeny"),
    "table as sequences": ("--sequences", lambda g: g.valid["--table"]["table.qza"], "belongs to --table"),
}  # fmt: skip
METADATA_FILES = {
    "NUL": ("--metadata", lambda g: g.file("m.tsv", METADATA + "\0\0"), "holds NUL bytes"),
    "UTF-16 without mark": ("--metadata", lambda g: g.file("m.tsv", METADATA.encode("utf-16-le")), "NUL bytes"),
    "duplicate ids": ("--metadata", lambda g: g.file("m.tsv", METADATA + "S2\t1\tx\n"), "IDs must be unique"),
    "commas": ("--metadata", lambda g: g.file("m.csv", METADATA.replace("\t", ",").replace("sample-id", "x")), "by commas"),
    "unknown type": ("--metadata", lambda g: g.file("m.tsv", METADATA.replace("numeric", "ordinal")), "unrecognized column type"),
    "text as number": ("--metadata", lambda g: g.file("m.tsv", METADATA.replace("4.5", "old")), "'age' to numeric"),
    "long row": ("--metadata", lambda g: g.file("m.tsv", METADATA + "S9\t1\tx\ty\n"), "more cells than are declared"),
    "unknown scheme": ("--metadata", lambda g: g.file("m.tsv", METADATA.replace(TYPES, "#q2:missing\tx")),
                       "unrecognized missing value scheme"),
    "no-missing": ("--metadata", lambda g: g.file("m.tsv", METADATA.replace(TYPES, "#q2:missing\tno-missing\tblank")), "no-mis"),
    "gzip of an artifact": ("--metadata", lambda g: g.file("m.gz", gzip.compress(g.content("metadata.qza"))), "inside of gzip"),
    "artifact of distances": ("--metadata", lambda g: g.valid["--distances"]["distances.qza"], "belongs to --distances"),
}  # fmt: skip
DISTANCE_FILES = {
    "not square": ("--distances", lambda g: g.npy(np.zeros((3, 2))), "is not square"),
    "not symmetric": ("--distances", lambda g: g.file("d.tsv", DISTANCES.replace("0.25\t0.0", "0.5\t0.0")), "is not symmetric"),
    "negative distance": ("--distances", lambda g: g.file("d.tsv", DISTANCES.replace("0.25", "-0.25")), "is negative"),
    "NaN distance": ("--distances", lambda g: g.file("d.tsv", DISTANCES.replace("0.25", "nan")), "is not finite"),
    "diagonal": ("--distances", lambda g: g.npy(np.ones((3, 3))), "not zero on the diagonal"),
    "gzip of numpy": ("--distances", lambda g: g.file("d.npy.gz", gzip.compress(g.content("distances.npy"))), "only text"),
    "gzip of an artifact": ("--distances", lambda g: g.file("d.qza.gz", gzip.compress(g.content("distances.qza"))), "gunzip"),
    "gzip of an artifact, as text": ("--distances", lambda g: g.file("d.tsv.gz", gzip.compress(g.content("distances.qza"))), "in"),
    "one value": ("--distances", lambda g: g.npy(np.ones((4, 4)) - np.eye(4), [*SAMPLES, "S4"]), r"\b1 for all pairs of its 4\b"),
    "zeros": ("--distances", lambda g: g.npy(np.zeros((3, 3))), r"\b0 for all pairs of its 3\b"),
    "pickled": ("--distances", lambda g: g.npy(np.zeros((3, 3)).astype(object)), r"not a \.npy matrix"),
    "text as matrix": ("--distances", lambda g: g.file("d.tsv", TAXONOMY), "is a taxonomy .*--taxonomy"),
    "unknown ending": ("--distances", lambda g: g.file("d.txt", "two words"), "unknown format"),
}  # fmt: skip
REFUSED = CUT | MISSING_EMPTY_OR_FOLDER | {
    f"{kind}: {name}": case
    for kind, cases in (("table", TABLES), ("sequences", SEQUENCES), ("tree", TREES), ("archive", ARCHIVES),
                        ("metadata", METADATA_FILES), ("distances", DISTANCE_FILES))
    for name, case in cases.items()
}  # fmt: skip


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return valid_files(tmp_path_factory.mktemp("valid"))


@pytest.fixture
def given(valid, tmp_path):
    return Given(valid, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_with_one_clear_message(given, name):
    option, make, expected = REFUSED[name]
    path = make(given)

    with pytest.raises(InputError, match=expected) as caught:
        READERS[option](path)

    assert_is_one_clear_message(caught.value, option)


def test_there_are_many_cases():
    assert len(REFUSED) > 100
