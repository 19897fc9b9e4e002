"""A study on disk: the same content gives the same study, whatever order and files it came in."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam import vocabulary
from aam.data import study_build
from aam.data.study import Study, TokenRows
from aam.data.study_build import build_study
from aam.errors import SequenceError, TableError
from aam.io import biom_matrix, biom_table, sequences
from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.tables import open_table
from helpers.studies import dense, make_study, store_study

SEQUENCES = ["ACGTACG", "ACGT", "GGGG", "TTNACGT", "ACGT"]
FEATURES = ["b", "d", "a", "c", "e"]
SAMPLES = ["S10", "S9", "10317.000001"]
COUNTS = np.array([[5, 0, 0, 2, 1], [0, 0, 0, 0, 0], [1, 7, 0, 2**40, 3]])


def as_user_sees_it(study):
    """Give the counts by names, and the letters of each sequence."""
    counts = {
        (sample, study.feature_ids[int(feature)]): int(n)
        for row, sample in enumerate(study.sample_ids)
        for feature, n in zip(*study.sample(row), strict=True)
    }
    letters = np.array(list("-ACGTN"))
    rows = study.tokens[np.arange(len(study.feature_ids))]
    texts = {name: "".join(letters[row]).rstrip("-") for name, row in zip(study.feature_ids, rows, strict=True)}
    return counts, texts


def test_a_stored_study_holds_what_the_table_and_the_sequences_say():
    study = store_study(SAMPLES, FEATURES, SEQUENCES, COUNTS)

    counts, texts = as_user_sees_it(study)

    assert list(study.sample_ids) == sorted(SAMPLES)
    assert texts == dict(zip(FEATURES, SEQUENCES, strict=True))
    assert counts == {
        (SAMPLES[i], FEATURES[j]): int(COUNTS[i, j]) for i, j in np.argwhere(COUNTS)
    }  # fmt: skip
    assert dict(zip(study.sample_ids, study.depths.tolist(), strict=True)) == dict(
        zip(SAMPLES, COUNTS.sum(axis=1).tolist(), strict=True)
    )


def test_the_order_of_the_table_and_of_the_sequences_is_nothing():
    rows, columns = [2, 0, 1], [3, 1, 4, 0, 2]

    one = store_study(SAMPLES, FEATURES, SEQUENCES, COUNTS)
    other = store_study(
        [SAMPLES[i] for i in rows],
        [FEATURES[j] for j in columns],
        [SEQUENCES[j] for j in columns],
        COUNTS[rows][:, columns],
    )

    assert one.digest() == other.digest()
    assert list(one.feature_ids) == list(other.feature_ids)
    np.testing.assert_array_equal(dense(one), dense(other))


@pytest.mark.parametrize("change", ["count", "sample", "feature", "letter"])
def test_any_change_of_content_changes_the_digest(change):
    samples, features, texts, counts = list(SAMPLES), list(FEATURES), list(SEQUENCES), COUNTS.copy()
    if change == "count":
        counts[0, 0] += 1
    if change == "sample":
        samples[0] = "S11"
    if change == "feature":
        features[0] = "x"
    if change == "letter":
        texts[2] = "GGGC"

    changed = store_study(samples, features, texts, counts)

    assert changed.digest() != store_study(SAMPLES, FEATURES, SEQUENCES, COUNTS).digest()


def test_a_study_built_in_many_blocks_is_the_same(tmp_path, monkeypatch):
    study = make_study(n_samples=9, n_features=14, is_ragged=True)
    counts, texts = as_user_sees_it(study)
    fasta = tmp_path / "s.fasta"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    write_table(
        tmp_path / "t.biom", CountTable(list(study.sample_ids), list(study.feature_ids), csr_array(dense(study)))
    )
    monkeypatch.setattr(biom_matrix, "_VALUES_PER_BLOCK", 3)
    monkeypatch.setattr(biom_table, "_IDS_PER_BLOCK", 4)
    monkeypatch.setattr(sequences, "_PER_BLOCK", 5)
    monkeypatch.setattr(study_build, "_PER_BLOCK", 6)
    (tmp_path / "study").mkdir()

    with open_table(tmp_path / "t.biom") as table:
        build_study(table, fasta, tmp_path / "study")

    assert Study.open(tmp_path / "study").digest() == study.digest()
    assert as_user_sees_it(Study.open(tmp_path / "study")) == (counts, texts)


def test_ids_may_be_the_sequences(tmp_path):
    ids = ["ACGT" * 8, "TTGCA" * 7]
    fasta = tmp_path / "s.fasta"
    fasta.write_text("".join(f">{name}\n{name}\n" for name in ids))
    table = CountTable(["S1"], ids, csr_array([[3, 4]]))
    studies = []
    for name, source in (("with", fasta), ("without", None)):
        (tmp_path / name).mkdir()
        build_study(table, source, tmp_path / name)
        studies.append(Study.open(tmp_path / name).digest())

    assert studies[0] == studies[1]


def test_doubled_samples_are_refused_and_a_missing_sequence_leaves_no_study(tmp_path):
    with pytest.raises(TableError, match=r"\b1 ids of samples .*--table: 'S'"):
        build_study(CountTable(["S", "S"], ["A" * 30], csr_array([[1], [2]])), None, tmp_path)
    with pytest.raises(SequenceError, match="not sequences"):
        build_study(CountTable(["S"], ["ASV1"], csr_array([[1]])), None, tmp_path)

    assert not (tmp_path / "manifest.json").exists()


def test_a_selection_of_samples_keeps_their_order_counts_and_depths(study):
    chosen = study.select_samples(np.array([4, 1, 5])).select_samples(np.array([2, 0]))

    assert list(chosen.sample_ids) == [study.sample_ids[5], study.sample_ids[4]]
    np.testing.assert_array_equal(dense(chosen), dense(study)[[5, 4]])
    assert chosen.depths.tolist() == study.depths[[5, 4]].tolist()


def test_sequences_are_padded_to_the_longest_asked_for_and_cut():
    tokens = TokenRows(np.array([1, 2, 3, 4, 1, 2], dtype=np.uint8), np.array([0, 3, 4, 6]))

    assert tokens[np.array([1, 0])].tolist() == [[4, vocabulary.PAD, vocabulary.PAD], [1, 2, 3]]
    assert tokens[np.array([2])].tolist() == [[1, 2]]
    assert TokenRows(tokens.letters, tokens.offsets, max_bp=2)[np.array([0, 2])].tolist() == [[1, 2], [1, 2]]
