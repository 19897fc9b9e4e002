"""The methods that are compared over folds: each fits some rows of the study and predicts others."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from aam.baselines.problem import Cohort
from aam.baselines.table import BASELINES, NEED_TREE
from aam.config.folds import EvaluateFoldsConfig
from aam.config.model import ModelConfig
from aam.data.equal_depth import at_depth, equal_depth
from aam.data.predicted import Predicted
from aam.ecology.unifrac import unweighted_unifrac
from aam.pipelines.fold_training import aam_method
from aam.pipelines.participants import Fold, Participants
from aam.pipelines.pretrained import Pretrained
from aam.pipelines.resources import read_given_tree

logger = logging.getLogger(__name__)

AAM = "aam"
Method = Callable[[Fold], Predicted]
"""Fits the training rows of a fold and predicts the others: values [n], or probabilities of the study's classes [n, C]."""


def methods_of(
    config: EvaluateFoldsConfig, shape: ModelConfig, pretrained: Pretrained | None, participants: Participants
) -> Mapping[str, Method]:
    """Give what the user wants to compare, by name; aam first.

    Raises
    ------
    AamError
        A fold leaves too few samples to train aam on.
    """
    methods: dict[str, Method] = {}
    if config.folds.aam:
        methods[AAM] = aam_method(config, shape, pretrained, participants)
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
    study = at_depth(participants.study, equal_depth(config.sampling, config.training.seed))
    samples = [study.sample(row) for row in range(study.n_samples)]
    features, counts = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(held) for held, _ in samples])])
    distances = None
    if has_distances:
        options = config.of_training(config.output.output_dir, config.training.seed)
        distances = unweighted_unifrac(read_given_tree(options, study), features, offsets)
    table = csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))
    target = participants.target
    task = "regression" if target.task == "regression" else "classification"  # baselines know no order of classes
    return Cohort(table, participants.truth, participants.groups, task, len(target.classes), distances)


def _fit_baseline(cohort: Cohort, name: str, seed: int, fold: Fold) -> Predicted:
    return Predicted(BASELINES[name](cohort.problem(fold.train, fold.test, seed + fold.repeat)))
