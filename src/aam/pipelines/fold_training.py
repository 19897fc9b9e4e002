"""What ``aam train`` does, done with the training part of a fold, and what ``aam predict`` does with the others."""

import copy
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from aam.config.commands import TrainConfig
from aam.config.folds import EvaluateFoldsConfig
from aam.config.model import ModelConfig
from aam.data.conditions import fit_conditions
from aam.data.equal_depth import at_depth, equal_depth
from aam.data.predicted import Predicted
from aam.data.rarefaction import resolve_depth
from aam.data.splits import TEST, TRAIN, VALIDATION, hold_out, strata
from aam.data.study import Study
from aam.data.target import TargetState, fit_target
from aam.inference.kernel_units import learned_by_kernels, read_from_kernels
from aam.inference.model_directory import ModelDescription
from aam.inference.pretrained_vectors import PretrainedVectors
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.head import Resources
from aam.kernels.known_asvs import KnownASVs
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.pipelines.composing import compose
from aam.pipelines.conditions import condition_facts, say_unknown
from aam.pipelines.head_options import choose_head
from aam.pipelines.labelled import LabelledStudy
from aam.pipelines.network import fit_network, plan_network, with_batch_size
from aam.pipelines.participants import Fold, Participants
from aam.pipelines.pretrained import Pretrained
from aam.pipelines.resources import read_given_tree
from aam.pipelines.sample_facts import Facts, facts_of, rows_of, scaled_by, weights_of
from aam.pipelines.target_columns import options_of


def aam_method(
    config: EvaluateFoldsConfig, shape: ModelConfig, pretrained: Pretrained | None, participants: Participants
) -> Callable[[Fold], Predicted]:
    """Give aam as a method, with the head that its options ask for; the same head in all folds.

    Raises
    ------
    AamError
        A fold leaves too few samples to train on, or a file that training needs cannot be read.
    """
    options = config.of_training(config.output.output_dir, config.training.seed)
    if choose_head(options, participants.study.n_samples) == "kernel":
        return _kernel_method(options, pretrained, participants)
    encoder = None if pretrained is None else pretrained[0]
    parts = [part_of_fold(config, participants, fold) for fold in participants]
    tests = (rows_of(participants.columns, fold.test) for fold in participants)
    say_unknown([(part.conditions, columns) for part, columns in zip(parts, tests, strict=True)])
    first = with_batch_size(plan_network(options, shape, encoder, parts[0]))
    compose(first.material, first.training)  # both refuse before anything is trained or written
    return partial(_fit_network, config, shape, encoder, participants)


def _kernel_method(
    options: TrainConfig, pretrained: Pretrained | None, participants: Participants
) -> Callable[[Fold], Predicted]:
    study, target = participants.study, participants.target
    tree = None if options.distance.tree is None else read_given_tree(options, study)
    vectors = None
    if pretrained is not None:
        encoder, description = pretrained
        vectors = PretrainedVectors(copy.deepcopy(encoder), description, Reading(None, Cache(options.study.cache_dir)))
    resources = Resources(tree, vectors, options.head.coverage, equal_depth(options.sampling, options.training.seed))

    def target_of(fold: Fold) -> TargetState:
        training = rows_of(participants.columns, fold.train)
        return fit_target(participants.values.iloc[fold.train], target.task, options.target, training)

    for fold in participants:
        target_of(fold)
        KnownASVs.of_training(
            at_depth(study, resources.equal_depth), fold.train
        )  # both refuse before anything is written

    def fit(fold: Fold) -> Predicted:
        with _quiet():
            own = target_of(fold)
            facts = facts_of(own, participants.columns, study.n_samples)
            truth = learned_by_kernels(own, own.encode(participants.values), facts)
            head = fit_kernel_head(study, fold.train, own, truth, participants.groups, resources)
            predicted = head.predict(study.select_samples(fold.test))
            own_units = read_from_kernels(own, predicted, {name: fact[fold.test] for name, fact in facts.items()})
            return in_all_classes(own_units, own, target)

    return fit


def part_of_fold(config: EvaluateFoldsConfig, participants: Participants, fold: Fold) -> LabelledStudy:
    """Divide the training part of a fold once more, into samples to fit and samples that say when to stop.

    Nothing depends on the held-out samples: neither the depth, nor scaling and classes.

    Raises
    ------
    SplitError, MetadataError
        Too few samples or values are left.
    """
    study, training = participants.study, config.training
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths[fold.train])
    rows = fold.train[study.depths[fold.train] >= (depth or 1)]
    task = participants.target.task
    stratum = strata(participants.truth[rows])
    held = hold_out(participants.groups[rows], stratum, training.validation_fraction, training.seed + fold.repeat)
    values = participants.values.iloc[rows]
    columns = rows_of(participants.columns, rows)
    options = options_of(config.target, participants.losses, str(values.name))
    target = fit_target(values.iloc[~held], task, options, rows_of(columns, ~held))
    target = scaled_by(target, config.network_head.output_scaling, rows_of(columns, ~held))
    facts = facts_of(target, columns, len(rows))
    facts |= weights_of(config.network_head.sample_weights, columns, ~held)
    conditions = fit_conditions(config.conditioning, rows_of(columns, ~held))
    facts |= condition_facts(conditions, columns)
    truth = target.encode(values)
    if task != "regression":
        kept = truth >= 0
        rows, held, truth = rows[kept], held[kept], truth[kept]
        facts = {name: fact[kept] for name, fact in facts.items()}
    parts = np.full(study.n_samples, TEST, dtype=object)
    parts[rows] = np.where(held, VALIDATION, TRAIN)
    return LabelledStudy(
        study=study.select_samples(rows),
        depth=depth,
        target=target,
        truth=truth,
        groups=participants.groups[rows],
        held=held,
        split_ids=list(study.sample_ids),
        split_parts=parts.astype(str),
        facts=facts,
        conditions=conditions,
        losses=participants.losses,
    )


def _fit_network(
    config: EvaluateFoldsConfig,
    shape: ModelConfig,
    encoder: SequenceEncoder | None,
    participants: Participants,
    fold: Fold,
) -> Predicted:
    """Train the network, and leave nothing on disk."""
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, _quiet():
        labelled, directory = part_of_fold(config, participants, fold), Path(name)
        options = config.of_training(directory, config.training.seed + fold.repeat)
        network = with_batch_size(plan_network(options, shape, encoder, labelled))
        fit_network(network, compose(network.material, network.training), directory)
        assert isinstance(labelled.target, TargetState), "a fold has one target"
        columns = rows_of(participants.columns, fold.test)
        facts = facts_of(labelled.target, columns, len(fold.test)) | condition_facts(labelled.conditions, columns)
        held_out = participants.study.select_samples(fold.test)
        predicted = _predict(network.model, network.description, held_out, facts, directory)
    return in_all_classes(predicted, labelled.target, participants.target)


def in_all_classes(predicted: Predicted, own: TargetState, target: TargetState) -> Predicted:
    """Write predictions of the classes that training saw down in all classes of the study; the others have probability 0."""
    if target.task == "regression":
        return predicted
    place = [target.classes.index(name) for name in own.classes]
    values = np.zeros((len(predicted.values), len(target.classes)))
    values[:, place] = predicted.values
    if predicted.chosen is None:
        return Predicted(values, predicted.columns)
    chosen = np.zeros(values.shape, dtype=bool)
    chosen[:, place] = predicted.chosen
    return Predicted(values, predicted.columns, chosen)


def _predict(
    model: SequencePredictor, description: ModelDescription, study: Study, facts: Facts, directory: Path
) -> Predicted:
    """Predict held-out samples; those with fewer reads than are drawn are read whole, so that none is left out."""
    is_shallow = study.depths < (description.depth or 0)
    places, parts = [], []
    for rows, depth in ((np.flatnonzero(~is_shallow), description.depth), (np.flatnonzero(is_shallow), None)):
        if len(rows):
            reader = SampleReader(copy.deepcopy(model), description, Reading(depth, Cache(directory / "cache")))
            some = {name: fact[rows] for name, fact in facts.items()}
            parts.append(reader.predicted(study.select_samples(rows), some))
            places.append(rows)
    order = np.argsort(np.concatenate(places))
    columns: dict[str, np.ndarray | list[str]] = {
        name: np.concatenate([part.columns[name] for part in parts])[order] for name in parts[0].columns
    }
    return Predicted(np.concatenate([part.values for part in parts])[order], columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the lines of each epoch, and warnings that every fold would repeat: a fold has one line of its own."""
    aam_logger = logging.getLogger("aam")
    earlier = aam_logger.level
    aam_logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        aam_logger.setLevel(earlier)
