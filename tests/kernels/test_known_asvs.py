"""Which ASVs a head knows, and that it finds them in other studies."""

import numpy as np
import pytest

from aam.errors import TableError
from aam.kernels.known_asvs import KnownASVs, sample_counts
from helpers.kernels import sequences, study_of

COUNTS = np.array([[5, 1, 0, 2], [3, 0, 0, 2], [1, 2, 7, 2], [0, 3, 1, 4], [9, 9, 9, 9]])


def known_of(study, rows):
    return KnownASVs.of_training(study, np.array(rows))


def test_asvs_are_known_from_three_training_samples_on():
    study = study_of(COUNTS)

    known = known_of(study, [0, 1, 2, 3])

    found = {study.feature_ids[k] for k in np.flatnonzero(known.find(study) >= 0)}
    assert found == {"F0", "F1", "F3"}


def test_names_and_the_order_of_the_table_change_nothing():
    study, other = study_of(COUNTS), study_of(COUNTS, order=[2, 0, 3, 1], prefix="z")

    known, renamed = known_of(study, [0, 1, 2]), known_of(other, [0, 1, 2])

    assert (known.letters.tobytes(), known.offsets.tolist()) == (renamed.letters.tobytes(), renamed.offsets.tolist())
    one = sample_counts(study, known.find(study), len(known)).toarray()
    two = sample_counts(other, known.find(other), len(known)).toarray()
    np.testing.assert_array_equal(one, two)


def test_longer_reads_of_the_same_region_are_the_same_asvs():
    study = study_of(COUNTS)
    known = known_of(study, [0, 1, 2, 3, 4])
    longer = study_of(COUNTS, own_sequences=[letters + "ACGTT" for letters in sequences(n=4)])

    np.testing.assert_array_equal(known.find(longer) >= 0, [True] * 4)


def test_features_with_one_sequence_are_added():
    twins = study_of(COUNTS[:, [0, 1, 2, 3]], own_sequences=["ACGT", "ACGT", "CCCC", "GGGG"])
    known = known_of(twins, [0, 1, 2, 3, 4])

    counts = sample_counts(twins, known.find(twins), len(known)).toarray()

    assert len(known) == 3
    np.testing.assert_array_equal(
        counts[:, 0], COUNTS[:, 0] + COUNTS[:, 1]
    )  # ACGT is the first of the sorted sequences


def test_a_study_without_common_asvs_is_refused():
    with pytest.raises(TableError, match=r"\b3 or more of the 2 training samples.*--head network\b"):
        known_of(study_of(COUNTS), [0, 1])
