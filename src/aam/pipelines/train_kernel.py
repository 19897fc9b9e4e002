"""Training of the kernel head: one fit, without gradients."""

import copy
import dataclasses
import logging

import numpy as np

from aam.config._base import flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.data.equal_depth import equal_depth
from aam.data.target import TargetState
from aam.inference.kernel_model import KernelModel
from aam.inference.kernel_reader import KernelReader
from aam.inference.kernel_units import learned_by_kernels
from aam.inference.model_description import ModelDescription
from aam.inference.model_directory import save_model
from aam.inference.pretrained_vectors import PretrainedVectors
from aam.inference.read_samples import Reading
from aam.io.cache import Cache
from aam.io.output_directory import start_output_directory
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.head import KernelHead, Resources
from aam.kernels.known_asvs import MINIMUM_PREVALENCE
from aam.pipelines.pool import LabelledStudy
from aam.pipelines.pretrained import Pretrained
from aam.pipelines.records import summarise, write_metrics, write_splits
from aam.pipelines.resources import read_given_tree
from aam.pipelines.validation import validate

logger = logging.getLogger(__name__)


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
        vectors = PretrainedVectors(copy.deepcopy(encoder), its_description, Reading(None, cache))
    resources = Resources(tree, vectors, config.head.coverage, equal_depth(config.sampling, config.training.seed))
    rows = np.flatnonzero(~labelled.held)
    learned = learned_by_kernels(target, labelled.truth, labelled.facts)
    head = fit_kernel_head(labelled.study, rows, target, learned, labelled.groups, resources)
    _log_members(head)
    model = KernelModel.of(head, None if pretrained is None else pretrained[0])
    description = _describe(config, shape, pretrained, labelled, model)
    start_output_directory(dataclasses.replace(config, model=shape), written)
    write_splits(output / "splits.tsv", labelled.pool.study.sample_ids, labelled.parts)
    reader = KernelReader(copy.deepcopy(model), description, Reading(None, cache))
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
        "head": model.facts,
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
