"""QIIME 2 artifacts: the payload that an option needs, verified; everything else is refused with advice."""

import dataclasses
import hashlib
import tempfile
import zipfile

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.errors import TreeError
from aam.io import qza
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.newick import TreeArrays, read_newick
from aam.io.qza import SEQUENCES, TABLE, payload
from aam.io.qza import TREE as TREE_KIND
from aam.io.sequences import fasta_records
from aam.io.tables import read_table
from helpers.files import ALPHA, FASTA, METADATA, TREE, UUID, artifact, tree_artifact
from helpers.studies import real_study


def content(path, kind=TREE_KIND):
    with payload(path, kind, TreeError, "--tree") as file:
        return file.read_text()


def test_a_plain_file_is_given_as_it_is(tmp_path):
    (tmp_path / "tree.nwk").write_text(TREE)

    with payload(tmp_path / "tree.nwk", TREE_KIND, TreeError, "--tree") as file:
        assert file == tmp_path / "tree.nwk"


def test_the_payload_is_private_and_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    with payload(tree_artifact(tmp_path / "tree.qza"), TREE_KIND, TreeError, "--tree") as file:
        assert file.read_text() == TREE
        assert file.parent.parent == tmp_path / "temporary"
        assert file.parent.stat().st_mode & 0o077 == 0

    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("archive", [1, 4, 5, 6, "7.1"])
def test_every_version_of_archives_is_read(tmp_path, archive):
    options = (
        {"archive": archive} if isinstance(archive, int) else {"changes": {"VERSION": version(archive)} | sha512()}
    )

    assert content(tree_artifact(tmp_path / "tree.qza", **options)) == TREE


def version(archive):
    return f"QIIME 2\narchive: {archive}\nframework: 2026.10.0\n".encode()


def sha512():
    files = {
        "VERSION": version("7.1"), "data/tree.nwk": TREE.encode(),
        "metadata.yaml": f"uuid: {UUID}\ntype: Phylogeny[Rooted]\nformat: NewickDirectoryFormat\n".encode(),
    }  # fmt: skip
    sums = "".join(f"{hashlib.sha512(data).hexdigest()}  {name}\n" for name, data in files.items())
    return {"checksums.md5": None, "checksums.sha512": sums.encode()}


@pytest.mark.parametrize(
    "semantic_type", ["Phylogeny[Rooted % Properties('midpoint')]", "Phylogeny[Rooted] % Properties(['a', 'b'])"]
)
def test_properties_of_a_type_do_not_matter(tmp_path, semantic_type):
    assert (
        content(artifact(tmp_path / "a.qza", f'"{semantic_type}"', "NewickDirectoryFormat", {"tree.nwk": TREE})) == TREE
    )


@pytest.mark.parametrize(
    ("kind", "semantic_type", "message"),
    [
        (
            TREE_KIND,
            "Phylogeny[Unrooted]",
            r"Phylogeny\[Unrooted\], .*Phylogeny\[Rooted\] .*--root midpoint",
        ),
        (
            TABLE,
            "FeatureTable[RelativeFrequency]",
            r"\[Frequency\] is needed.*FeatureTable\[Frequency\]",
        ),
        (
            SEQUENCES,
            "FeatureData[AlignedSequence]",
            r"FeatureData\[Sequence\] .*gaps",
        ),
        (TREE_KIND, "FeatureTable[Frequency]", r"Phylogeny\[Rooted\] .*--table\."),
        (TREE_KIND, "SampleData[JoinedSequencesWithQuality]", r"artifact of type Phylogeny\[Rooted\]"),
        (TREE_KIND, "Visualization", "QIIME 2 visualisation"),
    ],
)
def test_other_types_are_refused_with_advice(tmp_path, kind, semantic_type, message):
    path = artifact(tmp_path / "a.qza", semantic_type, "null", {"index.html": "x"})
    if semantic_type != "Visualization":
        path = artifact(tmp_path / "a.qza", semantic_type, "Any", {"tree.nwk": TREE})

    with pytest.raises(TreeError, match=message):
        content(path, kind)


DAMAGED = {
    "payload changed": ({"data/tree.nwk": b"(a,b);"}, r"checksums .*'data/tree\.nwk'"),
    "payload added": ({"data/other": b"x"}, "checksums .*'data/other'"),
    "type changed": (
        {"metadata.yaml": f"uuid: {UUID}\ntype: Phylogeny[Rooted]\nformat: Other\n".encode()}, r"not fit 'metadata\.yaml'"),
    "payload lost": ({"data/tree.nwk": None}, r"no data/tree\.nwk, .*Phylogeny\[Rooted\] .*Newick"),
    "other payload lost": ({"data/notes": None}, "checksums .*'data/notes'"),
    "checksums lost": ({"checksums.md5": None}, "lacks its checksums"),
    "checksums emptied": ({"checksums.md5": b""}, r"'data/tree\.nwk', 'data/notes', 'metadata\.yaml'"),
    "no metadata": ({"metadata.yaml": None}, r"lacks .*'metadata\.yaml'"),
    "no version": ({"VERSION": None}, "lacks .*'VERSION'"),
    "version of something else": ({"VERSION": b"1.0"}, "VERSION is malformed"),
    "metadata is no YAML": ({"metadata.yaml": b"{"}, r"metadata\.yaml .*uuid, type and format"),
    "metadata is no text": ({"metadata.yaml": b"\xff\xfe"}, r"metadata\.yaml .*uuid, type and format"),
    "metadata is a list": ({"metadata.yaml": b"- uuid"}, r"metadata\.yaml .*uuid, type and format"),
    "metadata without format": ({"metadata.yaml": b"uuid: x\ntype: y"}, r"metadata\.yaml .*uuid, type and format"),
    "metadata without end": ({"metadata.yaml": b"[" * 5_000}, r"metadata\.yaml .*uuid, type and format"),
    "type is no name": ({"metadata.yaml": f"uuid: {UUID}\ntype: 3\nformat: x\n".encode()}, "type 3 or format 'x'"),
    "other uuid": ({"metadata.yaml": b"uuid: x\ntype: y\nformat: z\n"}, f"root directory is '{UUID}', .*uuid 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_artifacts_that_are_not_as_they_were_made_are_refused(tmp_path, damage):
    changes, message = DAMAGED[damage]
    files = {"tree.nwk": TREE, "notes": "x"}
    path = artifact(tmp_path / "a.qza", "Phylogeny[Rooted]", "NewickDirectoryFormat", files, changes=changes)

    with pytest.raises(TreeError, match=f"--tree .*a.qza .*{message}"):
        content(path)


def test_another_zip_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("tree.nwk", TREE)

    with pytest.raises(TreeError, match=r"a\.zip .*one root directory"):
        content(tmp_path / "a.zip")


def test_a_disk_that_is_full_is_reported(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(qza.Archive, "digest", fail)

    with pytest.raises(TreeError, match=r"No space left on device.*TMPDIR"):
        content(tree_artifact(tmp_path / "a.qza"))


def test_an_error_while_the_payload_is_used_passes_through(tmp_path):
    path = tree_artifact(tmp_path / "a.qza")

    with pytest.raises(OSError, match="mine"), payload(path, TREE_KIND, TreeError, "--tree"):
        raise OSError("mine")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("semantic_type", "name", "text", "column"),
    [
        ("ImmutableMetadata", "metadata.tsv", METADATA, "age"),
        ("SampleData[AlphaDiversity]", "alpha-diversity.tsv", ALPHA, "shannon_entropy"),
        ("SampleData[DADA2Stats]", "stats.tsv", "sample-id\tinput\n#q2:types\tnumeric\n10317.000001\t3\n", "input"),
    ],
)
def test_artifacts_serve_as_metadata_as_in_qiime_2(tmp_path, semantic_type, name, text, column):
    metadata = read_metadata(artifact(tmp_path / "a.qza", semantic_type, "Any", {name: text}))

    assert metadata.sample_ids[0] == "10317.000001"
    assert metadata.is_numeric(column)


def test_rna_sequences_are_taken_from_their_artifact(tmp_path):
    path = artifact(
        tmp_path / "a.qza", "FeatureData[RNASequence]", "Any", {"rna-sequences.fasta": FASTA.replace("T", "U")}
    )

    assert dict(fasta_records(path))["F1"] == "ACGUACGUAC"


def test_a_flipped_bit_never_changes_what_is_read(tmp_path):
    original = tree_artifact(tmp_path / "a.qza").read_bytes()
    n_read = 0

    for position in range(32, 8 * len(original), 11):  # a flip before makes it another kind of file
        flipped = bytearray(original)
        flipped[position // 8] ^= 1 << position % 8
        (tmp_path / "a.qza").write_bytes(flipped)
        try:
            read = content(tmp_path / "a.qza")
        except TreeError:
            continue
        n_read += read == TREE
        assert read == TREE

    assert n_read > 0  # dates and the files of the provenance do not matter


READERS = {
    "moving_pictures/qza/table.qza": ("feature-table.biom", read_table),
    "moving_pictures/qza/rep-seqs.qza": ("dna-sequences.fasta", lambda path: list(fasta_records(path))),
    "moving_pictures/qza/rooted-tree.qza": ("tree.nwk", read_newick),
    "moving_pictures/qza/distance.qza": ("distance-matrix.tsv", read_distances),
    "moving_pictures/qza/taxonomy.qza": ("taxonomy.tsv", read_metadata),
    "crc_udca/qza/table-filtered.qza": ("feature-table.biom", read_table),
    "crc_udca/qza/rep-seqs.qza": ("dna-sequences.fasta", lambda path: list(fasta_records(path))),
    "crc_udca/qza/rooted-tree.qza": ("tree.nwk", read_newick),
}


def plain(value):
    """Turn what a reader gives into lists and strings that can be compared."""
    if isinstance(value, TreeArrays):
        return [plain(array) for array in (value.level, value.length, value.is_tip)], list(value.names)
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, csr_array):
        return [value.shape, value.indptr.tolist(), value.indices.tolist(), value.data.tolist()]
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, value.tobytes()]
    return value.to_json() if hasattr(value, "to_json") else value


@pytest.mark.parametrize("name", READERS)
def test_a_real_artifact_equals_its_payload_as_a_plain_file(tmp_path, name):
    study, _, file = name.partition("/")
    path = real_study(study) / file
    payload_name, reader = READERS[name]
    with zipfile.ZipFile(path) as archive:
        inside = next(entry for entry in archive.namelist() if entry.endswith(f"data/{payload_name}"))
        (tmp_path / payload_name).write_bytes(archive.read(inside))

    assert plain(reader(path)) == plain(reader(tmp_path / payload_name))


def test_the_sequences_and_taxonomy_of_moving_pictures_are_those_beside_the_artifacts():
    folder = real_study("moving_pictures")

    taxa, in_artifact = (read_metadata(folder / name).frame["Taxon"] for name in ("taxonomy.tsv", "qza/taxonomy.qza"))

    assert dict(fasta_records(folder / "qza/rep-seqs.qza")) == dict(fasta_records(folder / "sequences.fasta"))
    assert set(in_artifact.index) >= set(taxa.index)
    assert in_artifact.loc[taxa.index].to_dict() == taxa.to_dict()


def test_the_table_of_moving_pictures_has_the_samples_and_features_of_the_one_beside_it():
    """The artifact was made by a later version of DADA2: 40 of 26,180 counts differ."""
    folder = real_study("moving_pictures")

    one, other = read_table(folder / "qza/table.qza"), read_table(folder / "table.biom")

    assert (one.sample_ids, sorted(one.feature_ids)) == (other.sample_ids, sorted(other.feature_ids))
    order = [one.feature_ids.index(name) for name in other.feature_ids]
    assert (one.counts[:, order] != other.counts).nnz == 40


def test_the_sequences_and_tips_of_crc_udca_include_those_beside_the_artifacts():
    folder = real_study("crc_udca")

    sequences, in_artifact = (dict(fasta_records(folder / name)) for name in ("sequences.fasta", "qza/rep-seqs.qza"))
    tips, tips_in_artifact = (set(read_newick(folder / file).names) for file in ("tree.nwk", "qza/rooted-tree.qza"))

    assert sequences.items() <= in_artifact.items()
    assert sequences.keys() <= tips
    assert sequences.keys() <= tips_in_artifact
