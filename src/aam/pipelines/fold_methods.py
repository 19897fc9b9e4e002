"""The methods that are compared over folds: each fits some rows of the study and predicts others."""

import copy
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from aam.baselines.problem import Cohort
from aam.baselines.table import BASELINES, NEED_TREE
from aam.config.folds import EvaluateFoldsConfig
from aam.config.model import ModelConfig
from aam.data.rarefaction import resolve_depth
from aam.data.splits import TEST, TRAIN, VALIDATION, hold_out, strata
from aam.data.study import Study
from aam.data.target import fit_target
from aam.ecology.unifrac import unweighted_unifrac
from aam.inference.model_directory import ModelDescription
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.pipelines.network import LabelledStudy, fit_network, plan_network
from aam.pipelines.participants import Fold, Participants
from aam.pipelines.resources import READERS

logger = logging.getLogger(__name__)

AAM = "aam"
Method = Callable[[Fold], np.ndarray]
"""Fits the training rows of a fold and predicts the others: values [n], or probabilities of the study's classes [n, C]."""


def methods_of(
    config: EvaluateFoldsConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, participants: Participants
) -> Mapping[str, Method]:
    """Give what the user wants to compare, by name; aam first.

    Raises
    ------
    AamError
        A fold leaves too few samples to train aam on.
    """
    methods: dict[str, Method] = {}
    if config.folds.aam:
        for fold in participants:
            part_of_fold(config, participants, fold)  # refuses before anything is trained or written
        methods[AAM] = partial(_fit_aam, config, shape, pretrained, participants)
    names = config.folds.baselines
    if names is None:
        names = tuple(name for name in BASELINES if config.distance.tree is not None or name not in NEED_TREE)
    if names:
        cohort = cohort_of(config, participants, has_distances=any(name in NEED_TREE for name in names))
        seed = config.training.seed
        methods |= {name: partial(_fit_baseline, cohort, name, seed) for name in names}
    return methods


def cohort_of(config: EvaluateFoldsConfig, participants: Participants, has_distances: bool) -> Cohort:
    """Lay out what the baselines read: counts, and if wanted UniFrac from the tree."""
    study = participants.study
    samples = [study.sample(row) for row in range(study.n_samples)]
    features, counts = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(held) for held, _ in samples])])
    distances = None
    if has_distances:
        options = config.of_training(config.output.output_dir, config.training.seed)
        distances = unweighted_unifrac(READERS["tree"](options, study), features, offsets)
    table = csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))
    target = participants.target
    return Cohort(table, participants.truth, participants.groups, target.task, len(target.classes), distances)


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
    target = fit_target(values[~held], task)
    truth = target.encode(values)
    if task == "classification":
        kept = truth >= 0
        rows, held, truth = rows[kept], held[kept], truth[kept]
    parts = np.full(study.n_samples, TEST, dtype=object)
    parts[rows] = np.where(held, VALIDATION, TRAIN)
    chosen = study.select_samples(rows)
    return LabelledStudy(chosen, depth, target, truth, held, list(study.sample_ids), parts.astype(str))


def _fit_baseline(cohort: Cohort, name: str, seed: int, fold: Fold) -> np.ndarray:
    return BASELINES[name](cohort.problem(fold.train, fold.test, seed + fold.repeat))


def _fit_aam(
    config: EvaluateFoldsConfig,
    shape: ModelConfig,
    pretrained: SequenceEncoder | None,
    participants: Participants,
    fold: Fold,
) -> np.ndarray:
    """Do what ``aam train`` does with the training part, and what ``aam predict`` does with the others."""
    labelled = part_of_fold(config, participants, fold)
    with tempfile.TemporaryDirectory(prefix="aam-fold-") as name, _quiet():
        directory = Path(name)
        network = plan_network(
            config.of_training(directory, config.training.seed + fold.repeat), shape, pretrained, labelled
        )
        fit_network(network, directory)
        prediction = _predict(network.model, network.description, participants.study, fold.test, directory)
    if participants.target.task == "regression":
        return prediction
    whole = np.zeros((len(fold.test), len(participants.target.classes)))
    whole[:, [participants.target.classes.index(name) for name in labelled.target.classes]] = prediction
    return whole


def _predict(
    model: SequencePredictor, description: ModelDescription, study: Study, rows: np.ndarray, directory: Path
) -> np.ndarray:
    """Predict held-out samples; those with fewer reads than are drawn are read whole, so that none is left out."""
    is_shallow = study.depths[rows] < (description.depth or 0)
    prediction: np.ndarray | None = None
    for chosen, depth in ((~is_shallow, description.depth), (is_shallow, None)):
        if not chosen.any():
            continue
        reader = SampleReader(copy.deepcopy(model), description, Reading(depth, Cache(directory / "cache")))
        part = reader.predict(study.select_samples(rows[chosen]))
        if prediction is None:
            prediction = np.empty((len(rows), *part.shape[1:]))
        prediction[chosen] = part
    assert prediction is not None, "a fold holds samples"
    return prediction


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the lines of each epoch: a fold has one line of its own."""
    aam_logger = logging.getLogger("aam")
    earlier = aam_logger.level
    aam_logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        aam_logger.setLevel(earlier)
