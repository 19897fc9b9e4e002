"""Distance matrices in their formats, and what is refused as a distance."""

import gzip
import logging

import h5py
import numpy as np
import pytest
import skbio

from aam.errors import DistanceError
from aam.io import distances
from aam.io.distances import DistanceMatrix, read_distances

IDS = ["S1", "10317.000001", "S3"]
VALUES = np.array([[0, 0.25, 1], [0.25, 0, 0.5], [1, 0.5, 0]])


def save_npy(folder, values=VALUES, ids=IDS, ids_name="matrix.ids"):
    np.save(folder / "matrix.npy", values)
    (folder / ids_name).write_text("\n".join(ids) + "\n")
    return folder / "matrix.npy"


def save_hdf5(folder, ids=IDS, **matrices):
    with h5py.File(folder / "matrix.h5", "w") as file:
        file["order"] = np.array([name.encode() for name in ids])
        for name, values in matrices.items():
            file[name] = values
    return folder / "matrix.h5"


def save_text(folder, text, name="matrix.tsv"):
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("ids_name", ["matrix.ids", "matrix.ids.txt", "matrix.txt"])
def test_npy_is_memory_mapped_and_finds_the_ids_beside_it(tmp_path, ids_name):
    matrix = read_distances(save_npy(tmp_path, VALUES.astype(np.float32), ids_name=ids_name))

    assert matrix.ids == IDS
    assert isinstance(matrix.values, np.memmap)
    np.testing.assert_array_equal(matrix.values, VALUES)


def test_npy_takes_the_ids_file_that_is_passed(tmp_path):
    path = save_npy(tmp_path, ids=["wrong"] * 3)
    (tmp_path / "order").write_text("a \n\nb\nc")

    assert read_distances(path, tmp_path / "order").ids == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["matrix", "matrix:0"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hdf5_of_ssu_is_read(tmp_path, name, dtype):
    matrix = read_distances(save_hdf5(tmp_path, **{name: VALUES.astype(dtype)}))

    assert matrix.ids == IDS
    assert matrix.values.dtype == dtype
    np.testing.assert_array_equal(matrix.values, VALUES)


def test_only_the_first_of_several_matrices_is_used_and_that_is_said(tmp_path, caplog):
    path = save_hdf5(tmp_path, **{"matrix:0": VALUES, "matrix:1": 2 * VALUES})

    with caplog.at_level(logging.WARNING):
        matrix = read_distances(path)

    assert matrix.values.max() == 1
    assert "several matrices" in caplog.text


def test_the_matrix_that_scikit_bio_writes_is_read(tmp_path):
    skbio.DistanceMatrix(VALUES, IDS).write(str(tmp_path / "matrix.tsv"), format="lsmat")

    matrix = read_distances(tmp_path / "matrix.tsv")

    assert matrix.ids == IDS
    np.testing.assert_array_equal(matrix.values, VALUES)


@pytest.mark.parametrize("name", ["matrix.csv", "MATRIX.CSV"])
def test_comma_separated_tables_with_quotes_comments_and_empty_lines_are_read(tmp_path, name):
    path = save_text(tmp_path, '# UniFrac\n\nid,"a,1",b\n"a,1",0,1e-1\n\nb,0.1,0\n', name)

    matrix = read_distances(path)

    assert matrix.ids == ["a,1", "b"]
    np.testing.assert_array_equal(matrix.values, [[0, 0.1], [0.1, 0]])


def test_text_may_be_gzip(tmp_path):
    (tmp_path / "matrix.tsv.gz").write_bytes(gzip.compress(b"\ta\tb\na\t0\t2\nb\t2\t0\n"))

    assert read_distances(tmp_path / "matrix.tsv.gz").values[0, 1] == 2


def test_rounding_errors_are_tolerated(tmp_path):
    values = VALUES * 1000 + 1e-7 * np.arange(9).reshape(3, 3)

    assert read_distances(save_npy(tmp_path, values)).ids == IDS


def test_samples_are_selected_in_the_order_asked_for():
    rows = DistanceMatrix(IDS, VALUES).select(["S3", "S1"])

    assert rows.tolist() == [2, 0]
    assert rows.dtype == np.int64


def test_samples_that_the_matrix_lacks_are_named():
    with pytest.raises(DistanceError, match=r"\b2 of 3 samples .*distance matrix: 'X', 'Y'"):
        DistanceMatrix(IDS, VALUES).select(["X", "S1", "Y"])


def changed(row, column, value):
    values = VALUES.copy()
    values[row, column] = value
    return values


@pytest.mark.parametrize("tile", [1, 2, 2048])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 3)), r"\b0 for all pairs of its 3\b"),
        (1e308 * VALUES, r"1e\+15, first between 'S1'"),
        (changed(0, 2, np.nan), "not finite, .*'S1' and 'S3'"),
        (changed(2, 0, np.inf), "not finite, .*'S1' and 'S3'"),
        (changed(1, 2, -0.5), r"negative, .*'10317\.000001' and 'S3'"),
        (changed(2, 1, 0.50001), r"not symmetric, .*'10317\.000001' and 'S3'"),
        (changed(2, 2, 1e-5), "diagonal, .*'S3' and 'S3'"),
    ],
)
def test_values_that_are_not_distances_are_refused(tmp_path, monkeypatch, tile, values, message):
    monkeypatch.setattr(distances, "_TILE", tile)

    with pytest.raises(DistanceError, match=message):
        read_distances(save_npy(tmp_path, values))


@pytest.mark.parametrize(
    ("values", "ids", "message"),
    [
        (VALUES[:2], IDS, r"not square: .*\(2, 3\)"),
        (VALUES[0], IDS, r"not square: .*\(3,\)"),
        (VALUES, ["a", "b"], r"\b3 rows .*\b2 ids"),
        (VALUES, ["a", "b", "a"], r"\b1 ids occur .*: 'a'"),
        (np.empty((0, 0)), [], "is empty"),
        (VALUES.astype(str), IDS, "values of type .*, not numbers"),
        (VALUES.astype(object), IDS, r"not a \.npy matrix"),
    ],
)
def test_matrices_of_the_wrong_shape_ids_or_type_are_refused(tmp_path, values, ids, message):
    with pytest.raises(DistanceError, match=message):
        read_distances(save_npy(tmp_path, values, ids))


def test_npy_without_ids_says_which_files_were_looked_for(tmp_path):
    np.save(tmp_path / "matrix.npy", VALUES)

    message = r"'matrix\.ids', 'matrix\.ids\.txt', 'matrix\.txt' .*--distance-ids\b"
    with pytest.raises(DistanceError, match=message):
        read_distances(tmp_path / "matrix.npy")


def test_a_missing_ids_file_is_refused(tmp_path):
    with pytest.raises(DistanceError, match=r"--distance-ids .*does not exist"):
        read_distances(save_npy(tmp_path), tmp_path / "nothing.txt")


def test_an_ids_file_for_a_labelled_matrix_is_refused(tmp_path):
    with pytest.raises(DistanceError, match=r"--distance-ids .*\.npy"):
        read_distances(save_hdf5(tmp_path, matrix=VALUES), tmp_path / "ids.txt")


@pytest.mark.parametrize("name", ["matrix.npy", "matrix.h5", "matrix.tsv"])
def test_a_missing_matrix_is_refused(tmp_path, name):
    with pytest.raises(DistanceError, match=r"--distances .*does not exist"):
        read_distances(tmp_path / name)


@pytest.mark.parametrize("name", ["matrix.qza", "matrix", "matrix.npy.gz"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(DistanceError, match=r"unknown format.*\.npy"):
        read_distances(save_text(tmp_path, "x", name))


def test_text_with_the_name_of_a_binary_format_is_refused(tmp_path):
    for name in ("matrix.npy", "matrix.h5"):
        with pytest.raises(DistanceError, match=r"unknown format.*\.npy"):
            read_distances(save_text(tmp_path, "text", name))


def test_damage_of_a_binary_format_is_said_as_such(tmp_path):
    with pytest.raises(DistanceError, match=r"not a \.npy matrix"):
        read_distances(save_text(tmp_path, "\0text", "matrix.npy"))
    with pytest.raises(DistanceError, match=r"HDF5 .*damaged"):
        read_distances(save_text(tmp_path, "\0text", "matrix.h5"))


def test_hdf5_without_a_matrix_is_refused(tmp_path):
    with pytest.raises(DistanceError, match=r"'order' and 'matrix'; .*'order'"):
        read_distances(save_hdf5(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ta\tb\na\t0\t1\nc\t1\t0\n", "different ids; .*'b', 'c'"),
        ("\ta\tb\nb\t0\t1\na\t1\t0\n", "different ids; .*order"),
        ("\ta\tb\na\t0\t1\n", "different ids; .*'b'"),
        ("\ta\tb\na\t0\t1\nb\t1\t0\t2\n", r"row of 'b' .*\b3 values, .*\b2 column ids"),
        ("\ta\tb\na\t0\tx\nb\t1\t0\n", "row of 'a' .*text .*'x'"),
        ("\ta\tb\na\t0\t\nb\t1\t0\n", "row of 'a' .*text"),
        ("\ta\tb\na\t0\tnan\nb\t1\t0\n", "is not finite"),
        ("", "rows and columns have different ids|is empty"),
        ("\t" + "a" * 200_000, "1 column ids"),
    ],
)
def test_malformed_text_is_refused(tmp_path, text, message):
    with pytest.raises(DistanceError, match=message):
        read_distances(save_text(tmp_path, text))
