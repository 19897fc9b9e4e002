"""Digests of training samples recognise them, and survive being written."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aam.data.known_samples import KnownSamples
from helpers.studies import make_study, store_study


def named(names, seed=0):
    stream = np.random.default_rng(seed)
    sequences = [f"{'ACGT'[k % 4]}{'ACGT'[k // 4]}ACGT" for k in range(12)]
    return store_study(
        list(names), [f"F{k}" for k in range(12)], sequences, stream.poisson(stream.exponential(40, (6, 12)))
    )


def test_samples_are_found_by_content_whatever_their_name():
    study = named("abcdef")
    known = KnownSamples.of(study.select_samples(np.array([0, 2, 4])))

    assert known.find(study).tolist() == [True, False, True, False, True, False]
    assert known.find(named("uvwxyz")).tolist() == [True, False, True, False, True, False]
    assert not known.find(named("uvwxyz", seed=9)).any()
    assert not known.find(named("abcdef", seed=9)).any()


def test_digests_are_read_back_as_they_were():
    study = make_study()
    known = KnownSamples.of(study)

    again = KnownSamples.from_stored(json.loads(json.dumps(known.stored())))

    np.testing.assert_array_equal(again.contents, known.contents)
    np.testing.assert_array_equal(again.reads, study.depths)
    assert again.find(study).all()


def test_damaged_digests_are_refused():
    stored = KnownSamples.of(make_study()).stored()

    with pytest.raises(ValueError, match="do not fit together"):
        KnownSamples.from_stored({**stored, "reads": "AAAAAAAAAAA="})
    with pytest.raises(ValueError, match="do not fit together"):
        KnownSamples.from_stored({**stored, "pairs": stored["pairs"][:64]})
    with pytest.raises(KeyError):
        KnownSamples.from_stored({})
    with pytest.raises(ValueError, match="do not fit together"):
        replace(KnownSamples.of(make_study()), names=np.zeros(2, dtype=np.uint64))


def test_digests_of_a_model_that_was_saved_without_pairs_are_read():
    stored = KnownSamples.of(make_study()).stored()
    del stored["pairs"]

    known = KnownSamples.from_stored(stored)

    assert known.pairs.shape[1] == 0
    assert known.stored() == stored
    assert known.find(make_study()).all()
