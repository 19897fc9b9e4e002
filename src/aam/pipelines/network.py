"""The network of one run, of ``aam train`` or of a fold of ``aam evaluate``: planned from options and samples, then fitted."""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aam.config._base import flag_of, flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.config.transfer import TransferConfig
from aam.data.augmentations.augmenter import augmentations_of
from aam.data.batches import (
    BatchMaker,
    BatchPlan,
    Drawing,
    Masking,
    loader,
)
from aam.data.target import TargetState, batch_fact, batch_target
from aam.ecology.resources import StudyResources
from aam.errors import ModelError
from aam.inference.asv_vectors import asv_vectors
from aam.inference.kernel_model import KernelModel
from aam.inference.model_directory import ModelDescription, build_target, load_model
from aam.io.cache import Cache
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.unlabelled import Settings
from aam.pipelines.class_weights import weigh_classes
from aam.pipelines.composing import Composition, compose, memory_estimate
from aam.pipelines.head_options import SHAPE
from aam.pipelines.labelled import LabelledStudy
from aam.pipelines.objectives import settle_objectives, with_targets
from aam.pipelines.resources import read_resources
from aam.pipelines.train_kernel import Pretrained
from aam.training.balancing import LossBalance
from aam.training.best_epoch import criterion_of
from aam.training.calibration import CALIBRATION_SAMPLES, calibrate_encoder, calibrate_head, calibrate_objectives
from aam.training.fit import FitSummary, fit
from aam.training.module import TrainingModule
from aam.training.ranks import ALONE, Ranks
from aam.training.resources import BatchReport
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
    maker, batches
        What it reads.
    training, transfer
        How it is trained.
    is_fresh
        Whether its encoder has random weights.
    """

    model: SequencePredictor
    description: ModelDescription
    weights: dict[str, float]
    balance: LossBalance
    maker: BatchMaker
    batches: Composition
    training: TrainingConfig
    transfer: TransferConfig
    is_fresh: bool


def plan_network(
    config: TrainConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, labelled: LabelledStudy
) -> PlannedNetwork:
    """Build a network and plan its batches; nothing is written yet.

    Raises
    ------
    AamError
        What the objectives need cannot be read, or the weights do not fit into ``--max-memory-gb``.
    """
    torch.manual_seed(config.training.seed)
    head, in_training = config.network_head, labelled.truth[~labelled.held]
    if isinstance(labelled.target, TargetState):
        weighed = weigh_classes(labelled.target, in_training, head.classes.class_weights)
        labelled = dataclasses.replace(labelled, target=weighed)
    weights = {"target": config.objectives.target_penalty, **config.weights}
    resources = read_resources(config, config.weights, labelled.study, np.flatnonzero(~labelled.held))
    settings = settle_objectives(config.weights, config.objectives, resources)
    model = _build(config, shape, pretrained, labelled, settings)
    criterion_of(config.training.best_metric, model.active_objectives())  # refuses before anything is written
    maker = _batch_maker(config, labelled, resources, model)
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
        network_head=head,
        column_losses=labelled.losses,
        objective_settings=settings,
        options=flatten(config),
    )
    balance = LossBalance(weights, config.objectives.loss_balancing)
    return PlannedNetwork(
        model, description, weights, balance, maker, batches, config.training, config.transfer, pretrained is None
    )


def prepare_module(network: PlannedNetwork) -> TrainingModule:
    """Bring what is new in the model to its sizes, and wrap it for training."""
    model, maker, batches = network.model, network.maker, network.batches
    some = maker[BatchPlan("calibration", tuple(batches.sampler.samples[:CALIBRATION_SAMPLES].tolist()))]
    if network.is_fresh:
        calibrate_encoder(model.base_model, some)
    calibrate_objectives(model.base_model, some)
    calibrate_head(model, some)
    module = TrainingModule(
        model, network.weights, network.training, main="target", balance=network.balance, transfer=network.transfer
    )
    module.calibrate(some)
    return module


def fit_network(
    network: PlannedNetwork, output: Path, plan: SavingPlan | None = None, ranks: Ranks = ALONE
) -> FitSummary:
    """Train, and leave the weights of the best epoch in the model; the trainer writes into ``output``."""
    module, maker, batches = prepare_module(network), network.maker, network.batches
    n_workers = network.training.num_workers
    train, held = (loader(maker, plans, n_workers, ranks.part) for plans in (batches.sampler, batches.validation))
    report = BatchReport(batches.estimated_bytes, ranks)
    return fit(module, (train, held), output, network.training, [report], plan, ranks)


def load_pretrained(path: Path | None) -> Pretrained | None:
    """Load the encoder to start from, and what it is, if any.

    Raises
    ------
    ModelError
        The directory holds no such model.
    """
    if path is None:
        return None
    model, description = load_model(path)
    encoder = model.base_model if isinstance(model, SequencePredictor | KernelModel) else model
    if encoder is None:
        raise ModelError(
            f"--pretrained {path} is a kernel head without a pre-trained encoder. Pass the --output-dir of "
            "'aam pretrain', or leave --pretrained out."
        )
    return encoder, description


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


def _build(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: SequenceEncoder | None,
    labelled: LabelledStudy,
    settings: Mapping[str, Settings],
) -> SequencePredictor:
    base = build_encoder(shape, list(settings), settings)
    if pretrained is not None:
        learned = {name: value for name, value in pretrained.state_dict().items() if not name.startswith("objectives.")}
        base.load_state_dict({**base.state_dict(), **learned})
        logger.info("Loaded %d pre-trained tensors from %s.", len(learned), config.transfer.pretrained)
    return build_predictor(
        base,
        build_target(shape, labelled.target, config.network_head, labelled.losses),
        (),
        config.transfer.freeze_base,
    )


def _batch_maker(
    config: TrainConfig, labelled: LabelledStudy, resources: StudyResources, model: SequencePredictor
) -> BatchMaker:
    targets = {name: batch_fact(fact) for name, fact in labelled.facts.items()}
    targets["target"] = batch_target(len(labelled.target.classes), labelled.truth)
    drawing = Drawing(labelled.depth, config.sampling.token_limit, config.training.seed)
    augmentations = augmentations_of(config.augmentation)
    vectors = None
    if config.transfer.freeze_base and config.augmentation.nucleotide_substitution is None:
        vectors = asv_vectors(model.base_model.asv_encoder, labelled.study, Cache(config.study.cache_dir))
    maker = BatchMaker(labelled.study, drawing, Masking(), targets, augmentations, vectors)
    return with_targets(maker, model.base_model.active_objectives(), config.objectives, resources)


def _batches(
    config: TrainConfig, model: SequencePredictor, maker: BatchMaker, held: np.ndarray, digest: str
) -> Composition:
    shape, training = model.base_model.config, config.training
    estimate = memory_estimate(model, shape, maker, training, config.transfer.freeze_base)
    return compose(maker, np.flatnonzero(~held), np.flatnonzero(held), estimate, training, digest)
