"""From the options of a split and what is known of the samples to the part of each."""

import logging
from collections.abc import Sequence

import numpy as np

from aam.config.split import SplitConfig
from aam.config.training import TrainingConfig
from aam.data.cells import class_names
from aam.data.splits import Candidates, divided_groups, split_samples
from aam.data.study import Study
from aam.errors import name_some
from aam.io.metadata import Metadata
from aam.io.split_file import read_split_file

logger = logging.getLogger(__name__)


def split_labelled(
    study: Study,
    groups: np.ndarray,
    stratum: np.ndarray,
    metadata: Metadata,
    table_ids: Sequence[str],
    config: SplitConfig,
    training: TrainingConfig,
) -> np.ndarray:
    """Give the part of each sample, [S]; warn of groups that are in more than one.

    Parameters
    ----------
    study
        Samples in use.
    groups, stratum
        Group, and class or bin, of each.
    metadata
        Where studies are named.
    table_ids
        All samples of the table.
    config, training
        What the user asked for.
    """
    candidates = Candidates(
        sample_ids=study.sample_ids,
        groups=groups,
        stratum=stratum,
        studies=None
        if config.study_column is None
        else _studies(metadata, config.study_column, list(study.sample_ids)),
        assigned=_assigned(config),
        known_ids=table_ids,
    )
    parts = split_samples(candidates, config, training.validation_fraction, training.seed)
    divided = divided_groups(groups, parts)
    if divided:
        logger.warning(
            "%d of %d groups of %s are in more than one part of --split %s, so that validation looks better than it is: %s.",
            len(divided), len(set(groups)), config.group_column, config.split,
            name_some([group.removeprefix("group ") for group in divided]),
        )  # fmt: skip
    return parts


def split_unlabelled(
    study: Study, table_ids: Sequence[str], config: SplitConfig, training: TrainingConfig
) -> np.ndarray:
    """Give the part of each sample, [S], where nothing but their ids is known."""
    candidates = Candidates(
        sample_ids=study.sample_ids,
        groups=np.arange(study.n_samples),
        stratum=np.zeros(study.n_samples, dtype=np.int64),
        assigned=_assigned(config),
        known_ids=table_ids,
    )
    return split_samples(candidates, config, training.validation_fraction, training.seed)


def _assigned(config: SplitConfig) -> dict[str, str] | None:
    return None if config.split_file is None else read_split_file(config.split_file, config.fold)


def _studies(metadata: Metadata, column: str, sample_ids: list[str]) -> np.ndarray:
    """Name the study of each sample; samples without one, named with a warning, are of none."""
    values = metadata.column(column).reindex(sample_ids)
    known = values.notna().to_numpy()
    if not known.all():
        missing = [sample for sample, is_known in zip(sample_ids, known, strict=True) if not is_known]
        logger.warning("%d samples have no %s and are trained on: %s.", len(missing), column, name_some(missing))
    return np.where(known, class_names(values), "")
