"""The network of one run, of ``aam train`` or of a fold of ``aam evaluate``: planned from options and samples, then fitted."""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aam.batch import batch_input, batch_target
from aam.config.base import flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.data.augmentation import augmentations_of
from aam.data.batches import BatchMaker, Drawing, Masking, loader
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.ecology.resources import StudyResources
from aam.inference.build import build_covariate_conditioning, build_target
from aam.inference.description import ModelDescription
from aam.inference.network import asv_vectors
from aam.labels.labelled import LabelledStudy
from aam.labels.target import TargetState
from aam.labels.weights import weigh_classes
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.objective import Settings
from aam.runs.batch_plan import BatchSchedule, BatchSource, calibration_batch, memory_estimate
from aam.runs.batch_size import choose_batch_size
from aam.runs.pretrained import copy_encoder_weights
from aam.runs.resources import choose_objective_settings, read_resources, with_targets
from aam.storage.cache import Cache
from aam.training.best_epoch import criterion_of
from aam.training.fit import FitSummary, fit
from aam.training.losses import LossBalance, calibrate_encoder, calibrate_head, calibrate_objectives
from aam.training.module import TrainingModule
from aam.training.reports import BatchReport
from aam.training.saving import SavingPlan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedNetwork:
    """A network that is ready to be fitted; `fit_network` changes its weights.

    Attributes
    ----------
    model, description
        As they will be saved.
    weights, balance
        Of the objectives.
    material
        What its batches are made of.
    training, transfer
        How it is trained.
    is_fresh
        Whether its encoder has random weights.
    """

    model: SequencePredictor
    description: ModelDescription
    weights: dict[str, float]
    balance: LossBalance
    batch_source: BatchSource
    training: TrainingConfig
    transfer: TransferConfig
    is_fresh: bool


def plan_network(
    config: TrainConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, labelled: LabelledStudy
) -> PlannedNetwork:
    """Build a network, and gather what its batches are made of; nothing is written yet.

    Raises
    ------
    AamError
        What the objectives need cannot be read.
    """
    torch.manual_seed(config.training.seed)
    head, in_training = config.network_head, labelled.truth[~labelled.held]
    if isinstance(labelled.target, TargetState):
        weighed = weigh_classes(labelled.target, in_training, head.classes.class_weights)
        labelled = dataclasses.replace(labelled, target=weighed)
    weights = {"target": config.objectives.target_penalty, **config.weights}
    resources = read_resources(config, config.weights, labelled.study, np.flatnonzero(~labelled.held))
    settings = choose_objective_settings(config.weights, config.objectives, resources)
    model = _build(config, shape, pretrained, labelled, settings)
    criterion_of(config.training.best_metric, model.active_objectives())  # refuses before anything is written
    maker = _batch_maker(config, labelled, resources, model)
    digest = labelled.study.digest()
    estimate = memory_estimate(model, model.base_model.config, maker, config.training, config.transfer.freeze_base)
    batch_source = BatchSource(maker, np.flatnonzero(~labelled.held), np.flatnonzero(labelled.held), estimate, digest)
    description = ModelDescription(
        model=shape,
        objectives=tuple(model.base_model.active_objectives()),
        depth=labelled.depth,
        token_limit=config.sampling.token_limit,
        seed=config.training.seed,
        study_digest=digest,
        target=labelled.target,
        network_head=head,
        conditions=labelled.conditions,
        conditioning=config.conditioning,
        column_losses=labelled.pool.losses,
        objective_settings=settings,
        options=flatten(config),
    )
    balance = LossBalance(weights, config.objectives.loss_balancing)
    return PlannedNetwork(
        model, description, weights, balance, batch_source, config.training, config.transfer, pretrained is None
    )


def prepare_module(network: PlannedNetwork) -> TrainingModule:
    """Bring what is new in the model to its sizes, and wrap it for training."""
    model, some = network.model, calibration_batch(network.batch_source)
    if network.is_fresh:
        calibrate_encoder(model.base_model, some)
    else:
        calibrate_objectives(model.base_model, some, model.base_model.active_objectives())
    calibrate_head(model, some)
    module = build_module(network)
    module.calibrate(some)
    return module


def build_module(network: PlannedNetwork) -> TrainingModule:
    """Wrap the model as it is."""
    kind = {"main": "target", "balance": network.balance, "transfer": network.transfer}
    return TrainingModule(network.model, network.weights, network.training, **kind)


def with_batch_size(network: PlannedNetwork, ranks: Ranks = SINGLE_PROCESS) -> PlannedNetwork:
    """Settle how many samples form a batch.

    Raises
    ------
    ConfigError
        ``--batch-size auto`` finds that memory holds none.
    """
    training = choose_batch_size(network.training, network.batch_source, lambda: build_module(network), ranks)
    return dataclasses.replace(network, training=training)


def fit_network(
    network: PlannedNetwork,
    batches: BatchSchedule,
    output: Path,
    plan: SavingPlan | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> FitSummary:
    """Train, and leave the weights of the best epoch in the model; the trainer writes into ``output``."""
    module, maker = prepare_module(network), network.batch_source.maker
    n_workers = network.training.num_workers
    train, held = (loader(maker, plans, n_workers, ranks.part) for plans in (batches.sampler, batches.validation))
    report = BatchReport(batches.estimated_bytes, ranks)
    return fit(module, (train, held), output, batches.training, [report], plan, ranks)


def _build(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: SequenceEncoder | None,
    labelled: LabelledStudy,
    settings: Mapping[str, Settings],
) -> SequencePredictor:
    base = build_encoder(shape, list(settings), settings)
    if pretrained is not None:
        copy_encoder_weights(base, pretrained)
        logger.info("The network begins with the encoder of %s.", config.transfer.pretrained)
    target = build_target(shape, labelled.target, config.network_head, labelled.pool.losses)
    conditioning = build_covariate_conditioning(shape, labelled.conditions, config.conditioning)
    return build_predictor(base, target, (), config.transfer.freeze_base, conditioning)


def _batch_maker(
    config: TrainConfig, labelled: LabelledStudy, resources: StudyResources, model: SequencePredictor
) -> BatchMaker:
    targets = {name: batch_input(fact) for name, fact in labelled.head_inputs.items()}
    targets["target"] = batch_target(len(labelled.target.classes), labelled.truth)
    drawing = Drawing(labelled.depth, config.sampling.token_limit, config.training.seed)
    augmentations = augmentations_of(config.augmentation)
    vectors = None
    if config.transfer.freeze_base and config.augmentation.nucleotide_substitution is None:
        vectors = asv_vectors(model.base_model.asv_encoder, labelled.study, Cache(config.study.cache_dir))
    maker = BatchMaker(labelled.study, drawing, Masking(), targets, augmentations, vectors)
    return with_targets(maker, model.base_model.active_objectives(), config.objectives, resources)
