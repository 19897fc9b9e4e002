"""The methods that are compared over folds: each fits the training samples of a fold and predicts the others."""

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from aam.baselines.fold import StudyData
from aam.baselines.table import BASELINES, NEED_TREE
from aam.config.crossval import CrossvalConfig
from aam.crossval.folds import CrossvalSamples, Fold
from aam.data.rarefaction import fixed_rarefaction, rarefy_once, resolve_depth
from aam.ecology.unifrac import unweighted_unifrac
from aam.inference.build import AnyModel
from aam.inference.description import ModelDescription
from aam.inference.kernel import predict_in_own_units, to_kernel_units
from aam.inference.network import PredictOptions
from aam.inference.predictor import predictor_of
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.known_asvs import KnownASVs
from aam.labels.covariates import NO_COVARIATES
from aam.labels.head_inputs import head_inputs_of, select_cells, warn_of_unknown_covariates
from aam.labels.labelled import LabelledSamples, LabelledStudy, fit_labels
from aam.labels.splits import EXCLUDED, TRAIN, VALIDATION
from aam.labels.stratified import hold_out, strata
from aam.labels.target import Predictions, TargetState, fit_target
from aam.notices import NOTICES
from aam.runs.ensemble import (
    calibrate_ensemble,
    divide_members,
    fit_members,
    plan_member,
    warn_of_coverage,
    with_batch_size_of,
)
from aam.runs.kernel import choose_head, kernel_inputs
from aam.runs.plan import fit_run, plan_run, with_batch_size
from aam.runs.pretrained import Pretrained
from aam.runs.resources import read_given_tree
from aam.runs.resume import run_directories
from aam.storage.cache import Cache
from aam.uncertainty import warn_of_few_groups


def aam_method(
    config: CrossvalConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Callable[[Fold], Predictions]:
    """Return aam as a method, with the head that its options ask for; the same head in all folds.

    Raises
    ------
    AamError
        A fold leaves too few samples to train on, or a file that training needs cannot be read.
    """
    if choose_head(config, crossval_samples.study.n_samples) == "kernel":
        return _kernel_method(config, pretrained, crossval_samples)
    labelled = []
    for fold in crossval_samples:
        with NOTICES.within(crossval_samples.name_of(fold)):
            labelled.append(part_of_fold(config, crossval_samples, fold))
    tests = (select_cells(crossval_samples.columns, fold.test) for fold in crossval_samples)
    warn_of_unknown_covariates([(part.covariates, columns) for part, columns in zip(labelled, tests, strict=True)])
    first = labelled[0]
    if config.head.ensemble is not None:
        with NOTICES.within("all folds"):
            members = [divide_members(config, part, run_directories(config)) for part in labelled]
        first = members[0][0].labelled
        warn_of_coverage(config, labelled)
    with_batch_size(plan_run(config, first, pretrained)).schedule()  # refuses before anything is trained or written
    fit = _fit_network if config.head.ensemble is None else _fit_ensemble
    return partial(fit, config, pretrained, crossval_samples)


def _kernel_method(
    config: CrossvalConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Callable[[Fold], Predictions]:
    study, target = crossval_samples.study, crossval_samples.target
    inputs = kernel_inputs(config, study, pretrained)

    def target_of(fold: Fold) -> TargetState:
        in_training = select_cells(crossval_samples.columns, fold.train)
        return fit_target(crossval_samples.values.iloc[fold.train], target.task, config.target, in_training)

    as_read = rarefy_once(study, inputs.fixed_rarefaction)
    for fold in crossval_samples:  # both refuse before anything is written
        target_of(fold)
        KnownASVs.of_training(as_read, fold.train)
    fewest = min(len(np.unique(crossval_samples.groups[fold.train])) for fold in crossval_samples)
    warn_of_few_groups(fewest, config.head.coverage)

    def fit(fold: Fold) -> Predictions:
        with NOTICES.within(crossval_samples.name_of(fold)):
            of_fold = target_of(fold)
            categories = head_inputs_of(of_fold, NO_COVARIATES, crossval_samples.columns, study.n_samples)
            truth = to_kernel_units(of_fold, of_fold.encode(crossval_samples.values), categories)
            head = fit_kernel_head(study, fold.train, of_fold, truth, crossval_samples.groups, inputs)
            predicted = predict_in_own_units(head, study.select_samples(fold.test), crossval_samples.metadata)
            return predicted.in_all_classes(of_fold.classes, target.classes)

    return fit


def part_of_fold(config: CrossvalConfig, crossval_samples: CrossvalSamples, fold: Fold) -> LabelledStudy:
    """Divide the training part of a fold once more, into samples to fit and samples that say when to stop.

    An ensemble divides it by itself: to it, the samples of the fold are those that validate it. Nothing depends on the held-out
    samples: neither the depth, nor scaling and classes.

    Raises
    ------
    SplitError, MetadataError
        Too few samples or values are left.
    """
    study, training = crossval_samples.study, config.training
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths[fold.train])
    indices = fold.train[study.depths[fold.train] >= (depth or 1)]
    sample_parts = np.full(study.n_samples, EXCLUDED, dtype=object)
    if config.head.ensemble is None:
        stratum, seed = strata(crossval_samples.truth[indices]), training.seed + fold.repeat
        is_validation = hold_out(crossval_samples.groups[indices], stratum, training.validation_fraction, seed)
        sample_parts[indices] = np.where(is_validation, VALIDATION, TRAIN)
    else:
        sample_parts[indices], sample_parts[fold.test] = TRAIN, VALIDATION
    samples = LabelledSamples(
        study=study,
        depth=depth,
        values=crossval_samples.values.to_frame(),
        columns=crossval_samples.columns,
        groups=crossval_samples.groups,
        task=crossval_samples.target.task,
        losses=crossval_samples.losses,
    )
    return fit_labels(config, samples, sample_parts.astype(str))


def _of_fold(config: CrossvalConfig, fold: Fold, directory: Path) -> CrossvalConfig:
    """Return the options of a fold, with a seed for its repeat, and a directory for its files."""
    output = replace(config.output, output_dir=directory)
    return replace(config, output=output, training=replace(config.training, seed=config.training.seed + fold.repeat))


def _fit_network(
    config: CrossvalConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples, fold: Fold
) -> Predictions:
    """Train the network, and leave nothing on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, NOTICES.within(crossval_samples.name_of(fold)):
        labelled, directory = part_of_fold(config, crossval_samples, fold), Path(name)
        plan = with_batch_size(plan_run(_of_fold(config, fold, directory), labelled, pretrained))
        fit_run(plan, plan.schedule(), directory)
        return _predict(crossval_samples, fold, labelled, plan.model, plan.description, Cache(directory / "cache"))


def _fit_ensemble(
    config: CrossvalConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples, fold: Fold
) -> Predictions:
    """Train the networks of an ensemble, and leave nothing on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, NOTICES.within(crossval_samples.name_of(fold)):
        labelled, directory = part_of_fold(config, crossval_samples, fold), Path(name)
        of_fold = _of_fold(config, fold, directory)
        of_fold = replace(of_fold, study=replace(of_fold.study, cache_dir=directory / "cache"))
        members = divide_members(of_fold, labelled, run_directories(of_fold))
        training = with_batch_size(plan_member(members[0], pretrained)).config.training
        trained = fit_members(with_batch_size_of(members, training), pretrained)
        model, description, _ = calibrate_ensemble(of_fold, labelled, trained)
        return _predict(crossval_samples, fold, labelled, model, description, Cache(directory / "cache"))


def _predict(
    crossval_samples: CrossvalSamples,
    fold: Fold,
    labelled: LabelledStudy,
    model: AnyModel,
    description: ModelDescription,
    cache: Cache,
) -> Predictions:
    """Predict the samples of a fold; those with fewer reads than are drawn are read whole, so that none is left out."""
    assert isinstance(labelled.target, TargetState), "a fold has one target"
    is_shallow = crossval_samples.study.depths[fold.test] < (labelled.depth or 0)
    predictions, order = [], []
    for indices, depth in ((np.flatnonzero(~is_shallow), labelled.depth), (np.flatnonzero(is_shallow), None)):
        if len(indices):
            predictor = predictor_of(copy.deepcopy(model), description, PredictOptions(cache, depth))
            study = crossval_samples.study.select_samples(fold.test[indices])
            predictions.append(predictor.predict(study, crossval_samples.metadata))
            order.append(indices)
    predicted = Predictions.concatenate(predictions).select(np.argsort(np.concatenate(order)))
    return predicted.in_all_classes(labelled.target.classes, crossval_samples.target.classes)


AAM = "aam"

Method = Callable[[Fold], Predictions]
"""Fits the training rows of a fold and predicts the others: values [n], or probabilities of the study's classes [n, C]."""


def methods_of(
    config: CrossvalConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Mapping[str, Method]:
    """Return what the user wants to compare, by name; aam first.

    Raises
    ------
    AamError
        A fold leaves too few samples to train aam on.
    """
    methods: dict[str, Method] = {}
    if config.folds.aam:
        methods[AAM] = aam_method(config, pretrained, crossval_samples)
    names = config.folds.baselines
    if names is None:
        names = tuple(name for name in BASELINES if config.distance.tree is not None or name not in NEED_TREE)
    if names:
        study_data = study_data_of(config, crossval_samples, has_distances=any(name in NEED_TREE for name in names))
        seed = config.training.seed
        methods |= {name: partial(_fit_baseline, study_data, name, seed) for name in names}
    return methods


def study_data_of(config: CrossvalConfig, crossval_samples: CrossvalSamples, has_distances: bool) -> StudyData:
    """Lay out what the baselines read: counts, and if wanted UniFrac from the tree."""
    study = rarefy_once(crossval_samples.study, fixed_rarefaction(config.sampling, config.training.seed))
    samples = [study.sample(row) for row in range(study.n_samples)]
    features, counts = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(held) for held, _ in samples])])
    distances = None
    if has_distances:
        distances = unweighted_unifrac(read_given_tree(config, study), features, offsets)
    table = csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))
    target = crossval_samples.target
    task = "regression" if target.task == "regression" else "classification"  # baselines know no order of classes
    return StudyData(table, crossval_samples.truth, crossval_samples.groups, task, len(target.classes), distances)


def _fit_baseline(study_data: StudyData, name: str, seed: int, fold: Fold) -> Predictions:
    return Predictions(BASELINES[name](study_data.fold(fold.train, fold.test, seed + fold.repeat)))
