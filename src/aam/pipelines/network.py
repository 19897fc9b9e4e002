"""The network of one run, of ``aam train`` or of a fold of ``aam evaluate``: planned from options and samples, then fitted."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aam.config._base import flag_of, flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.data.augmentations.augmenter import augmentations_of
from aam.data.batches import (
    BatchMaker,
    BatchPlan,
    Drawing,
    Masking,
    loader,
)
from aam.data.study import Study
from aam.data.target import TargetState, batch_target
from aam.inference.asv_vectors import asv_vectors
from aam.inference.model_directory import ModelDescription, build_target, load_model
from aam.io.cache import Cache
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.pipelines.composing import Composition, compose, memory_estimate
from aam.pipelines.reading import DistanceSource
from aam.training.calibration import CALIBRATION_SAMPLES, calibrate_encoder, calibrate_head
from aam.training.fit import FitSummary, fit
from aam.training.module import TrainingModule
from aam.training.resources import BatchReport

logger = logging.getLogger(__name__)

SHAPE = ("embedding_dim", "attention_heads", "attention_layers", "ffn_ratio", "max_bp")
"""Options that a pre-trained model has settled."""


@dataclass(frozen=True)
class LabelledStudy:
    """A study ready for training.

    Attributes
    ----------
    study
        Samples with a value and enough reads.
    depth
        Reads drawn from each.
    distances
        Where distances come from, if anywhere.
    target
        What was fitted on the training samples.
    truth
        Values in own units or class numbers, [S].
    held
        True for validation samples, [S].
    split_ids, split_parts
        All samples that were divided, and the part of each; those left for a test, too.
    """

    study: Study
    depth: int | None
    distances: DistanceSource | None
    target: TargetState
    truth: np.ndarray
    held: np.ndarray
    split_ids: list[str]
    split_parts: np.ndarray


@dataclass(frozen=True)
class PlannedNetwork:
    """A network that is ready to be fitted; `fit_network` changes its weights.

    Attributes
    ----------
    model, description
        As they will be saved.
    weights
        Of the objectives, by name.
    maker, batches
        What it reads.
    training
        How it is trained.
    is_fresh
        Whether its encoder has random weights.
    """

    model: SequencePredictor
    description: ModelDescription
    weights: dict[str, float]
    maker: BatchMaker
    batches: Composition
    training: TrainingConfig
    is_fresh: bool


def plan_network(
    config: TrainConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, labelled: LabelledStudy
) -> PlannedNetwork:
    """Build a network and plan its batches; nothing is written yet.

    Raises
    ------
    ConfigError
        Its weights do not fit into ``--max-memory-gb``.
    """
    torch.manual_seed(config.training.seed)
    weights = _weights(config, labelled)
    model = _build(config, shape, pretrained, labelled, weights)
    maker = _batch_maker(config, labelled, weights, model)
    digest = labelled.study.digest()
    batches = _batches(config, model, maker, labelled.held, digest)
    description = ModelDescription(
        model=shape,
        objectives=tuple(model.base_model.active_objectives()),
        depth=labelled.depth,
        token_limit=config.sampling.token_limit,
        seed=config.training.seed,
        study_digest=digest,
        target=labelled.target,
        target_objectives=tuple(name for name in weights if name == "counts"),
        options=flatten(config),
    )
    return PlannedNetwork(model, description, weights, maker, batches, config.training, pretrained is None)


def fit_network(network: PlannedNetwork, output: Path) -> FitSummary:
    """Train, and leave the weights of the best epoch in the model; the trainer writes into ``output``."""
    model, maker, batches, training = network.model, network.maker, network.batches, network.training
    some = maker[BatchPlan("calibration", tuple(batches.sampler.samples[:CALIBRATION_SAMPLES].tolist()))]
    if network.is_fresh:
        calibrate_encoder(model.base_model, some)
    calibrate_head(model, some)
    module = TrainingModule(model, network.weights, training, main="target")
    n_workers = training.num_workers
    loaders = loader(maker, batches.sampler, n_workers), loader(maker, batches.validation, n_workers)
    return fit(module, *loaders, output, training, [BatchReport(batches.estimated_bytes)])


def load_pretrained(path: Path | None) -> SequenceEncoder | None:
    """Load the encoder to start from, if any."""
    if path is None:
        return None
    model, _ = load_model(path)
    return model.base_model if isinstance(model, SequencePredictor) else model


def shape_of(pretrained: SequenceEncoder, asked: ModelConfig) -> ModelConfig:
    """Take the shape from the pre-trained model and the rest from the user; say so if they asked for another shape."""
    settled = {name: getattr(pretrained.config, name) for name in SHAPE}
    default = ModelConfig()
    ignored = [
        flag_of(name) for name, value in settled.items() if getattr(asked, name) not in (value, getattr(default, name))
    ]
    if ignored:
        logger.warning("The pre-trained model settles its shape; ignored: %s.", ", ".join(ignored))
    return dataclasses.replace(asked, **settled)


def _weights(config: TrainConfig, labelled: LabelledStudy) -> dict[str, float]:
    objectives = config.objectives
    weights = {"target": objectives.target_penalty, "counts": objectives.count_penalty}
    if labelled.distances is not None and not config.transfer.freeze_base:
        weights["distance"] = objectives.penalty
    return {name: weight for name, weight in weights.items() if weight > 0}


def _build(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: SequenceEncoder | None,
    labelled: LabelledStudy,
    weights: dict[str, float],
) -> SequencePredictor:
    base = build_encoder(shape, [name for name in weights if name == "distance"])
    if pretrained is not None:
        heads = {name for name in pretrained.state_dict() if name.startswith("objectives.")}
        base.load_state_dict({name: value for name, value in pretrained.state_dict().items() if name not in heads})
        logger.info("Loaded %d pre-trained tensors from %s.", len(base.state_dict()), config.transfer.pretrained)
    own = [name for name in weights if name == "counts"]
    return build_predictor(base, build_target(shape, labelled.target), own, config.transfer.freeze_base)


def _batch_maker(
    config: TrainConfig, labelled: LabelledStudy, weights: dict[str, float], model: SequencePredictor
) -> BatchMaker:
    targets = {"target": batch_target(labelled.target, labelled.truth)}
    if labelled.distances is not None and "distance" in weights:
        targets["distance"] = labelled.distances.target(labelled.study)
    drawing = Drawing(labelled.depth, config.sampling.token_limit, config.training.seed)
    masking = Masking(count_mask_ratio=config.objectives.count_mask_ratio if "counts" in weights else None)
    augmentations = augmentations_of(config.augmentation)
    vectors = None
    if config.transfer.freeze_base and config.augmentation.nucleotide_substitution is None:
        vectors = asv_vectors(model.base_model.asv_encoder, labelled.study, Cache(config.study.cache_dir))
    return BatchMaker(labelled.study, drawing, masking, targets, augmentations, vectors)


def _batches(
    config: TrainConfig, model: SequencePredictor, maker: BatchMaker, held: np.ndarray, digest: str
) -> Composition:
    shape, training = model.base_model.config, config.training
    estimate = memory_estimate(model, shape, maker, training, config.transfer.freeze_base)
    return compose(maker, np.flatnonzero(~held), np.flatnonzero(held), estimate, training, digest)
