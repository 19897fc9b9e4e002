"""How much a sample of each class counts: by the size of its class, or by the user's file."""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from aam.data.balance import balanced_weights
from aam.data.target import TargetState
from aam.errors import MetadataError, name_some
from aam.io.weight_file import read_class_weights

logger = logging.getLogger(__name__)


def weigh_classes(target: TargetState, truth: np.ndarray, chosen: str | Path | None) -> TargetState:
    """Give the target with the weights of its classes, as ``--class-weights`` says.

    Parameters
    ----------
    target
        With the classes of the training samples.
    truth
        Class numbers of the training samples, [S].
    chosen
        The option.

    Raises
    ------
    MetadataError
        The file cannot be read, or lacks a class.
    """
    if chosen is None:
        return target
    if isinstance(chosen, Path):
        weights = _from_file(chosen, target.classes)
    else:
        weights = tuple(balanced_weights(truth, len(target.classes)).tolist())
    shown = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(target.classes, weights, strict=True))
    logger.info("Classes weigh: %s.", shown)
    return dataclasses.replace(target, class_weights=weights)


def _from_file(path: Path, classes: tuple[str, ...]) -> tuple[float, ...]:
    given = read_class_weights(path)
    missing = [name for name in classes if name not in given]
    if missing:
        raise MetadataError(
            f"--class-weights {path} has no weight for {len(missing)} of {len(classes)} classes: {name_some(missing)}. Add a row "
            "for each."
        )
    others = [name for name in given if name not in classes]
    if others:
        logger.warning("--class-weights %s: no training sample is of %s.", path, name_some(others))
    return tuple(given[name] for name in classes)
