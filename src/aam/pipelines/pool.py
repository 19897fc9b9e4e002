"""Samples that can be learned from, and what is learned of them once it is known which are held out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aam.config.commands import TrainConfig
from aam.data.conditions import Conditions, fit_conditions
from aam.data.joint_target import AnyTarget, JointTarget
from aam.data.splits import TEST, TRAIN, VALIDATION
from aam.data.study import Study
from aam.data.target import Task
from aam.errors import SplitError, name_some
from aam.inference.model_description import Losses
from aam.pipelines.conditions import condition_facts, say_unknown
from aam.pipelines.sample_facts import Facts, facts_of, rows_of, scaled_by, weights_of
from aam.pipelines.target_columns import encode_columns, fit_columns

logger = logging.getLogger(__name__)

APART = "apart"
"""Part of samples that are neither trained on, nor validate, nor are left for a test."""


@dataclass(frozen=True)
class Pool:
    """Samples with a value and enough reads, of which nothing was learned yet.

    Attributes
    ----------
    study
        The samples.
    depth
        Reads drawn from each; None for all.
    values
        Of the columns to learn.
    columns
        Of the metadata that options name, by name.
    groups
        Subject of each, [S].
    task
        How the columns are learned.
    losses
        How columns are learned of which a file says so.
    """

    study: Study
    depth: int | None
    values: pd.DataFrame
    columns: Mapping[str, pd.Series]
    groups: np.ndarray
    task: Task
    losses: Losses

    def facts(self, target: AnyTarget, conditions: Conditions, rows: np.ndarray) -> Facts:
        """Give what a head must know of some samples beside their reads, to predict them."""
        columns = rows_of(self.columns, rows)
        return facts_of(target, columns, len(rows)) | condition_facts(conditions, columns)


@dataclass(frozen=True)
class LabelledStudy:
    """Samples ready for training.

    Attributes
    ----------
    study
        Samples with a value and enough reads.
    depth
        Reads drawn from each; None for all.
    target
        What was fitted on the training samples.
    truth
        Values in own units or class numbers, [S]; of several columns values, [S, K].
    groups
        Subject of each, [S].
    held
        True for validation samples, [S].
    parts
        Part of each sample of the pool; of those left for a test, too.
    facts
        What the head must know of each sample in use, [S], by the name that batches give it.
    conditions
        Columns of the metadata that the network reads beside the microbes, fitted on the training samples.
    pool, rows
        Where they are from, and which of its samples they are.
    """

    study: Study
    depth: int | None
    target: AnyTarget
    truth: np.ndarray
    groups: np.ndarray
    held: np.ndarray
    parts: np.ndarray
    facts: Facts
    conditions: Conditions
    pool: Pool
    rows: np.ndarray


def learn(config: TrainConfig, pool: Pool, parts: np.ndarray) -> LabelledStudy:
    """Learn the target's scale, its classes, categories and weights from the samples that are trained on.

    Parameters
    ----------
    config
        In which units, and by which categories.
    pool, parts
        The samples, and the part of each.

    Raises
    ------
    MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    is_training, columns, n_samples = parts == TRAIN, pool.columns, pool.study.n_samples
    training = rows_of(columns, is_training)
    target = fit_columns(pool.values.iloc[np.flatnonzero(is_training)], pool.task, config.target, pool.losses, training)
    target = scaled_by(target, config.network_head.output_scaling, training)
    facts = facts_of(target, columns, n_samples)
    facts |= weights_of(config.network_head.sample_weights, columns, is_training)
    conditions = fit_conditions(config.conditioning, training)
    say_unknown([(conditions, rows_of(columns, is_training | (parts == VALIDATION)))])
    facts |= condition_facts(conditions, columns)
    truth = encode_columns(target, pool.values)
    rows = _rows_in_use(parts, truth, target)
    held = parts[rows] == VALIDATION
    logger.info(
        "%s of %s: %d training and %d validation samples.",
        pool.task.capitalize(), target.column, int((~held).sum()), int(held.sum()),
    )  # fmt: skip
    in_use = pool.study if len(rows) == n_samples else pool.study.select_samples(rows)
    chosen = {name: fact[rows] for name, fact in facts.items()}
    return LabelledStudy(
        in_use, pool.depth, target, truth[rows], pool.groups[rows], held, parts, chosen, conditions, pool, rows
    )


def _rows_in_use(parts: np.ndarray, truth: np.ndarray, target: AnyTarget) -> np.ndarray:
    """Leave out samples that are apart, those of a test, and those to validate whose class cannot be predicted; say how many."""
    is_test = parts == TEST
    if is_test.any():
        logger.info("Left out %d test samples; see 'aam evaluate' for them.", int(is_test.sum()))
    if isinstance(target, JointTarget):
        _require_validation(parts, truth, target)
    is_unseen = np.zeros(len(parts), dtype=bool)
    if target.task != "regression":
        is_unseen = (truth == -1) & (parts == VALIDATION)
    if is_unseen.any():
        logger.warning("Left out %d validation samples whose class no training sample has.", int(is_unseen.sum()))
    if not ((parts == VALIDATION) & ~is_unseen).any():
        raise SplitError(
            f"No validation sample has a class of {target.column} that a training sample has, so that nothing can be validated. "
            "Choose another split or column: each class needs groups on both sides."
        )
    return np.flatnonzero(~is_test & ~is_unseen & (parts != APART))


def _require_validation(parts: np.ndarray, truth: np.ndarray, target: JointTarget) -> None:
    has_value = ~np.isnan(truth[parts == VALIDATION])
    missing = [name for name, known in zip(target.columns, has_value.T, strict=True) if not known.any()]
    if missing:
        raise SplitError(
            f"No validation sample has a value of {name_some(missing)}, so that it cannot be validated. Choose another split, "
            "or leave the column out."
        )
