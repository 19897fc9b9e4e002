"""Training of the kernel head: whether a run trains it, and its one fit without gradients."""

import copy
import dataclasses
import logging
from typing import Literal

import numpy as np

from aam.config.base import changed_flags, flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.data.rarefaction import fixed_rarefaction
from aam.errors import ConfigError, name_some
from aam.inference.description import ModelDescription
from aam.inference.kernel import KernelModel, KernelPredictor, PretrainedVectors, learned_by_kernels
from aam.inference.model_directory import save_model
from aam.inference.network import PredictOptions
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.head import KernelHead, KernelInputs
from aam.kernels.known_asvs import MINIMUM_PREVALENCE
from aam.labels.labelled import LabelledStudy
from aam.labels.target import TargetState
from aam.runs.pretrained import SHAPE, Pretrained
from aam.runs.resources import read_given_tree
from aam.runs.results import summarise, validate, write_metrics, write_splits
from aam.storage.cache import Cache
from aam.storage.output import start_output_directory

logger = logging.getLogger(__name__)


MOST_SAMPLES_OF_AUTO = 1000
"""Samples with a value up to which the kernel head is chosen."""

MOST_SAMPLES = 10_000
"""Samples beyond which the kernels between all pairs take too much memory."""

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
    ignored += [] if has_coverage else changed_flags(config.head, ("head",))
    if ignored:
        logger.warning("Without effect on the %s head: %s.", chosen, ", ".join(ignored))
    return chosen


def _ignored(config: TrainConfig) -> list[str]:
    """Name the options of the network that differ from their defaults."""
    sections = (
        config.transfer, config.distance, config.taxonomy, config.sampling, config.objectives, config.augmentation, config.model,
        config.training, config.network_head, config.saving,
    )  # fmt: skip
    settled = SHAPE if config.transfer.pretrained is not None else ()  # said elsewhere
    return [flag for section in sections for flag in changed_flags(section, (*_SHARED, *settled))]


def train_kernel_head(
    config: TrainConfig, shape: ModelConfig, pretrained: Pretrained | None, labelled: LabelledStudy, written: list[str]
) -> None:
    """Fit, validate and save the head.

    Parameters
    ----------
    config, shape
        What the user asked for, and what a pre-trained model made of it.
    pretrained
        The encoder of the deep member, if any.
    labelled
        Samples to train on and to validate.
    written
        What an earlier run may have left in the output directory.
    """
    output, cache = config.output.output_dir, Cache(config.study.cache_dir)
    assert isinstance(labelled.target, TargetState), "the kernel head learns one column"
    target = dataclasses.replace(labelled.target, scaled_by=None)  # of the network
    labelled = dataclasses.replace(
        labelled,
        study=labelled.study.cut(config.model.max_bp),  # the encoder may read fewer
        target=target,
    )
    tree = None if config.distance.tree is None else read_given_tree(config, labelled.study)
    vectors = None
    if pretrained is not None:
        encoder, its_description = pretrained
        vectors = PretrainedVectors(copy.deepcopy(encoder), its_description, PredictOptions(None, cache))
    resources = KernelInputs(
        tree, vectors, config.head.coverage, fixed_rarefaction(config.sampling, config.training.seed)
    )
    rows = np.flatnonzero(~labelled.held)
    learned = learned_by_kernels(target, labelled.truth, labelled.head_inputs)
    head = fit_kernel_head(labelled.study, rows, target, learned, labelled.groups, resources)
    _log_members(head)
    model = KernelModel.of(head, None if pretrained is None else pretrained[0])
    description = _describe(config, shape, pretrained, labelled, model)
    start_output_directory(dataclasses.replace(config, model=shape), written)
    write_splits(output / "splits.tsv", labelled.pool.study.sample_ids, labelled.parts)
    reader = KernelPredictor(copy.deepcopy(model), description, PredictOptions(None, cache))
    metrics = validate(config, reader, labelled)
    write_metrics(output, metrics)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _describe(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: Pretrained | None,
    labelled: LabelledStudy,
    model: KernelModel,
) -> ModelDescription:
    own = {
        "study_digest": labelled.study.digest(),
        "target": labelled.target,
        "options": flatten(config),
        "head": model.info,
    }
    if pretrained is not None:
        return dataclasses.replace(pretrained[1], metrics={}, **own)
    sampling, seed = config.sampling, config.training.seed
    return ModelDescription(
        model=shape, objectives=(), depth=None, token_limit=sampling.token_limit, seed=seed, **own
    )  # fmt: skip


def _log_members(head: KernelHead) -> None:
    logger.info("%d ASVs are in at least %d training samples.", len(head.known), MINIMUM_PREVALENCE)
    for member in head.members:
        penalty = "" if member.penalty is None else f", penalty {member.penalty:.3g}"
        logger.info(
            "Member %s: weight %.2f%s, loss %.4g on groups left out.", member.name, member.weight, penalty, member.loss
        )
