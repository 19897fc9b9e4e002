"""From files and labels to the samples that a model is trained and validated on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from aam.config.commands import TrainConfig
from aam.data.conditions import NO_CONDITIONS, Conditions, fit_conditions
from aam.data.joint_target import AnyTarget, JointTarget
from aam.data.rarefaction import drop_shallow_samples
from aam.data.splits import TEST, TRAIN, VALIDATION
from aam.data.study import Study
from aam.data.target import Task
from aam.errors import SplitError, name_some
from aam.inference.model_description import Losses
from aam.io.metadata import Metadata
from aam.pipelines.conditions import condition_columns, condition_facts, say_unknown
from aam.pipelines.groups import sample_groups, warn_of_divided_subjects
from aam.pipelines.labels import label_samples
from aam.pipelines.reading import read_study
from aam.pipelines.sample_facts import facts_of, named_columns, rows_of, scaled_by, weights_of
from aam.pipelines.splitting import split_labelled
from aam.pipelines.target_columns import choose_task_of, encode_columns, fit_columns, read_losses, stratum_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSamples:
    """The samples that have a value of a column, before any is dropped or held out.

    Attributes
    ----------
    study
        Those samples.
    metadata, values
        All columns, and those to learn.
    task
        How it is learned.
    table_ids
        All samples of the table.
    losses
        How columns are learned of which a file says so.
    """

    study: Study
    metadata: Metadata
    values: pd.DataFrame
    task: Task
    table_ids: Sequence[str]
    losses: Losses


@dataclass(frozen=True)
class LabelledStudy:
    """A study ready for training.

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
    split_ids, split_parts
        All samples that were divided, and the part of each; those left for a test, too.
    facts
        What the head must know of each sample in use, [S], by the name that batches give it.
    conditions
        Columns of the metadata that the network reads beside the microbes, fitted on the training samples.
    losses
        How columns are learned of which a file says so.
    """

    study: Study
    depth: int | None
    target: AnyTarget
    truth: np.ndarray
    groups: np.ndarray
    held: np.ndarray
    split_ids: list[str]
    split_parts: np.ndarray
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)
    conditions: Conditions = NO_CONDITIONS
    losses: Losses = field(default_factory=dict)


def read_labelled(config: TrainConfig, max_bp: int) -> LabelledSamples:
    """Read a study and the columns to learn.

    Raises
    ------
    TableError, SequenceError, MetadataError
        A file is missing or malformed, they do not fit together, or the column cannot be learned.
    """
    study = read_study(config.study, max_bp)
    table_ids = study.sample_ids
    study, metadata, values = label_samples(config.label, study)
    losses = read_losses(config)
    return LabelledSamples(study, metadata, values, choose_task_of(values, config, losses), table_ids, losses)


def divide(config: TrainConfig, labelled: LabelledSamples, depth: int | None) -> LabelledStudy:
    """Drop the samples with fewer reads than ``depth``, hold some out, and learn the target's scale from the others.

    Raises
    ------
    TableError, MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study, metadata, task = drop_shallow_samples(labelled.study, depth), labelled.metadata, labelled.task
    sample_ids = list(study.sample_ids)
    values = labelled.values.loc[sample_ids]
    groups = sample_groups(metadata, sample_ids, config.split.group_column, config.label.metadata_column)
    stratum = stratum_of(values, task, config.target)
    parts = split_labelled(study, groups, stratum, metadata, labelled.table_ids, config.split, config.training)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, parts, config.split.split, config.label.metadata_column)
    columns = named_columns(config.category_columns, metadata, sample_ids, config.label.metadata_column)
    columns |= condition_columns(config.conditioning, metadata, values, config.split.group_column)
    is_training = parts == TRAIN
    training = rows_of(columns, is_training)
    target = fit_columns(values[is_training], task, config.target, labelled.losses, training)
    target = scaled_by(target, config.network_head.output_scaling, training)
    facts = facts_of(target, columns, len(sample_ids))
    facts |= weights_of(config.network_head.sample_weights, columns, is_training)
    conditions = fit_conditions(config.conditioning, training)
    say_unknown([(conditions, rows_of(columns, parts != TEST))])
    facts |= condition_facts(conditions, columns)
    truth = encode_columns(target, values)
    rows = _rows_in_use(parts, truth, target)
    held = parts[rows] == VALIDATION
    logger.info(
        "%s of %s: %d training and %d validation samples.",
        task.capitalize(), target.column, int((~held).sum()), int(held.sum()),
    )  # fmt: skip
    in_use = study if len(rows) == study.n_samples else study.select_samples(rows)
    chosen = {name: fact[rows] for name, fact in facts.items()}
    return LabelledStudy(
        in_use, depth, target, truth[rows], groups[rows], held, sample_ids, parts, chosen, conditions, labelled.losses
    )


def _rows_in_use(parts: np.ndarray, truth: np.ndarray, target: AnyTarget) -> np.ndarray:
    """Leave out test samples, and validation samples whose class cannot be predicted; say how many."""
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
    return np.flatnonzero(~is_test & ~is_unseen)


def _require_validation(parts: np.ndarray, truth: np.ndarray, target: JointTarget) -> None:
    has_value = ~np.isnan(truth[parts == VALIDATION])
    missing = [name for name, known in zip(target.columns, has_value.T, strict=True) if not known.any()]
    if missing:
        raise SplitError(
            f"No validation sample has a value of {name_some(missing)}, so that it cannot be validated. Choose another split, "
            "or leave the column out."
        )
