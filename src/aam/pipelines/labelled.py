"""From files and labels to the samples that a model is trained and validated on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from aam.config.commands import TrainConfig
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.target import Task
from aam.inference.model_description import Losses
from aam.io.metadata import Metadata
from aam.pipelines.conditions import condition_columns
from aam.pipelines.groups import sample_groups, warn_of_divided_subjects
from aam.pipelines.labels import label_samples
from aam.pipelines.pool import LabelledStudy, Pool, learn
from aam.pipelines.reading import read_study
from aam.pipelines.sample_facts import named_columns
from aam.pipelines.splitting import split_labelled
from aam.pipelines.target_columns import choose_task_of, read_losses, stratum_of

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
    sample_ids, names = list(study.sample_ids), config.label.metadata_column
    values = labelled.values.loc[sample_ids]
    groups = sample_groups(metadata, sample_ids, config.split.group_column, names)
    stratum = stratum_of(values, task, config.target)
    parts = split_labelled(study, groups, stratum, metadata, labelled.table_ids, config.split, config.training)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, parts, config.split.split, names)
    columns = named_columns(config.category_columns, metadata, sample_ids, names)
    columns |= condition_columns(config.conditioning, metadata, values, config.split.group_column)
    return learn(config, Pool(study, depth, values, columns, groups, task, labelled.losses), parts)
