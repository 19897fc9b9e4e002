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
from aam.config.commands import TrainConfig
from aam.config.crossval import EvaluateFoldsConfig
from aam.config.model import ModelConfig
from aam.crossval.folds import CrossvalSamples, Fold
from aam.data.rarefaction import fixed_rarefaction, rarefy_once, resolve_depth
from aam.ecology.unifrac import unweighted_unifrac
from aam.inference.kernel import PretrainedVectors, learned_by_kernels, read_from_kernels
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.head import KernelInputs
from aam.kernels.known_asvs import KnownASVs
from aam.labels.covariate_checks import say_unknown
from aam.labels.labelled import EXCLUDED, LabelledSamples, LabelledStudy, fit_labels
from aam.labels.predicted import Predicted
from aam.labels.splits import TRAIN, VALIDATION, hold_out, strata
from aam.labels.target import TargetState, fit_target
from aam.labels.weights import head_inputs_of, rows_of
from aam.models.sequence_encoder import SequenceEncoder
from aam.notices import quiet
from aam.runs.batch_plan import schedule_batches
from aam.runs.ensemble import (
    bring_together,
    divide_members,
    ensemble_predictor,
    fit_members,
    head_inputs_of_members,
    warn_of_coverage,
    with_batch_size_of,
)
from aam.runs.kernel import choose_head
from aam.runs.plan import fit_network, plan_network, with_batch_size
from aam.runs.pretrained import Pretrained
from aam.runs.resources import read_given_tree
from aam.runs.resume import run_directories
from aam.storage.cache import Cache
from aam.uncertainty import warn_of_few_groups


def aam_method(
    config: EvaluateFoldsConfig, shape: ModelConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Callable[[Fold], Predicted]:
    """Give aam as a method, with the head that its options ask for; the same head in all folds.

    Raises
    ------
    AamError
        A fold leaves too few samples to train on, or a file that training needs cannot be read.
    """
    options = config.of_training(config.output.output_dir, config.training.seed)
    if choose_head(options, crossval_samples.study.n_samples) == "kernel":
        return _kernel_method(options, pretrained, crossval_samples)
    encoder = None if pretrained is None else pretrained[0]
    with quiet():
        parts = [part_of_fold(config, crossval_samples, fold) for fold in crossval_samples]
    tests = (rows_of(crossval_samples.columns, fold.test) for fold in crossval_samples)
    say_unknown([(part.conditions, columns) for part, columns in zip(parts, tests, strict=True)])
    in_first = parts[0]
    if options.head.ensemble is not None:
        with quiet():
            members = [divide_members(options, part, run_directories(options)) for part in parts]
        in_first = members[0][0].labelled
        warn_of_coverage(options, parts)
    first = with_batch_size(plan_network(options, shape, encoder, in_first))
    schedule_batches(first.batch_source, first.training)  # both refuse before anything is trained or written
    fit = _fit_network if options.head.ensemble is None else _fit_ensemble
    return partial(fit, config, shape, encoder, crossval_samples)


def _kernel_method(
    options: TrainConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Callable[[Fold], Predicted]:
    study, target = crossval_samples.study, crossval_samples.target
    tree = None if options.distance.tree is None else read_given_tree(options, study)
    vectors = None
    if pretrained is not None:
        encoder, description = pretrained
        vectors = PretrainedVectors(
            copy.deepcopy(encoder), description, PredictOptions(None, Cache(options.study.cache_dir))
        )
    resources = KernelInputs(
        tree, vectors, options.head.coverage, fixed_rarefaction(options.sampling, options.training.seed)
    )

    def target_of(fold: Fold) -> TargetState:
        training = rows_of(crossval_samples.columns, fold.train)
        return fit_target(crossval_samples.values.iloc[fold.train], target.task, options.target, training)

    as_read = rarefy_once(study, resources.fixed_rarefaction)
    for fold in crossval_samples:  # both refuse before anything is written
        target_of(fold)
        KnownASVs.of_training(as_read, fold.train)
    fewest = min(len(np.unique(crossval_samples.groups[fold.train])) for fold in crossval_samples)
    warn_of_few_groups(fewest, options.head.coverage)

    def fit(fold: Fold) -> Predicted:
        with quiet():
            own = target_of(fold)
            head_inputs = head_inputs_of(own, crossval_samples.columns, study.n_samples)
            truth = learned_by_kernels(own, own.encode(crossval_samples.values), head_inputs)
            head = fit_kernel_head(study, fold.train, own, truth, crossval_samples.groups, resources)
            predicted = head.predict(study.select_samples(fold.test))
            own_units = read_from_kernels(own, predicted, {name: fact[fold.test] for name, fact in head_inputs.items()})
            return own_units.in_all_classes(own.classes, target.classes)

    return fit


def part_of_fold(config: EvaluateFoldsConfig, crossval_samples: CrossvalSamples, fold: Fold) -> LabelledStudy:
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
    rows = fold.train[study.depths[fold.train] >= (depth or 1)]
    parts = np.full(study.n_samples, EXCLUDED, dtype=object)
    if config.head.ensemble is None:
        stratum = strata(crossval_samples.truth[rows])
        held = hold_out(
            crossval_samples.groups[rows], stratum, training.validation_fraction, training.seed + fold.repeat
        )
        parts[rows] = np.where(held, VALIDATION, TRAIN)
    else:
        parts[rows], parts[fold.test] = TRAIN, VALIDATION
    pool = LabelledSamples(
        study=study,
        depth=depth,
        values=crossval_samples.values.to_frame(),
        columns=crossval_samples.columns,
        groups=crossval_samples.groups,
        task=crossval_samples.target.task,
        losses=crossval_samples.losses,
    )
    return fit_labels(config.of_training(config.output.output_dir, training.seed), pool, parts.astype(str))


def _fit_network(
    config: EvaluateFoldsConfig,
    shape: ModelConfig,
    encoder: SequenceEncoder | None,
    crossval_samples: CrossvalSamples,
    fold: Fold,
) -> Predicted:
    """Train the network, and leave nothing on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, quiet():
        labelled, directory = part_of_fold(config, crossval_samples, fold), Path(name)
        options = config.of_training(directory, config.training.seed + fold.repeat)
        network = with_batch_size(plan_network(options, shape, encoder, labelled))
        fit_network(network, schedule_batches(network.batch_source, network.training), directory)
        head_inputs = labelled.pool.head_inputs(labelled.target, labelled.conditions, fold.test)

        def read(rows: np.ndarray, depth: int | None) -> Predicted:
            reading = PredictOptions(depth, Cache(directory / "cache"))
            reader = NetworkPredictor(copy.deepcopy(network.model), network.description, reading)
            some = {name: fact[rows] for name, fact in head_inputs.items()}
            return reader.predicted(crossval_samples.study.select_samples(fold.test[rows]), some)

        return _predict(crossval_samples, fold, labelled, read)


def _fit_ensemble(
    config: EvaluateFoldsConfig,
    shape: ModelConfig,
    encoder: SequenceEncoder | None,
    crossval_samples: CrossvalSamples,
    fold: Fold,
) -> Predicted:
    """Train the networks of an ensemble, and leave nothing on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, quiet():
        labelled, directory = part_of_fold(config, crossval_samples, fold), Path(name)
        options = config.of_training(directory, config.training.seed + fold.repeat)
        options = replace(options, study=replace(options.study, cache_dir=directory / "cache"))
        members = divide_members(options, labelled, run_directories(options))
        batch_size = with_batch_size(members[0].plan(shape, encoder)).training.batch_size
        trained = fit_members(with_batch_size_of(members, batch_size), shape, encoder)
        model, description, _ = bring_together(options, labelled, trained)

        def read(rows: np.ndarray, depth: int | None) -> Predicted:
            reader = ensemble_predictor(options, model, description, depth)
            chosen = fold.test[rows]
            head_inputs = head_inputs_of_members(labelled, reader, chosen)
            return reader.predicted(crossval_samples.study.select_samples(chosen), head_inputs)

        return _predict(crossval_samples, fold, labelled, read)


def _predict(
    crossval_samples: CrossvalSamples,
    fold: Fold,
    labelled: LabelledStudy,
    read: Callable[[np.ndarray, int | None], Predicted],
) -> Predicted:
    """Predict the samples of a fold; those with fewer reads than are drawn are read whole, so that none is left out.

    Parameters
    ----------
    labelled
        What was trained on.
    read
        Predicts some of the fold's samples, by their number in it, at a depth.
    """
    assert isinstance(labelled.target, TargetState), "a fold has one target"
    is_shallow = crossval_samples.study.depths[fold.test] < (labelled.depth or 0)
    parts = [(np.flatnonzero(~is_shallow), labelled.depth), (np.flatnonzero(is_shallow), None)]
    parts = [(rows, depth) for rows, depth in parts if len(rows)]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    predicted = Predicted.joined([read(rows, depth) for rows, depth in parts]).rows(order)
    return predicted.in_all_classes(labelled.target.classes, crossval_samples.target.classes)


AAM = "aam"

Method = Callable[[Fold], Predicted]
"""Fits the training rows of a fold and predicts the others: values [n], or probabilities of the study's classes [n, C]."""


def methods_of(
    config: EvaluateFoldsConfig, shape: ModelConfig, pretrained: Pretrained | None, crossval_samples: CrossvalSamples
) -> Mapping[str, Method]:
    """Give what the user wants to compare, by name; aam first.

    Raises
    ------
    AamError
        A fold leaves too few samples to train aam on.
    """
    methods: dict[str, Method] = {}
    if config.folds.aam:
        methods[AAM] = aam_method(config, shape, pretrained, crossval_samples)
    names = config.folds.baselines
    if names is None:
        names = tuple(name for name in BASELINES if config.distance.tree is not None or name not in NEED_TREE)
    if names:
        study_data = study_data_of(config, crossval_samples, has_distances=any(name in NEED_TREE for name in names))
        seed = config.training.seed
        methods |= {name: partial(_fit_baseline, study_data, name, seed) for name in names}
    return methods


def study_data_of(config: EvaluateFoldsConfig, crossval_samples: CrossvalSamples, has_distances: bool) -> StudyData:
    """Lay out what the baselines read: counts, and if wanted UniFrac from the tree."""
    study = rarefy_once(crossval_samples.study, fixed_rarefaction(config.sampling, config.training.seed))
    samples = [study.sample(row) for row in range(study.n_samples)]
    features, counts = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(held) for held, _ in samples])])
    distances = None
    if has_distances:
        options = config.of_training(config.output.output_dir, config.training.seed)
        distances = unweighted_unifrac(read_given_tree(options, study), features, offsets)
    table = csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))
    target = crossval_samples.target
    task = "regression" if target.task == "regression" else "classification"  # baselines know no order of classes
    return StudyData(table, crossval_samples.truth, crossval_samples.groups, task, len(target.classes), distances)


def _fit_baseline(study_data: StudyData, name: str, seed: int, fold: Fold) -> Predicted:
    return Predicted(BASELINES[name](study_data.fold(fold.train, fold.test, seed + fold.repeat)))
