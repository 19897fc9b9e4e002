"""What is written in any format is read back as it was."""

import csv
import gzip
import io

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aam.io.distances import read_distances
from aam.io.metadata import read_metadata, write_tsv
from aam.io.sequences import fasta_records, write_fasta
from aam.io.taxonomy import read_taxonomy
from helpers.files import artifact


def is_reserved(name):
    """Whether a name is that of a column of ids in metadata or in a taxonomy."""
    return name.lower().replace("-", "").replace("_", "") in ("id", "sampleid", "samplename", "featureid", "otuid")


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=8)
IDS = st.lists(NAMES.filter(lambda name: name[0] != "#" and not is_reserved(name)), min_size=1, max_size=5, unique=True)
many_files = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def packed(folder, packing, name, content, semantic_type):
    """Write a text plain, as gzip or in an artifact."""
    if packing == "artifact":
        return artifact(folder / "a.qza", semantic_type, "Any", {name: content})
    (folder / name).write_bytes(gzip.compress(content) if packing == "gzip" else content)
    return folder / name


@pytest.mark.parametrize("packing", ["plain", "gzip", "artifact"])
@many_files
@given(ids=IDS, data=st.data())
def test_sequences(tmp_path, packing, ids, data):
    sequences = {name: data.draw(st.text("ACGTN", min_size=1, max_size=20)) for name in ids}
    write_fasta(tmp_path / "written.fasta", sequences.items())

    content = (tmp_path / "written.fasta").read_bytes()

    assert (
        dict(fasta_records(packed(tmp_path, packing, "dna-sequences.fasta", content, "FeatureData[Sequence]")))
        == sequences
    )


@st.composite
def matrices(draw):
    ids = draw(IDS)
    values = np.zeros((len(ids), len(ids)))
    for row in range(len(ids)):
        for column in range(row):
            values[row, column] = values[column, row] = draw(st.floats(0, 1e6))
    values[:1, 1:2] = values[1:2, :1] = 0.5  # a matrix of nothing but zeros is refused
    return ids, values


def as_text(ids, values, delimiter):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["", *ids])
    writer.writerows([name, *map(repr, row)] for name, row in zip(ids, values.tolist(), strict=True))
    return buffer.getvalue().encode()


def as_npy(folder, ids, values):
    np.save(folder / "d.npy", values)
    (folder / "d.ids").write_text("\n".join(ids))
    return folder / "d.npy"


def as_hdf5(folder, ids, values):
    with h5py.File(folder / "d.h5", "w") as file:
        file["order"] = np.array([name.encode() for name in ids], dtype=h5py.string_dtype())
        file["matrix"] = values
    return folder / "d.h5"


MATRIX_FORMATS = {
    "npy": as_npy,
    "hdf5": as_hdf5,
    "tsv": lambda folder, *matrix: packed(folder, "plain", "d.tsv", as_text(*matrix, "\t"), ""),
    "gzip csv": lambda folder, *matrix: packed(folder, "gzip", "d.csv.gz", as_text(*matrix, ","), ""),
    "artifact": lambda folder, *matrix: packed(
        folder, "artifact", "distance-matrix.tsv", as_text(*matrix, "\t"), "DistanceMatrix"
    ),
}


@pytest.mark.parametrize("name", MATRIX_FORMATS)
@many_files
@given(matrix=matrices())
def test_distances(tmp_path, name, matrix):
    ids, values = matrix

    read = read_distances(MATRIX_FORMATS[name](tmp_path, ids, values))

    assert read.ids == ids
    np.testing.assert_array_equal(read.values, values)


@pytest.mark.parametrize("packing", ["plain", "gzip", "artifact"])
@many_files
@given(ids=IDS, data=st.data())
def test_metadata(tmp_path, packing, ids, data):
    words = data.draw(st.lists(NAMES.map("x{}".format), min_size=len(ids), max_size=len(ids)))
    numbers = data.draw(
        st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 64), min_size=len(ids), max_size=len(ids))
    )
    write_tsv(tmp_path / "written.tsv", {"sample-id": ids, "word": words, "number": numbers})

    content = (tmp_path / "written.tsv").read_bytes()
    metadata = read_metadata(packed(tmp_path, packing, "metadata.tsv", content, "ImmutableMetadata"))

    assert metadata.sample_ids == ids
    assert metadata.column("word").tolist() == words
    np.testing.assert_allclose(metadata.column("number"), numbers, rtol=1e-8)


@pytest.mark.parametrize("packing", ["plain", "gzip", "artifact"])
@many_files
@given(ids=IDS, data=st.data())
def test_taxonomies(tmp_path, packing, ids, data):
    assume(not any(name.startswith('"') for name in ids))  # R puts cells into quotes
    ranks = st.lists(
        st.text("abcXYZ[] ", max_size=5).map("G{}".format).map(str.strip), max_size=7
    )  # letters, or none is known
    lineages = [tuple(data.draw(ranks)) for _ in ids]
    rows = [
        f"{name}\t{'; '.join(map('{}__{}'.format, 'kpcofgs', lineage))}\n"
        for name, lineage in zip(ids, lineages, strict=True)
    ]

    content = ("Feature ID\tTaxon\n" + "".join(rows)).encode()
    taxonomy = read_taxonomy(packed(tmp_path, packing, "taxonomy.tsv", content, "FeatureData[Taxonomy]"))

    assert taxonomy.feature_ids == ids
    assert taxonomy.lineages == lineages
