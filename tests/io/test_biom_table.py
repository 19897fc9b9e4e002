"""BIOM tables: what is read is what biom-format reads, and what is no count is refused."""

import h5py
import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.errors import OutputError, TableError
from aam.io import biom_matrix
from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.tables import read_table
from helpers.files import hdf5_table
from helpers.studies import real_study


def make_file(path, values=((0, 2, 5), (1, 0, 0)), samples=("S1", "S2"), features=("F1", "F2", "F3"), dtype="float64"):
    return hdf5_table(path, values, samples, features, dtype)


def test_counts_are_sample_major_whole_numbers(tmp_path):
    table = read_table(make_file(tmp_path / "table.biom"))

    assert table.sample_ids == ["S1", "S2"]
    assert table.feature_ids == ["F1", "F2", "F3"]
    assert isinstance(table.counts, csr_array)
    assert table.counts.dtype == np.int64
    np.testing.assert_array_equal(table.counts.toarray(), [[0, 2, 5], [1, 0, 0]])


def test_stored_zeros_go_and_indices_are_sorted(tmp_path):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        file["sample/matrix/data"][:] = [5, 2, 0]
        file["sample/matrix/indices"][:] = [2, 1, 0]

    counts = read_table(path).counts

    assert counts.indices.tolist() == [1, 2]
    assert counts.data.tolist() == [2, 5]


@pytest.mark.parametrize("values_per_block", [1, 3, 1000])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_counts_that_are_stored_alike_by_sample_and_by_feature_are_read(
    tmp_path, monkeypatch, values_per_block, is_shuffled
):
    """However they are ordered, divided, and padded with zeros."""
    monkeypatch.setattr(biom_matrix, "_VALUES_PER_BLOCK", values_per_block)
    monkeypatch.setattr(biom_matrix, "_HASHED_AT_ONCE", 2)
    stream = np.random.default_rng(0)
    values = stream.poisson(0.7, size=(9, 7))
    path = make_file(tmp_path / "table.biom", values, list("ABCDEFGHI"), list("1234567"))
    rows, columns = stream.permutation(np.indices((7, 9)).reshape(2, -1).T).T if is_shuffled else np.nonzero(values.T)
    order = np.argsort(rows, kind="stable")
    with h5py.File(path, "r+") as file:
        file["observation/matrix/data"] = values.T[rows, columns][order].astype(float)
        file["observation/matrix/indices"] = columns[order]
        file["observation/matrix/indptr"] = np.searchsorted(rows[order], np.arange(8))

    np.testing.assert_array_equal(read_table(path).counts.toarray(), values)


@pytest.mark.parametrize("seed", range(20))
def test_any_two_counts_that_change_places_are_noticed(tmp_path, seed):
    """Sums over features, over samples and over all may well stay the same."""
    stream = np.random.default_rng(seed)
    values = stream.poisson(0.7, size=(9, 7))
    path = make_file(tmp_path / "table.biom", values, list("ABCDEFGHI"), list("1234567"))
    one, other = stream.choice(np.flatnonzero(values != values.ravel()[0]), 1)[0], 0
    values.ravel()[[one, other]] = values.ravel()[[other, one]]
    other_way = csr_array(values.T.astype(float))
    with h5py.File(path, "r+") as file:
        for part in ("data", "indices", "indptr"):
            file[f"observation/matrix/{part}"] = getattr(other_way, part)

    with pytest.raises(TableError, match="contradicts itself"):
        read_table(path)


def test_samples_without_reads_are_kept(tmp_path):
    table = read_table(make_file(tmp_path / "table.biom", values=((1, 2, 3), (0, 0, 0))))

    assert table.sample_ids == ["S1", "S2"]
    assert table.counts.sum(axis=1).tolist() == [6, 0]


def test_ids_may_be_of_fixed_width_and_counts_may_be_stored_as_integers(tmp_path):
    path = make_file(tmp_path / "table.biom", dtype="int32")
    with h5py.File(path, "r+") as file:
        del file["sample/ids"]
        file["sample/ids"] = np.array([b"10317.000001", "é".encode()])

    table = read_table(path)

    assert table.sample_ids == ["10317.000001", "é"]
    assert table.counts.sum() == 8


@pytest.mark.parametrize("name", ["moving_pictures", "cfs"])
def test_a_real_table_equals_what_biom_format_reads(name):
    import biom

    path = real_study(name) / "table.biom"

    table = read_table(path)

    expected = biom.load_table(str(path))
    assert table.sample_ids == expected.ids("sample").tolist()
    assert table.feature_ids == expected.ids("observation").tolist()
    np.testing.assert_array_equal(table.counts.toarray(), expected.matrix_data.T.toarray())


def test_a_written_table_reads_back_and_is_the_same_file_each_time(tmp_path):
    table = CountTable(["S1", "é"], ["A", "B", "C"], csr_array(np.array([[0, 2**40, 1], [0, 0, 3]])))

    write_table(tmp_path / "one.biom", table)
    write_table(tmp_path / "two.biom", table)

    again = read_table(tmp_path / "one.biom")
    assert (again.sample_ids, again.feature_ids) == (table.sample_ids, table.feature_ids)
    np.testing.assert_array_equal(again.counts.toarray(), table.counts.toarray())
    assert (tmp_path / "one.biom").read_bytes() == (tmp_path / "two.biom").read_bytes()


def test_biom_format_reads_a_written_table(tmp_path):
    import biom

    write_table(tmp_path / "t.biom", CountTable(["S1", "S2"], ["A", "B", "C"], csr_array([[0, 2, 1], [4, 0, 3]])))

    table = biom.load_table(str(tmp_path / "t.biom"))
    assert table.generated_by == "aam"
    assert table.get_value_by_ids("A", "S2") == 4


def test_a_table_in_a_missing_folder_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_table(tmp_path / "no" / "t.biom", CountTable(["S"], ["F"], csr_array([[1]])))


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"--table .*does not exist"):
        read_table(tmp_path / "table.biom")


def test_other_hdf5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "table.biom", "w") as file:
        file["sample/ids"] = [b"S1"]

    with pytest.raises(TableError, match="'observation/ids', 'sample/matrix/data'"):
        read_table(tmp_path / "table.biom")


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = make_file(tmp_path / "table.biom")
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(TableError, match=r"HDF5 .*damaged"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("sample/ids", np.array([b"S1", b"\xff"]), "not UTF-8"),
        ("sample/matrix/data", np.array([True, True, False]), "type bool"),
    ],
    ids=["ids", "values"],
)
def test_data_of_another_type_are_refused(tmp_path, name, values, message):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values

    with pytest.raises(TableError, match=message):
        read_table(path)


@pytest.mark.parametrize(("samples", "features", "kind"), [((), ("F1",), "samples"), (("S1",), (), "features")])
def test_an_empty_table_is_refused(tmp_path, samples, features, kind):
    path = make_file(tmp_path / "table.biom", values=(), samples=samples, features=features)

    with pytest.raises(TableError, match=f"holds no {kind}"):
        read_table(path)


@pytest.mark.parametrize(
    ("names", "kind"), [({"samples": ("X", "X")}, "samples"), ({"features": ("X", "X", "Y")}, "features")]
)
def test_duplicate_ids_are_refused(tmp_path, names, kind):
    path = make_file(tmp_path / "table.biom", **names)

    with pytest.raises(TableError, match=rf"\b1 ids of {kind} .*: 'X'\."):
        read_table(path)


def test_a_matrix_that_does_not_fit_its_ids_is_refused(tmp_path):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        file["sample/matrix/indices"][:] = [1, 2, 3]

    with pytest.raises(TableError, match="does not fit its ids"):
        read_table(path)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("indptr", np.array([0, 3, 2])),
        ("indptr", np.array([0, 2, 2])),
        ("indptr", np.array([0, 3, 0], dtype=np.int8)),
        ("indptr", np.array([0, 2**63 + 5, 3], dtype=np.uint64)),
        ("indptr", np.array([0, 0, 2, 3])),
        ("indptr", np.array([1, 2, 3])),
        ("indptr", np.array([0.0, 2.0, 3.0])),
        ("indptr", np.array(3)),
        ("indptr", np.array([], dtype=int)),
        ("indices", np.array([0, -1, 2])),
        ("indices", np.array([0, 1, 2, 2])),
        ("indices", np.array([0, 1, np.nan])),
        ("data", np.array([1.0, 2.0])),
        ("data", np.array([[1.0, 2.0, 3.0]])),
    ],
)
def test_pointers_that_contradict_the_values_are_refused(tmp_path, part, values):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        del file[f"sample/matrix/{part}"]
        file[f"sample/matrix/{part}"] = values

    with pytest.raises(TableError, match="does not fit its ids"):
        read_table(path)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0.25, "not whole numbers"),
        (-3, "negative"),
        (np.nan, "not finite"),
        (np.inf, "not finite"),
        (2.0**53, r"2\^53 or larger"),
    ],
)
def test_values_that_are_not_counts_are_refused(tmp_path, value, problem):
    path = make_file(tmp_path / "table.biom", values=((1, 2, 3), (4, value, value)))

    with pytest.raises(TableError, match=rf"\b2 of 6 values in --table .* are {problem}.*, in 1 samples: 'S2'"):
        read_table(path)


@pytest.mark.parametrize("name", ["sample/ids", "observation/ids"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"X", "not fit its ids .ids of (samples|features) in the shape"),
        (np.array([[b"X"], [b"Y"]]), "not fit its ids .ids of (samples|features) in the shape"),
        (h5py.Empty("S3"), "holds no (samples|features)"),
    ],
)
def test_ids_of_other_shapes_are_refused(tmp_path, name, content, message):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = content

    with pytest.raises(TableError, match=message):
        read_table(path)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_a_matrix_without_a_shape_is_refused(tmp_path, part):
    path = make_file(tmp_path / "table.biom")
    with h5py.File(path, "r+") as file:
        del file[f"sample/matrix/{part}"]
        file[f"sample/matrix/{part}"] = h5py.Empty("int64")

    with pytest.raises(TableError, match=r"the matrix does not fit its ids|is damaged"):
        read_table(path)
