"""Augmentations: what each keeps, that each does something, and that evaluation never sees one."""

import dataclasses

import numpy as np
import pytest
import torch

from aam import vocabulary
from aam.batch import TARGET, PackedCounts, batch_target
from aam.config.model import AugmentationConfig, tiny
from aam.data.batching.augmentation import (
    AUGMENTATIONS,
    AbundanceNoise,
    AsvDropout,
    DepthVariation,
    Mixing,
    NucleotideSubstitution,
    augmentations_of,
    mix_reads,
)
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, Masking
from aam.data.rarefaction import EVALUATION, generator
from aam.ecology.unifrac import unweighted_unifrac
from aam.labels.target import fit_target
from aam.objectives.target import ClassificationTarget
from helpers.studies import make_study

ALL = AugmentationConfig(
    min_depth_fraction=0.3, asv_dropout=0.3, abundance_noise=0.5, nucleotide_substitution=0.2, mixup_alpha=0.4
)
FEATURES, COUNTS = np.arange(0, 60, 3), np.array([1, 2, 40, 7] * 5)


def stream(key=0):
    return generator(0, "test", key)


def maker(study, targets=None, masking=None, depth=40, **asked) -> BatchMaker:
    augmentations = augmentations_of(AugmentationConfig(**asked))
    return BatchMaker(study, Drawing(depth, 1024, 0), masking or Masking(), targets or {}, augmentations)


def content(batch) -> list:
    """Give all of a batch that training reads."""
    parts = [batch.tokens, batch.asv_index, batch.sample_offsets, batch.counts, *batch.targets.values()]
    parts += [] if batch.masked is None else [batch.masked.tokens, batch.masked.labels]
    return [part.tolist() for part in parts]


def test_every_option_has_its_augmentation():
    assert set(AUGMENTATIONS) == {field.name for field in dataclasses.fields(AugmentationConfig)}
    assert list(augmentations_of(AugmentationConfig(asv_dropout=0.1))) == ["asv_dropout"]
    assert augmentations_of(AugmentationConfig()) == {}


def test_asv_dropout_leaves_out_its_share_and_keeps_the_counts_of_the_rest():
    kept = [AsvDropout(0.25).reads((FEATURES, COUNTS), stream(key)) for key in range(200)]

    assert np.mean([len(features) for features, _ in kept]) == pytest.approx(0.75 * len(FEATURES), rel=0.03)
    assert all((counts == COUNTS[np.searchsorted(FEATURES, features)]).all() for features, counts in kept)


def test_asv_dropout_leaves_at_least_the_most_abundant():
    features, counts = AsvDropout(0.999999).reads((np.array([3, 8]), np.array([2, 9])), stream())

    assert (features.tolist(), counts.tolist()) == ([8], [9])


@pytest.mark.parametrize("std", [0.01, 0.5, 3.0, 50.0])
def test_abundance_noise_keeps_the_number_of_reads_and_adds_no_asv(std):
    features, counts = AbundanceNoise(std).reads((FEATURES, COUNTS), stream())

    assert counts.sum() == COUNTS.sum()
    assert counts.dtype == COUNTS.dtype
    assert (counts > 0).all()
    assert set(features) <= set(FEATURES)
    assert std < 0.1 or counts.tolist() != COUNTS.tolist()


def test_abundance_noise_is_log_normal_and_vanishes_with_its_spread():
    many = np.full(5000, 10**6)

    _, noisy = AbundanceNoise(0.3).reads((np.arange(5000), many), stream())
    _, same = AbundanceNoise(1e-12).reads((FEATURES, COUNTS), stream())

    assert np.std(np.log(noisy / many)) == pytest.approx(0.3, rel=0.05)
    assert same.tolist() == COUNTS.tolist()


def test_substitution_replaces_its_share_of_nucleotides_by_others_and_nothing_else():
    tokens = np.random.default_rng(0).integers(0, 6, size=(200, 150)).astype(np.uint8)

    changed = NucleotideSubstitution(0.1).tokens(tokens, stream)

    is_nucleotide = (tokens >= vocabulary.FIRST_NUCLEOTIDE) & (tokens < vocabulary.AMBIGUOUS)
    assert (changed != tokens)[is_nucleotide].mean() == pytest.approx(0.1, rel=0.05)
    assert (changed[~is_nucleotide] == tokens[~is_nucleotide]).all()
    assert set(np.unique(changed[is_nucleotide])) == {1, 2, 3, 4}
    for old in (1, 2, 3, 4):
        new = changed[(tokens == old) & (changed != old)]
        assert np.bincount(new, minlength=5)[1:].tolist().count(0) == 1, "each of the other three, never itself"


def test_an_asv_is_changed_alike_whatever_its_neighbours_and_its_padding():
    tokens = make_study(n_features=9, n_positions=40, is_ragged=True).tokens[np.arange(9)]

    together = NucleotideSubstitution(0.3).tokens(tokens, stream)
    alone = NucleotideSubstitution(0.3).tokens(tokens[4:5], stream)

    assert together[4].tolist() == alone[0].tolist()


def test_depths_are_log_uniform_between_the_fraction_and_the_whole():
    depths = np.array([DepthVariation(0.1).depth(10_000, stream(key)) for key in range(2000)])

    assert depths.min() >= 1000
    assert depths.max() <= 10_000
    assert np.median(depths) == pytest.approx(10_000 * 0.1**0.5, rel=0.06)
    assert DepthVariation(0.001).depth(1, stream()) == 1


def test_a_mixture_holds_as_many_reads_as_the_shallower_sample_and_its_weight_is_exact():
    own, other = (np.array([1, 5]), np.array([30, 10])), (np.array([5, 9]), np.array([100, 100]))

    (features, counts), weight = mix_reads(own, other, 0.31, stream())
    (unmixed, same), _ = mix_reads(own, other, 1.0, stream())

    assert counts.sum() == 40
    assert weight == 12 / 40
    assert counts[features == 1].sum() <= 12
    assert counts[features == 9].sum() <= 28
    assert (unmixed.tolist(), same.tolist()) == ([1, 5], [30, 10])


def test_mixing_takes_a_partner_from_the_batch_and_leaves_a_lone_sample():
    samples = [(np.array([place]), np.array([50])) for place in range(5)]

    mixed, mixture = Mixing(1.0).mix(samples, [f"S{i}" for i in range(5)], stream)
    alone, none = Mixing(1.0).mix(samples[:1], ["S0"], stream)

    assert (mixture.partners != np.arange(5)).all()
    assert none is None
    assert alone == samples[:1]
    for place, (features, counts) in enumerate(mixed):
        assert set(features) <= {place, mixture.partners[place]}
        assert counts[features == place].sum() == round(50 * mixture.weights[place])


def test_targets_mix_by_the_reads_that_were_drawn():
    study = make_study()
    ages, sites = np.array([1.0, 2, 30, 4, 5, 60]), np.array([0, 1, 2, 0, 1, 2])
    seen: list[PackedCounts] = []
    age, site = (
        batch_target(len(fit_target(column, task).classes), truth)
        for column, task, truth in (
            (_series(ages), "regression", ages),
            (_series([f"c{k}" for k in sites]), "classification", sites),
        )
    )
    targets = {"age": age, "site": site, "seen": lambda packed: seen.append(packed) or packed.samples}

    batch = maker(study, targets, mixup_alpha=1.0)[BatchPlan(0, (5, 2, 0))]

    mixture = seen[0].mixture
    rows = np.array([5, 2, 0])
    partners = rows[mixture.partners]
    for place in range(3):
        w = mixture.weights[place]
        assert batch.targets["age"][place] == pytest.approx(w * ages[rows[place]] + (1 - w) * ages[partners[place]])
        shares = w * np.eye(3)[sites[rows[place]]] + (1 - w) * np.eye(3)[sites[partners[place]]]
        np.testing.assert_allclose(batch.targets["site"][place], shares)


def test_the_loss_of_whole_shares_is_that_of_classes_and_of_half_shares_their_mean():
    objective = ClassificationTarget(tiny(), "site", ["a", "b", "c"])
    batch = maker(make_study())[BatchPlan(0, (0, 1))]
    prediction = torch.tensor([[1.0, -1.0, 0.3], [0.2, 0.1, -2.0]])

    def loss(target):
        return objective.loss(prediction, dataclasses.replace(batch, targets={TARGET: torch.tensor(target)})).item()

    assert loss([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) == pytest.approx(loss([1, 2]), rel=1e-6)
    half = loss([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert half == pytest.approx((loss([0, 2]) + loss([1, 2])) / 2, rel=1e-6)


def test_distances_are_those_of_the_reads_as_drawn(caterpillar):
    def unifrac(packed):
        return unweighted_unifrac(caterpillar, packed.features, packed.sample_offsets)

    study = make_study()
    plan = BatchPlan(0, (0, 1, 2))
    plain, mixed = (
        maker(study, {"distance": unifrac}, depth=30, **asked)[plan] for asked in ({}, {"mixup_alpha": 1.0})
    )

    expected = unweighted_unifrac(caterpillar, mixed.features[mixed.asv_index].numpy(), mixed.sample_offsets.numpy())
    np.testing.assert_array_equal(mixed.targets["distance"], expected)
    assert not torch.equal(mixed.targets["distance"], plain.targets["distance"])


@pytest.mark.parametrize("option", AUGMENTATIONS)
def test_each_changes_training_batches_by_epoch_and_no_evaluation(option):
    study = make_study(n_samples=6, n_features=30, n_positions=20)
    plain, changed = maker(study), maker(study, **{option: getattr(ALL, option)})
    rows = (4, 1, 3)

    epochs = [content(changed[BatchPlan(epoch, rows)]) for epoch in (0, 0, 1)]

    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]
    assert epochs[0] != content(plain[BatchPlan(0, rows)])
    for word in (EVALUATION, "calibration"):
        assert content(changed[BatchPlan(word, rows)]) == content(plain[BatchPlan(word, rows)])


@pytest.mark.parametrize("option", sorted(set(AUGMENTATIONS) - {"mixup_alpha", "nucleotide_substitution"}))
def test_what_happens_to_a_sample_does_not_depend_on_its_neighbours(option):
    study = make_study(n_samples=6, n_features=30)
    changed = maker(study, **{option: getattr(ALL, option)})

    alone, together = changed[BatchPlan(3, (4,))], changed[BatchPlan(3, (4, 2, 0))]

    n = len(alone.counts)
    assert together.sample_offsets[1] == n
    assert together.counts[:n].tolist() == alone.counts.tolist()
    assert together.features[together.asv_index[:n]].tolist() == alone.features[alone.asv_index].tolist()


def test_all_together_keep_an_asv_in_every_sample_and_the_masked_nucleotides_true():
    study = make_study(n_samples=6, n_features=30, n_positions=20)
    augmented = maker(study, masking=Masking(0.5, 1.0), depth=None, **dataclasses.asdict(ALL))

    for epoch in range(20):
        batch = augmented[BatchPlan(epoch, (0, 1, 2, 3))]

        assert (batch.sample_offsets.diff() > 0).all()
        assert (batch.counts > 0).all()
        original = study.tokens[batch.features.numpy()]
        truth = np.take_along_axis(original, batch.masked.columns.numpy(), axis=1)
        assert (truth - vocabulary.FIRST_NUCLEOTIDE == batch.masked.labels.numpy()).all()


def test_without_rarefaction_the_depth_varies_below_all_reads():
    study = make_study()

    batch = maker(study, depth=None, min_depth_fraction=0.2)[BatchPlan(0, (0, 1, 2))]

    drawn = np.add.reduceat(batch.counts.numpy(), batch.sample_offsets[:-1].numpy())
    assert (drawn <= study.depths[:3]).all()
    assert (drawn < study.depths[:3]).any()


@pytest.fixture
def caterpillar():
    """Give a tree over 12 features in which feature k is within the clades k, k + 1, …"""
    from aam.ecology.tree import FeatureTree

    depth = np.minimum(12.0, 13.0 - np.arange(12))
    return FeatureTree(position=np.arange(12), depth=depth, ancestor_depth=11.0 - np.arange(11))


def _series(values):
    import pandas as pd

    return pd.Series(values, name="column")
