"""The same table in every format gives the same counts, and what is no table is refused."""

import gzip
import json
import logging
import re

import biom
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from aam.errors import TableError
from aam.io.tables import read_table
from helpers.files import COUNTS, FEATURES, SAMPLES, classic_table, hdf5_table, json_table, table_artifact
from helpers.studies import real_study


def save(folder, content, name="table"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def assert_same(table, samples, features, counts):
    assert table.sample_ids == list(samples)
    assert table.feature_ids == list(features)
    assert table.counts.dtype == np.int64
    assert table.counts.has_sorted_indices
    assert (table.counts.data > 0).all()
    np.testing.assert_array_equal(table.counts.toarray(), counts)


FORMATS = {
    "hdf5": hdf5_table,
    "sparse JSON": lambda path, *table: save(path.parent, json_table(*table)),
    "dense JSON": lambda path, *table: save(path.parent, json_table(*table, matrix_type="dense")),
    "gzip JSON": lambda path, *table: save(path.parent, gzip.compress(json_table(*table).encode())),
    "text": lambda path, *table: save(path.parent, classic_table(*table)),
    "text with taxonomy": lambda path, *table: save(path.parent, classic_table(*table, has_taxonomy=True)),
    "gzip text": lambda path, *table: save(path.parent, gzip.compress(classic_table(*table).encode())),
    "artifact": lambda path, *table: table_artifact(path, hdf5_table(path, *table).read_bytes()),
    "artifact of JSON": lambda path, *table: table_artifact(path, json_table(*table)),
}

IDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=6)


@st.composite
def tables(draw):
    samples = draw(
        st.lists(
            IDS.filter(lambda name: not re.match("#|id$|tax|cons|lin", name.lower())),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    features = draw(st.lists(IDS.filter(lambda name: name[0] != "#"), min_size=1, max_size=5, unique=True))
    cells = st.sampled_from([0, 0, 1, 2, 2**40, 2**50])
    n = len(samples) * len(features)
    values = draw(st.lists(cells, min_size=n, max_size=n))
    return np.array(values, dtype=np.int64).reshape(len(samples), len(features)), samples, features


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_every_format_gives_the_same_table(tmp_path, name, table):
    values, samples, features = table

    read = read_table(FORMATS[name](tmp_path / "table", values, samples, features))

    assert_same(read, samples, features, values)


@pytest.mark.parametrize("name", ["to_json", "to_tsv"])
def test_what_biom_format_writes_is_read(tmp_path, name):
    metadata = [{"taxonomy": ["k__Bacteria", "p__"]}] * len(FEATURES)
    table = biom.Table(csc_matrix(COUNTS.T, dtype=float), FEATURES, SAMPLES, metadata)
    text = table.to_json("test") if name == "to_json" else table.to_tsv(header_key="taxonomy", header_value="taxonomy")

    assert_same(read_table(save(tmp_path, text)), SAMPLES, FEATURES, COUNTS)


@pytest.mark.parametrize("study", ["moving_pictures", "cfs"])
def test_a_real_table_is_the_same_as_json_and_text(tmp_path, study):
    path = real_study(study) / "table.biom"
    original = biom.load_table(str(path))

    expected = read_table(path)

    for text in (original.to_json("test"), original.to_tsv()):
        table = read_table(save(tmp_path, text))
        assert_same(table, expected.sample_ids, expected.feature_ids, expected.counts.toarray())


def test_the_taxonomy_of_a_text_table_is_left_out_with_one_line_in_the_log(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        read_table(save(tmp_path, classic_table(has_taxonomy=True)))

    assert caplog.text.count("column, 'taxonomy'") == 1


@pytest.mark.parametrize(
    "text",
    [
        "#OTU ID\tS1\tS2\nF1\t1\t0\n",
        "#OTU ID\tS1\tS2\nF1\t\x1c1 \t0\n",
        "\ufeff#OTUID\tS1\tS2\r\nF1\t1\t0\r\n\r\n",
        "\n# note\n# a note\n\nFeature ID\t S1 \tS2\t\t\n F1 \t 1.0 \t0.0\t\t\n",
        "feature-id\tS1\tS2\nF1\t1e0\t.0",
    ],
)
def test_text_tables_of_many_hands_are_understood(tmp_path, text):
    assert_same(read_table(save(tmp_path, text)), ["S1", "S2"], ["F1"], [[1], [0]])


def test_samples_and_features_without_reads_are_kept(tmp_path):
    values = np.zeros((3, 4), dtype=int)

    for text in (json_table(values), json_table(values, matrix_type="dense"), classic_table(values)):
        assert_same(read_table(save(tmp_path, text)), SAMPLES, FEATURES, values)


def test_json_entries_of_one_place_are_added(tmp_path):
    text = json_table(data=[[0, 1, 2], [0, 1, 3.0]])

    assert read_table(save(tmp_path, text)).counts.toarray()[1, 0] == 5


NOT_JSON_TABLES = {
    "cut off": (json_table()[:-9], r"BIOM 1\.0 but .*JSON"),
    "nested without end": ('{"a":' * 10_000, r"BIOM 1\.0 but .*JSON"),
    "other JSON": ('{"rows": []}', "JSON but .*'columns', 'data', 'matrix_type'"),
    "unknown matrix type": (json_table(matrix_type="csr"), "matrix_type 'csr' "),
    "ids that are numbers": (json_table(rows=[{"id": 3}] * 4), r"\b1 ids of features .*'3'"),
    "ids that are lists": (json_table(rows=[{"id": ["F1", "F2"]}] * 4), "no 'id' .*'F1'"),
    "rows that are names": (json_table(rows=FEATURES), "no 'id'"),
    "no rows": (json_table(rows=None), "no 'id'"),
    "no samples": (json_table(columns=[], data=[]), "holds no samples"),
    "row out of range": (json_table(data=[[4, 0, 1]]), r"\b1 entries .*\b4 features and 3 samples, first at 4\."),
    "column out of range": (json_table(data=[[0, -1, 1]]), r"\b1 entries .*first at -1\."),
    "fractional row": (json_table(data=[[0.5, 0, 1]]), r"\b1 entries .*first at 0\.5"),
    "pairs": (json_table(data=[[0, 1]]), "not 1 × 3 numbers"),
    "ragged": (json_table(data=[[0, 1, 2], [0, 1]]), "not 2 × 3 numbers"),
    "text": (json_table(data=[[0, 1, "many"]]), "not 1 × 3 numbers"),
    "no data": (json_table(data=None), "not 0 × 3 numbers"),
    "too few rows": (json_table(COUNTS[:2], matrix_type="dense", columns=[{"id": "a"}]), "not 4 × 1 numbers"),
    "negative": (json_table(data=[[0, 0, -1]]), r"negative, in 1 samples: '10317\.000001'"),
    "fraction": (json_table(data=[[0, 0, 0.5]]), "not whole numbers"),
    "not a number": (json_table(data=[[0, 0, float("nan")]]), "are not finite"),
    "huge": (json_table(data=[[0, 0, 10**30]]), "are not 1 × 3 numbers|larger than"),
    "duplicate features": (json_table(features=["F1", "F1", "F2", "F3"]), r"\b1 ids of features .*'F1'"),
}  # fmt: skip
NOT_TEXT_TABLES = {
    "comments only": ("# Constructed from biom file\n", "holds comments only"),
    "samples as rows": ("#SampleID\tF1\nS1\t3\n", "is QIIME 2 metadata.*--metadata"),
    "commas": ("#OTU ID,S1\nF1,3,4\n", "comments only|'#OTU ID'"),
    "no samples": ("#OTU ID\nF1\n", "holds no samples"),
    "taxonomy only": ("#OTU ID\ttaxonomy\nF1\tk__\n", "holds no samples"),
    "no features": ("#OTU ID\tS1\n", "holds no features"),
    "unnamed sample": ("#OTU ID\t\tS2\nF1\t1\t2\n", "column 2 .*sample id"),
    "unnamed feature": ("#OTU ID\tS1\nF1\t1\n \t2\n", "line 3 .*feature id"),
    "short row": ("#OTU ID\tS1\tS2\nF1\t1\n", r"line 2 .*\b2 cells, .*\b3"),
    "long row": ("#OTU ID\tS1\nF1\t1\t2\n", r"line 2 .*\b3 cells, .*\b2"),
    "empty cell": ("#OTU ID\tS1\tS2\nF1\t\t2\n", "line 2 .*''.* sample 'S1'"),
    "text": ("#OTU ID\tS1\nF1\tmany\n", "line 2 .*'many'.* sample 'S1'"),
    "grouped digits": ("#OTU ID\tS1\nF1\t1_000\n", "line 2 .*'1_000'"),
    "fraction": ("#OTU ID\tS1\nF1\t0.25\n", "not whole numbers, in 1 samples: 'S1'"),
    "negative": ("#OTU ID\tS1\nF1\t-2\n", "are negative"),
    "not a number": ("#OTU ID\tS1\nF1\tNaN\n", "are not finite"),
    "infinite": ("#OTU ID\tS1\nF1\tinf\n", "are not finite"),
    "duplicate samples": ("#OTU ID\tS1\tS1\nF1\t1\t2\n", r"\b1 ids of samples .*'S1'"),
    "duplicate features": ("#OTU ID\tS1\nF1\t1\nF1\t2\n", r"\b1 ids of features .*'F1'"),
    "empty": ("", "is empty"),
    "white space": (" \n\t\n", "is empty"),
    "other encoding": ("#OTU ID\tS1\nF1\t1\n".encode("utf-16")[:-1], "neither HDF5 nor UTF-8"),
    "latin-1": ("#OTU ID\té\nF1\t1\n".encode("latin-1"), "neither HDF5 nor UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [
    *(pytest.param(*case, id=f"JSON: {name}") for name, case in NOT_JSON_TABLES.items()),
    *(pytest.param(*case, id=f"text: {name}") for name, case in NOT_TEXT_TABLES.items()),
])  # fmt: skip
def test_malformed_tables_are_refused(tmp_path, text, message):
    with pytest.raises(TableError, match=message):
        read_table(save(tmp_path, text))


def test_json_that_is_no_object_is_read_as_text_and_refused(tmp_path):
    with pytest.raises(TableError, match="instead of '#OTU ID'"):
        read_table(save(tmp_path, json.dumps([1, 2])))
