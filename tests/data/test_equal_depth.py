"""A study at one depth: the draws of the network, made when a sample is read."""

import numpy as np
import pytest

from aam.data.batches import Drawing
from aam.data.rarefaction import EVALUATION, FixedRarefaction, rarefy_once
from conftest import make_study

DEPTH = 40


def test_samples_hold_the_reads_that_the_network_would_draw():
    study = make_study()
    rarefied = FixedRarefaction(DEPTH, seed=3).of(study)

    for row in range(study.n_samples):
        for found, drawn in zip(rarefied.sample(row), Drawing(DEPTH, 99, 3).draw(study, row, EVALUATION), strict=True):
            np.testing.assert_array_equal(found, drawn)
    assert rarefied.depths.tolist() == [DEPTH] * study.n_samples


def test_draws_belong_to_the_sample_and_not_to_its_place():
    study = make_study()
    chosen = FixedRarefaction(DEPTH, seed=0).of(study).select_samples(np.array([4, 1]))

    again = FixedRarefaction(DEPTH, seed=0).of(study.select_samples(np.array([1, 4])))

    for one, other in zip(chosen.sample(0), again.sample(1), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shallow_samples_are_read_whole():
    study = make_study()
    deep = FixedRarefaction(10**9, seed=0).of(study)

    assert deep.depths.tolist() == study.depths.tolist()
    assert [deep.sample(row)[1].tolist() for row in range(6)] == [study.sample(row)[1].tolist() for row in range(6)]
    assert rarefy_once(study, None) is study


def test_richness_is_that_of_the_reads_drawn():
    study = make_study()
    rarefied = FixedRarefaction(5, seed=3).of(study)
    chosen = rarefied.select_samples(np.array([4, 1]))

    assert rarefied.richness.tolist() == [len(rarefied.sample(row)[0]) for row in range(study.n_samples)]
    assert chosen.richness.tolist() == rarefied.richness[[4, 1]].tolist()
    assert (rarefied.richness <= study.richness).all()
    assert (rarefied.richness < study.richness).any()
    assert FixedRarefaction(10**9, seed=3).of(study).richness.tolist() == study.richness.tolist()


def test_digest_tells_apart_depths_and_seeds_and_the_whole_study():
    study = make_study()
    rarefied = FixedRarefaction(DEPTH, seed=3).of(study)

    others = [study, FixedRarefaction(DEPTH + 1, seed=3).of(study), FixedRarefaction(DEPTH, seed=4).of(study)]
    others += [rarefied.select_samples(np.array([1, 4])), rarefied.cut(2)]
    assert rarefied.digest() not in {other.digest() for other in others}
    assert FixedRarefaction(DEPTH, seed=3).of(make_study()).digest() == rarefied.digest()
    assert rarefied.content == study.content


def test_a_study_is_rarefied_once():
    rarefied = FixedRarefaction(DEPTH, seed=3).of(make_study())

    with pytest.raises(AssertionError, match="rarefied once"):
        FixedRarefaction(DEPTH, seed=3).of(rarefied)
