"""The plan of one training run: a model to be trained and what its batches are made from.

Pre-training, fine-tuning, each member of an ensemble and each fold have a plan.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aam.batch import TARGET, BatchTarget, batch_input, batch_target
from aam.config.base import flatten
from aam.config.commands import LearningConfig, PretrainConfig
from aam.data.batching.augmentation import augmentations_of
from aam.data.batching.batches import BatchMaker, Drawing, Masking, loader
from aam.data.study import Study
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.inference.build import build_covariate_conditioning, build_target
from aam.inference.description import ModelDescription
from aam.inference.network import asv_vectors
from aam.labels.head_inputs import log_class_weights, weigh_classes
from aam.labels.labelled import LabelledStudy
from aam.labels.splits import TRAIN, VALIDATION, SampleSplit
from aam.labels.target import TargetState
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.objective import Settings
from aam.runs.batch_plan import BatchSchedule, BatchSource, calibration_batch, memory_estimate, schedule_batches
from aam.runs.batch_size import choose_batch_size
from aam.runs.pretrained import Pretrained, copy_encoder_weights, copy_objective_weights
from aam.runs.replay import replay
from aam.runs.resources import choose_objective_settings, read_resources, with_targets
from aam.runs.resume import Run, saving_plan
from aam.storage.cache import Cache
from aam.training.best_epoch import criterion_of
from aam.training.fit import FitSummary, fit
from aam.training.losses import LossBalance, calibrate_encoder, calibrate_head, calibrate_objectives
from aam.training.module import TrainingModule
from aam.training.reports import BatchReport
from aam.training.saving import SavingPlan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnlabelledStudy:
    """Training and validation samples of pre-training.

    Attributes
    ----------
    study
        The samples, and those of a test.
    depth
        Reads drawn from each sample; None for all.
    split
        Split of the samples.
    """

    study: Study
    depth: int | None
    split: SampleSplit

    @property
    def training(self) -> np.ndarray:
        """Indices of the training samples in ``study``, int64."""
        return self.split.indices(TRAIN)

    @property
    def validation(self) -> np.ndarray:
        """Indices of the validation samples in ``study``, int64."""
        return self.split.indices(VALIDATION)


@dataclass(frozen=True)
class RunPlan:
    """A model that is ready to be trained; `fit_run` changes its weights.

    Attributes
    ----------
    config
        Options of the run, with the shape of the model that is trained.
    encoder
        The encoder.
    predictor
        The encoder with a head for metadata columns; None in pre-training.
    description
        Description of the model, as it will be saved.
    weights
        Weight of the loss of each objective, by name.
    batch_source
        What batches are made from.
    is_fresh
        Whether the encoder has random weights.
    new_objectives
        Names of the encoder's objectives that have random weights.
    """

    config: PretrainConfig | LearningConfig
    encoder: SequenceEncoder
    predictor: SequencePredictor | None
    description: ModelDescription
    weights: dict[str, float]
    batch_source: BatchSource
    is_fresh: bool
    new_objectives: tuple[str, ...]

    @property
    def model(self) -> SequenceEncoder | SequencePredictor:
        """Model that is trained and saved."""
        return self.encoder if self.predictor is None else self.predictor

    def schedule(self) -> BatchSchedule:
        """Plan the batches of all epochs.

        Raises
        ------
        ConfigError
            ``--max-memory-gb`` does not even hold the weights.
        """
        return schedule_batches(self.batch_source, self.config.training)

    def describe_trained(self, metrics: Mapping[str, Any]) -> ModelDescription:
        """Return the description of the trained model, with its metrics and the options that were chosen for it."""
        options = self.description.options | flatten(self.config.training)
        return replace(self.description, metrics=dict(metrics), options=options)


def plan_run(
    config: PretrainConfig | LearningConfig,
    samples: UnlabelledStudy | LabelledStudy,
    pretrained: Pretrained | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunPlan:
    """Build a model and collect what its batches are made from; nothing is written yet.

    Parameters
    ----------
    config
        Options of pre-training, or of training, for a run, a member of an ensemble or a fold; with the shape of ``pretrained``.
    samples
        Training and validation samples, labelled for training.
    pretrained
        Pre-trained model to begin with, if any.
    options
        Options as the user passed them, for the record; None for those of ``config``.

    Raises
    ------
    AamError
        A file that objectives need cannot be read, or ``--best-metric`` names no metric of the model.
    """
    resources = read_resources(config, config.weights, samples.study, samples.training)
    settings = choose_objective_settings(config.weights, config.objectives, resources)
    torch.manual_seed(config.training.seed)
    encoder = build_encoder(config.model, list(settings), settings)
    new_objectives = _load_pretrained_weights(pretrained, encoder, settings, config)
    supervision = _Supervision() if isinstance(samples, UnlabelledStudy) else _supervise(config, encoder, samples)
    model = encoder if supervision.predictor is None else supervision.predictor
    criterion_of(config.training.best_metric, model.active_objectives())  # refuses before anything is written
    maker = _batch_maker(config, samples, supervision)
    maker = with_targets(maker, encoder.active_objectives(), config.objectives, resources)
    estimate = memory_estimate(model, config.model, maker, config.training, supervision.is_base_frozen)
    description = _describe(config, samples, encoder, settings, supervision)
    if options is not None:
        description = replace(description, options=dict(options))
    digest = description.study_digest
    return RunPlan(
        config=config,
        encoder=encoder,
        predictor=supervision.predictor,
        description=description,
        weights={**supervision.weights, **config.weights},
        batch_source=BatchSource(maker, samples.training, samples.validation, estimate, digest),
        is_fresh=pretrained is None,
        new_objectives=new_objectives,
    )


def build_module(plan: RunPlan) -> TrainingModule:
    """Return the training module of the model, with the weights that the model has now."""
    balance = LossBalance(plan.weights, plan.config.objectives.loss_balancing)
    if not isinstance(plan.config, LearningConfig):
        return TrainingModule(plan.model, plan.weights, plan.config.training, balance=balance)
    transfer = plan.config.transfer
    return TrainingModule(plan.model, plan.weights, plan.config.training, TARGET, balance, transfer)


def prepare_module(plan: RunPlan) -> TrainingModule:
    """Calibrate the scales of random weights on a few training samples, and return the training module of the model."""
    batch = calibration_batch(plan.batch_source)
    if plan.is_fresh:
        calibrate_encoder(plan.encoder, batch)
    else:
        calibrate_objectives(plan.encoder, batch, plan.new_objectives)
    if plan.predictor is not None:
        calibrate_head(plan.predictor, batch)
    module = build_module(plan)
    module.calibrate(batch)
    return module


def with_batch_size(plan: RunPlan, ranks: Ranks = SINGLE_PROCESS) -> RunPlan:
    """Return the plan with a number as its batch size, which is chosen now for ``--batch-size auto``.

    Raises
    ------
    ConfigError
        Memory holds no batch.
    """
    training = choose_batch_size(plan.config.training, plan.batch_source, lambda: build_module(plan), ranks)
    return replace(plan, config=replace(plan.config, training=training))


def fit_run(
    plan: RunPlan,
    schedule: BatchSchedule,
    output: Path,
    saving: SavingPlan | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> FitSummary:
    """Train the model of a plan, which has the weights of its best epoch afterwards.

    Parameters
    ----------
    plan, schedule
        The plan, and its batches.
    output
        Directory of the trainer's files.
    saving
        Plan of when the run is saved, and where it is resumed; None for a run that is not saved.
    ranks
        The processes that train together.

    Returns
    -------
    FitSummary
        Validation metrics of the best epoch, and the number of epochs.
    """
    module, maker = prepare_module(plan), plan.batch_source.maker
    n_workers = plan.config.training.num_workers
    train, validation = (
        loader(maker, plans, n_workers, ranks.part) for plans in (schedule.sampler, schedule.validation)
    )
    report = BatchReport(schedule.estimated_bytes, ranks)
    return fit(module, (train, validation), output, schedule.training, [report], saving, ranks)


def train_run(
    run: Run[Any], plan: RunPlan, split: SampleSplit, results: Sequence[str]
) -> tuple[RunPlan, BatchSchedule, FitSummary] | None:
    """Train the one model of a run in its directory: choose the batch size, begin or resume, fit; or replay a run that failed.

    Parameters
    ----------
    run, plan
        The run, and the plan of its model.
    split
        Split of its samples.
    results
        Names of the files that the command writes beside those of the trainer.

    Returns
    -------
    tuple or None
        The plan with the batch size that was chosen, its batches, and what training gave; None after a replay.
    """
    if run.state == "failed":
        replay(run.config, build_module(plan), plan.batch_source, run.ranks)
        return None
    plan = with_batch_size(plan, run.ranks)
    run = run.with_training(plan.config.training)
    with run.ranks.raise_together():
        schedule = plan.schedule()
        saving = saving_plan(run.config, run.state, plan.description.study_digest)
        run.begin(split, results)
    return plan, schedule, fit_run(plan, schedule, run.directory, saving, run.ranks)


def _load_pretrained_weights(
    pretrained: Pretrained | None,
    encoder: SequenceEncoder,
    settings: Mapping[str, Settings],
    config: PretrainConfig | LearningConfig,
) -> tuple[str, ...]:
    """Copy the weights of a pre-trained model; return the names of the objectives that keep random weights."""
    if pretrained is None:
        return tuple(settings)
    copy_encoder_weights(encoder, pretrained[0])
    if isinstance(config, LearningConfig):
        logger.info("The network begins with the encoder of %s.", config.transfer.pretrained)
        return tuple(encoder.active_objectives())
    new = sorted(copy_objective_weights(encoder, pretrained, settings))
    objectives = f"; new objectives: {', '.join(new)}" if new else " and its objectives"
    logger.info("Pre-training goes on from the encoder of %s%s.", config.start.pretrained, objectives)
    return tuple(new)


@dataclass(frozen=True)
class _Supervision:
    """Parts of a plan that come from labels: the model with a head, and what batches hold for it; empty without labels."""

    predictor: SequencePredictor | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    asv_vectors: np.ndarray | None = None
    is_base_frozen: bool = False
    description: Mapping[str, Any] = field(default_factory=dict)


def _describe(
    config: PretrainConfig | LearningConfig,
    samples: UnlabelledStudy | LabelledStudy,
    encoder: SequenceEncoder,
    settings: Mapping[str, Settings],
    supervision: _Supervision,
) -> ModelDescription:
    return ModelDescription(
        model=config.model,
        objectives=tuple(encoder.active_objectives()),
        objective_settings=settings,
        depth=samples.depth,
        token_limit=config.sampling.token_limit,
        seed=config.training.seed,
        study_digest=samples.study.digest(),
        options=flatten(config),
        **supervision.description,
    )


def _batch_maker(
    config: PretrainConfig | LearningConfig, samples: UnlabelledStudy | LabelledStudy, supervision: _Supervision
) -> BatchMaker:
    drawing = Drawing(samples.depth, config.sampling.token_limit, config.training.seed)
    augmentations = augmentations_of(config.augmentation)
    return BatchMaker(samples.study, drawing, Masking(), supervision.targets, augmentations, supervision.asv_vectors)


def _supervise(
    config: PretrainConfig | LearningConfig, encoder: SequenceEncoder, labelled: LabelledStudy
) -> _Supervision:
    assert isinstance(config, LearningConfig), "labels are learned with its options"
    head, transfer, target, losses = config.network_head, config.transfer, labelled.target, labelled.samples.losses
    if isinstance(target, TargetState):
        target = weigh_classes(target, labelled.truth[labelled.training], head.classes.class_weights)
        log_class_weights(target)
    target_head = build_target(config.model, target, head, losses)
    conditioning = build_covariate_conditioning(config.model, labelled.covariates, config.covariates)
    vectors = None
    if transfer.freeze_base and config.augmentation.nucleotide_substitution is None:
        vectors = asv_vectors(encoder.asv_encoder, labelled.study, Cache(config.study.cache_dir))
    targets = {name: batch_input(values) for name, values in labelled.head_inputs.items()}
    return _Supervision(
        predictor=build_predictor(encoder, target_head, (), transfer.freeze_base, conditioning),
        weights={TARGET: config.objectives.target_penalty},
        targets=targets | {TARGET: batch_target(len(target.classes), labelled.truth)},
        asv_vectors=vectors,
        is_base_frozen=transfer.freeze_base,
        description={
            "target": target,
            "network_head": head,
            "covariates": labelled.covariates,
            "covariates_config": config.covariates,
            "column_losses": losses,
        },
    )
