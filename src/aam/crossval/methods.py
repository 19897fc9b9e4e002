"""Methods that are compared over folds: each is fitted to the training samples of a fold and predicts the others."""

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from aam.baselines.fold import StudyData
from aam.baselines.table import BASELINES, NEED_TREE
from aam.config.crossval import CrossvalConfig
from aam.crossval.folds import CrossvalSamples, Fold
from aam.data.rarefaction import choose_depth, fixed_rarefaction, rarefy_once, resolve_depth
from aam.data.read_checks import warn_of_cut
from aam.ecology.unifrac import unweighted_unifrac
from aam.inference.build import AnyModel
from aam.inference.count_function import CountFunction, in_all_classes
from aam.inference.description import ModelDescription
from aam.inference.kernel import head_function, predict_in_own_units, to_kernel_units
from aam.inference.network import PredictOptions
from aam.inference.predictor import Predictor, predictor_of
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
from aam.runs.kernel import choose_head, kernel_inputs, read_by_kernel
from aam.runs.plan import fit_run, plan_run, with_batch_size
from aam.runs.pretrained import Pretrained
from aam.runs.resources import read_given_tree
from aam.runs.resume import run_directories
from aam.storage.cache import Cache
from aam.uncertainty import warn_of_few_groups

AAM = "aam"

Method = Callable[[Fold], Predictions]
"""Function that is fitted to the training samples of a fold and predicts the others, in their order."""


Functions = dict[tuple[int, int], CountFunction]
"""What aam predicts of the samples that a fold holds out, as a function of their reads, by repeat and number of the fold."""


def methods_of(
    config: CrossvalConfig, pretrained: Pretrained | None, samples: CrossvalSamples, functions: Functions | None = None
) -> Mapping[str, Method]:
    """Return the methods to compare, by name; aam first.

    Parameters
    ----------
    config
        Options of the command.
    pretrained
        Pre-trained model that aam begins with in each fold, if any.
    samples
        The samples, and their folds.
    functions
        Where aam leaves its predictions as functions of reads; None if they are not needed.

    Raises
    ------
    AamError
        A fold leaves too few samples to train aam on.
    """
    methods: dict[str, Method] = {}
    if config.folds.aam:
        methods[AAM] = aam_method(config, pretrained, samples, functions)
    names = config.folds.baselines
    if names is None:
        names = tuple(name for name in BASELINES if config.distance.tree is not None or name not in NEED_TREE)
    if names:
        study_data = study_data_of(config, samples, has_distances=any(name in NEED_TREE for name in names))
        seed = config.training.seed
        methods |= {name: partial(_fit_baseline, study_data, name, seed) for name in names}
    return methods


def aam_method(
    config: CrossvalConfig, pretrained: Pretrained | None, samples: CrossvalSamples, functions: Functions | None = None
) -> Method:
    """Return aam as a method, with the same head in all folds.

    Everything that can be wrong in a fold is checked here, before anything is trained or written.

    Parameters
    ----------
    config
        Options of the command.
    pretrained
        Pre-trained model that training begins with in each fold, if any.
    samples
        The samples, and their folds.
    functions
        As in `methods_of`.

    Raises
    ------
    AamError
        A fold leaves too few samples to train on, or a file that training needs cannot be read.
    """
    if choose_head(config, samples.study.n_samples) == "kernel":
        return _kernel_method(config, pretrained, samples, functions)
    warn_of_cut(samples.study)
    choose_depth(config.sampling.rarefy_depth, samples.study)  # a fold has its own; what is to be said is said once
    labelled = []
    for fold in samples:
        with NOTICES.within(samples.name_of(fold)):
            labelled.append(label_fold(config, samples, fold))
    tests = (select_cells(samples.columns, fold.test) for fold in samples)
    warn_of_unknown_covariates([(study.covariates, test) for study, test in zip(labelled, tests, strict=True)])
    first = labelled[0]
    if config.head.ensemble is not None:
        with NOTICES.within("all folds"):
            members = [divide_members(config, study, run_directories(config)) for study in labelled]
        first = members[0][0].labelled
        warn_of_coverage(config, labelled)
    with_batch_size(plan_run(config, first, pretrained)).schedule()  # refuses before anything is trained or written
    fit = _fit_network if config.head.ensemble is None else _fit_ensemble
    return partial(fit, config, pretrained, samples, functions)


def _kernel_method(
    config: CrossvalConfig, pretrained: Pretrained | None, samples: CrossvalSamples, functions: Functions | None
) -> Method:
    study = read_by_kernel(samples.study, None if pretrained is not None else config.model.max_bp)
    target = samples.target
    inputs = kernel_inputs(config, study, pretrained)

    def target_of(fold: Fold) -> TargetState:
        in_training = select_cells(samples.columns, fold.train)
        return fit_target(samples.values.iloc[fold.train], target.task, config.target, in_training)

    as_read = rarefy_once(study, inputs.fixed_rarefaction)
    for fold in samples:  # both refuse before anything is written
        target_of(fold)
        KnownASVs.of_training(as_read, fold.train)
    fewest = min(len(np.unique(samples.groups[fold.train])) for fold in samples)
    warn_of_few_groups(fewest, config.head.coverage)

    def fit(fold: Fold) -> Predictions:
        with NOTICES.within(samples.name_of(fold)):
            fold_target = target_of(fold)
            categories = head_inputs_of(fold_target, NO_COVARIATES, samples.columns, study.n_samples)
            truth = to_kernel_units(fold_target, fold_target.encode(samples.values), categories)
            head = fit_kernel_head(study, fold.train, fold_target, truth, samples.groups, inputs)
            test = study.select_samples(fold.test)
            predicted = predict_in_own_units(head, test, samples.metadata)
            if functions is not None:
                function = head_function(head, test, samples.metadata)
                functions[fold.repeat, fold.number] = in_all_classes(function, fold_target.classes, target.classes)
            return predicted.in_all_classes(fold_target.classes, target.classes)

    return fit


def label_fold(config: CrossvalConfig, samples: CrossvalSamples, fold: Fold) -> LabelledStudy:
    """Fit the labels of a fold, whose training samples are split once more: some of them choose the best epoch.

    An ensemble makes such a split for each member, so that its validation samples here are those that the fold holds out. Nothing
    that is fitted depends on the held-out samples: neither the depth nor scaling and classes.

    Raises
    ------
    SplitError, MetadataError
        Too few samples or values are left.
    """
    study, training = samples.study, config.training
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths[fold.train])
    indices = fold.train[study.depths[fold.train] >= (depth or 1)]
    split = np.full(study.n_samples, EXCLUDED, dtype=object)
    if config.head.ensemble is None:
        stratum, seed = strata(samples.truth[indices]), training.seed + fold.repeat
        is_validation = hold_out(samples.groups[indices], stratum, training.validation_fraction, seed)
        split[indices] = np.where(is_validation, VALIDATION, TRAIN)
    else:
        split[indices], split[fold.test] = TRAIN, VALIDATION
    labelled = LabelledSamples(
        study=study,
        depth=depth,
        values=samples.values.to_frame(),
        columns=samples.columns,
        groups=samples.groups,
        task=samples.target.task,
        losses=samples.losses,
    )
    return fit_labels(config, labelled, split.astype(str))


def _config_of_fold(config: CrossvalConfig, fold: Fold, directory: Path) -> CrossvalConfig:
    """Return the options of a fold, with the seed of its repeat and a directory for its files."""
    output = replace(config.output, output_dir=directory)
    return replace(config, output=output, training=replace(config.training, seed=config.training.seed + fold.repeat))


def _fit_network(
    config: CrossvalConfig,
    pretrained: Pretrained | None,
    samples: CrossvalSamples,
    functions: Functions | None,
    fold: Fold,
) -> Predictions:
    """Train a network in a fold and predict the others; nothing stays on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, NOTICES.within(samples.name_of(fold)):
        labelled, directory = label_fold(config, samples, fold), Path(name)
        plan = with_batch_size(plan_run(_config_of_fold(config, fold, directory), labelled, pretrained))
        fit_run(plan, plan.schedule(), directory)
        fitted = _Fitted(labelled, plan.model, plan.description, Cache(directory / "cache"))
        return _predict(samples, fold, fitted, functions)


def _fit_ensemble(
    config: CrossvalConfig,
    pretrained: Pretrained | None,
    samples: CrossvalSamples,
    functions: Functions | None,
    fold: Fold,
) -> Predictions:
    """Train an ensemble in a fold and predict the others; nothing stays on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, NOTICES.within(samples.name_of(fold)):
        labelled, directory = label_fold(config, samples, fold), Path(name)
        fold_config = _config_of_fold(config, fold, directory)
        fold_config = replace(fold_config, study=replace(fold_config.study, cache_dir=directory / "cache"))
        members = divide_members(fold_config, labelled, run_directories(fold_config))
        training = with_batch_size(plan_member(members[0], pretrained)).config.training
        trained = fit_members(with_batch_size_of(members, training), pretrained)
        model, description, _ = calibrate_ensemble(fold_config, labelled, trained)
        return _predict(samples, fold, _Fitted(labelled, model, description, Cache(directory / "cache")), functions)


@dataclass(frozen=True)
class _Fitted:
    """A network or an ensemble of a fold, with its labels and the cache of its vectors."""

    labelled: LabelledStudy
    model: AnyModel
    description: ModelDescription
    cache: Cache

    def predictor(self, depth: int | None) -> Predictor:
        return predictor_of(copy.deepcopy(self.model), self.description, PredictOptions(self.cache, depth))


def _predict(samples: CrossvalSamples, fold: Fold, fitted: _Fitted, functions: Functions | None) -> Predictions:
    """Predict the held-out samples of a fold; those with fewer reads than the depth are read whole, and not left out."""
    labelled = fitted.labelled
    assert isinstance(labelled.target, TargetState), "a fold has one target"
    if functions is not None:
        test = samples.study.select_samples(fold.test)
        function = fitted.predictor(labelled.depth).as_function(test, samples.metadata)
        classes = labelled.target.classes, samples.target.classes
        functions[fold.repeat, fold.number] = in_all_classes(function, *classes)
    is_shallow = samples.study.depths[fold.test] < (labelled.depth or 0)
    predictions, order = [], []
    for indices, depth in ((np.flatnonzero(~is_shallow), labelled.depth), (np.flatnonzero(is_shallow), None)):
        if len(indices):
            predictor = fitted.predictor(depth)
            study = samples.study.select_samples(fold.test[indices])
            predictions.append(predictor.predict(study, samples.metadata))
            order.append(indices)
    predicted = Predictions.concatenate(predictions).select(np.argsort(np.concatenate(order)))
    return predicted.in_all_classes(labelled.target.classes, samples.target.classes)


def study_data_of(config: CrossvalConfig, samples: CrossvalSamples, has_distances: bool) -> StudyData:
    """Return the data of all samples that baselines read: counts, and UniFrac from the tree if ``has_distances``."""
    study = rarefy_once(samples.study, fixed_rarefaction(config.sampling, config.training.seed))
    of_samples = [study.sample(index) for index in range(study.n_samples)]
    features, counts = (np.concatenate(arrays) for arrays in zip(*of_samples, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(of_sample) for of_sample, _ in of_samples])])
    distances = None
    if has_distances:
        distances = unweighted_unifrac(read_given_tree(config, study), features, offsets)
    table = csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))
    target = samples.target
    task = "regression" if target.task == "regression" else "classification"  # baselines know no order of classes
    return StudyData(table, samples.truth, samples.groups, task, len(target.classes), distances)


def _fit_baseline(study_data: StudyData, name: str, seed: int, fold: Fold) -> Predictions:
    return Predictions(BASELINES[name](study_data.fold(fold.train, fold.test, seed + fold.repeat)))
