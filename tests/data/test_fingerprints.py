"""Fingerprints do not depend on the order of ASVs, and sketches tell how alike samples are."""

import numpy as np
from scipy.sparse import csr_array

from aam.data.fingerprints import SKETCH, Sketcher, place_keys, sequence_keys, sketch_study
from helpers.studies import dense, make_study, store_study

SEQUENCES = ["ACGTACGTAA", "CCGTACGTAA", "GGGTACGTAA", "TTGTACGTAA"]


def test_the_same_counts_of_the_same_sequences_have_one_fingerprint_in_all_tables():
    counts = np.array([[1, 2, 3, 0], [3, 2, 1, 0], [1, 2, 4, 0]])
    study = store_study(["a", "b", "c"], ["F1", "F2", "F3", "F4"], SEQUENCES, counts)
    order = [3, 1, 0, 2]
    other = store_study(
        ["x", "y", "z"], ["G1", "G2", "G3", "G4"], [SEQUENCES[k] for k in order], counts[::-1][:, order]
    )

    first, second = (sketch_study(each, sequence_keys(each)) for each in (study, other))

    np.testing.assert_array_equal(first.fingerprints, second.fingerprints[::-1])
    assert len(set(first.fingerprints.tolist())) == 3
    np.testing.assert_allclose(first.vectors, second.vectors[::-1], atol=1e-6)


def test_sequences_are_keyed_as_far_as_they_are_read():
    study = store_study(["a", "b"], ["F1", "F2"], ["ACGTACGTAA", "ACGTACGTCC"], np.array([[1, 2], [2, 1]]))

    assert len(set(sequence_keys(study).tolist())) == 2
    assert len(set(sequence_keys(study.cut(8)).tolist())) == 1


def test_a_sketch_estimates_the_hellinger_distance():
    stream = np.random.default_rng(0)
    counts = stream.poisson(stream.exponential(5, (60, 400)))
    vectors = Sketcher(place_keys(400))(csr_array(counts)).vectors
    roots = np.sqrt(counts / counts.sum(axis=1, keepdims=True))

    estimated = np.linalg.norm(vectors[:30] - vectors[30:], axis=1)
    exact = np.linalg.norm(roots[:30] - roots[30:], axis=1)

    assert vectors.shape == (60, SKETCH)
    assert abs(np.mean(estimated / exact) - 1) < 0.1


def test_least_and_largest_counts_are_those_of_each_sample():
    study = make_study(n_samples=5)
    counts = dense(study)

    sketches = sketch_study(study, place_keys(study.n_features))

    assert sketches.largest.tolist() == counts.max(axis=1).tolist()
    assert sketches.smallest.tolist() == [row[row > 0].min() for row in counts]
