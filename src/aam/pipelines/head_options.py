"""Which head a run trains, and which options it then leaves aside."""

import dataclasses
import logging
from typing import Literal

import numpy as np
import pandas as pd

from aam.config._base import flag_of
from aam.config.commands import TrainConfig
from aam.data.target import Task
from aam.errors import ConfigError, MetadataError, name_some

logger = logging.getLogger(__name__)

MOST_SAMPLES_OF_AUTO = 1000
"""Samples with a value up to which the kernel head is chosen."""
MOST_SAMPLES = 10_000
"""Samples beyond which the kernels between all pairs take too much memory."""
SHAPE = ("embedding_dim", "attention_heads", "attention_layers", "ffn_ratio", "max_bp", "patch_size", "count_embedding")
"""Options that a pre-trained model has settled."""
_SHARED = (
    "seed", "validation_fraction", "validation_plot_samples", "max_bp", "tree", "missing_features", "pretrained", "resume",
    "replay",
    "rarefy_depth",
)  # fmt: skip


def choose_head(config: TrainConfig, n_samples: int) -> Literal["kernel", "network"]:
    """Decide on the head for so many samples with a value, and name the options that it leaves aside.

    Raises
    ------
    ConfigError
        There are too many samples for the kernel head that was asked for.
    """
    asked, n_columns = config.head.head, len(config.label.metadata_column)
    if asked == "kernel" and n_columns > 1:
        raise ConfigError(
            f"--head kernel learns one column, and --metadata-column has {n_columns}: pass them one at a time, or --head network."
        )
    if asked == "kernel" and n_samples > MOST_SAMPLES:
        raise ConfigError(
            f"--head kernel compares all pairs of samples, which takes too much memory for {n_samples:,}: at most "
            f"{MOST_SAMPLES:,}. Pass --head network."
        )
    of_network = bool(config.conditioning.columns) or config.head.ensemble is not None
    is_small = n_samples <= MOST_SAMPLES_OF_AUTO and n_columns == 1 and not of_network
    chosen = asked if asked != "auto" else "kernel" if is_small else "network"
    if asked == "auto" and config.head.ensemble is not None:
        logger.info("Head: network, of which --ensemble trains several.")
    elif asked == "auto" and config.conditioning.columns:
        logger.info("Head: network, as it alone reads %s.", name_some(config.conditioning.columns))
    elif asked == "auto" and n_columns > 1:
        logger.info(
            "Head: network, which learns %d columns at once. The kernel head learns one at a time, and is the better choice for up "
            "to %d samples.", n_columns, MOST_SAMPLES_OF_AUTO,
        )  # fmt: skip
    elif asked == "auto":
        other = {"kernel": "network", "network": "kernel"}[chosen]
        logger.info("Head: %s, as %d samples have a value (--head %s for the other).", chosen, n_samples, other)
    if chosen == "kernel" and config.target.task == "ordinal":
        logger.warning(
            "The kernel head learns the classes of --task ordinal without their order (--head network for it)."
        )
    has_coverage = chosen == "kernel" or config.head.ensemble is not None
    ignored = _ignored(config) if chosen == "kernel" else []
    ignored += [] if has_coverage else _changed(config.head, ("head",))
    if ignored:
        logger.warning("Without effect on the %s head: %s.", chosen, ", ".join(ignored))
    return chosen


def check_task(config: TrainConfig, task: Task, values: pd.Series) -> None:
    """Refuse options of the network's head for numbers where classes are learned, and the other way round.

    Raises
    ------
    ConfigError
        There are some; the message names them.
    MetadataError
        An activation cannot give the values.
    """
    if config.head.head == "kernel":  # for which no option of the network has an effect, as is said
        return
    is_regression = task == "regression"
    wrong = _changed(config.network_head.classes if is_regression else config.network_head.numbers, ())
    if wrong:
        what, is_learned = ("classes", "regressed") if is_regression else ("numbers", "classified")
        are, them = ("is", "it") if len(wrong) == 1 else ("are", "them")
        raise ConfigError(
            f"{', '.join(wrong)} {are} for {what}, and {values.name} is {is_learned}: leave {them} out, or pass --task."
        )
    if is_regression and config.target.target_transform == "none":
        _check_range(values, config.network_head.numbers.output_activation)


def _check_range(values: pd.Series, activation: str) -> None:
    low, high = (0.0 if activation != "none" else -np.inf), (1.0 if activation == "sigmoid" else np.inf)
    numbers = values.to_numpy(dtype=np.float64)
    outside = values.iloc[np.flatnonzero((numbers < low) | (numbers > high))]
    if len(outside):
        limits = "between 0 and 1" if activation == "sigmoid" else "above 0"
        raise MetadataError(
            f"--output-activation {activation} gives values {limits}, and --metadata-column {values.name} has others in "
            f"{len(outside):,} of {len(values):,} samples, such as {outside.iloc[0]:g} of {str(outside.index[0])!r}. Choose "
            "another activation, or --target-transform minmax."
        )


def _ignored(config: TrainConfig) -> list[str]:
    """Name the options of the network that differ from their defaults."""
    sections = (
        config.transfer, config.distance, config.taxonomy, config.sampling, config.objectives, config.augmentation, config.model,
        config.training, config.network_head, config.saving,
    )  # fmt: skip
    settled = SHAPE if config.transfer.pretrained is not None else ()  # said elsewhere
    return [flag for section in sections for flag in _changed(section, (*_SHARED, *settled))]


def _changed(section: object, passed_over: tuple[str, ...]) -> list[str]:
    assert dataclasses.is_dataclass(section)
    default = type(section)()
    changed = []
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            changed += _changed(value, passed_over)
        elif field.name not in passed_over and value != getattr(default, field.name):
            changed.append(flag_of(field.name))
    return changed
