"""Which head a run trains, and which options it then leaves aside."""

import dataclasses
import logging
from typing import Literal

from aam.config._base import flag_of
from aam.config.commands import TrainConfig
from aam.errors import ConfigError

logger = logging.getLogger(__name__)

MOST_SAMPLES_OF_AUTO = 1000
"""Samples with a value up to which the kernel head is chosen."""
MOST_SAMPLES = 10_000
"""Samples beyond which the kernels between all pairs take too much memory."""
SHAPE = ("embedding_dim", "attention_heads", "attention_layers", "ffn_ratio", "max_bp", "patch_size", "count_embedding")
"""Options that a pre-trained model has settled."""
_SHARED = (
    "seed", "validation_fraction", "validation_plot_samples", "max_bp", "tree", "missing_features", "pretrained", "resume",
)  # fmt: skip


def choose_head(config: TrainConfig, n_samples: int) -> Literal["kernel", "network"]:
    """Decide on the head for so many samples with a value, and name the options that it leaves aside.

    Raises
    ------
    ConfigError
        There are too many samples for the kernel head that was asked for.
    """
    asked = config.head.head
    if asked == "kernel" and n_samples > MOST_SAMPLES:
        raise ConfigError(
            f"--head kernel compares all pairs of samples, which takes too much memory for {n_samples:,}: at most "
            f"{MOST_SAMPLES:,}. Pass --head network."
        )
    chosen = asked if asked != "auto" else "kernel" if n_samples <= MOST_SAMPLES_OF_AUTO else "network"
    if asked == "auto":
        other = {"kernel": "network", "network": "kernel"}[chosen]
        logger.info("Head: %s, as %d samples have a value (--head %s for the other).", chosen, n_samples, other)
    ignored = _ignored(config) if chosen == "kernel" else _changed(config.head, ("head",))
    if ignored:
        logger.warning("Without effect on the %s head: %s.", chosen, ", ".join(ignored))
    return chosen


def _ignored(config: TrainConfig) -> list[str]:
    """Name the options of the network that differ from their defaults."""
    sections = (
        config.transfer, config.distance, config.taxonomy, config.sampling, config.objectives, config.augmentation, config.model,
        config.training, config.saving,
    )  # fmt: skip
    settled = SHAPE if config.transfer.pretrained is not None else ()  # said elsewhere
    return [flag for section in sections for flag in _changed(section, (*_SHARED, *settled))]


def _changed(section: object, passed_over: tuple[str, ...]) -> list[str]:
    assert dataclasses.is_dataclass(section)
    default = type(section)()
    names = [field.name for field in dataclasses.fields(section) if field.name not in passed_over]
    return [flag_of(name) for name in names if getattr(section, name) != getattr(default, name)]
