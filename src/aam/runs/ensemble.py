"""Training of an ensemble: N networks, each of which leaves out a different 1/N of the training samples, and calibration."""

import copy
import dataclasses
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aam.config.base import flatten
from aam.config.commands import LearningConfig, TrainConfig
from aam.config.saving import LAST_CHECKPOINT
from aam.config.training import TrainingConfig
from aam.data.orientation import KmerSketch
from aam.data.rarefaction import generator
from aam.distributed.ranks import SINGLE_PROCESS
from aam.errors import SplitError
from aam.inference.description import ModelDescription
from aam.inference.ensemble import LeftOut, NetworkEnsemble, calibrate
from aam.inference.model_directory import save_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.inference.new_samples import training_samples
from aam.inference.predictor import predictor_of
from aam.io.metadata import write_tsv
from aam.labels.head_inputs import head_inputs_of, weigh_classes
from aam.labels.labelled import LabelledStudy, fit_labels
from aam.labels.splits import EXCLUDED, TRAIN, VALIDATION
from aam.labels.stratified import fold_numbers
from aam.labels.target import Predictions, TargetState
from aam.labels.task import encode_columns, stratum_of
from aam.models.sequence_predictor import SequencePredictor
from aam.runs.plan import RunPlan, build_module, fit_run, plan_run, with_batch_size
from aam.runs.pretrained import Pretrained
from aam.runs.replay import replay
from aam.runs.results import prediction_columns, summarise, truth_columns, validate, write_metrics
from aam.runs.resume import Run, State, failed_directory, run_directories, saving_elsewhere_on_failure, saving_plan
from aam.storage.cache import Cache
from aam.training.saving import SavingPlan
from aam.uncertainty import warn_of_few_groups

logger = logging.getLogger(__name__)


MOST_COMPARED = 10_000
"""Most training samples of a member whose vectors are kept to compare new samples with; of more, some are drawn."""


LEFT_OUT = "out_of_fold_predictions.tsv"
"""File of the predictions of each network for the samples that it was trained without."""


@dataclass(frozen=True)
class NetworkMember:
    """A network of an ensemble that is to be trained.

    Attributes
    ----------
    config
        Options, with the seed and the directory of the member.
    labelled
        Training samples of the member, and as validation samples those that it leaves out.
    indices
        Index of each of these samples in the study that is divided among the members, int64.
    """

    config: LearningConfig
    labelled: LabelledStudy
    indices: np.ndarray

    @property
    def left_out(self) -> np.ndarray:
        """Indices of the samples that it leaves out, in the study that is divided, int64."""
        return self.indices[self.labelled.is_validation]


@dataclass(frozen=True)
class TrainedMember:
    """A trained network of an ensemble."""

    member: NetworkMember
    model: SequencePredictor
    description: ModelDescription


def divide_members(config: LearningConfig, labelled: LabelledStudy, directories: Sequence[Path]) -> list[NetworkMember]:
    """Divide the training samples among N members, each of which leaves out a different 1/N: whole groups, with even strata.

    Everything that is fitted for a member, such as the target's scale, is fitted without the samples that it leaves out.

    Parameters
    ----------
    config, labelled
        Options, and training and validation samples, of the run.
    directories
        Directory of each member.

    Raises
    ------
    SplitError, MetadataError
        There are too few groups, or too few samples are left to train on.
    """
    samples, n_members, seed = labelled.samples, len(directories), config.training.seed
    training = labelled.training
    groups = samples.groups[training]
    n_groups = len(np.unique(groups))
    if min(n_groups, len(training) // 2) < n_members:
        raise SplitError(
            f"--ensemble {n_members} is too many for {len(training):,} training samples of {n_groups:,} groups: each network "
            "leaves out whole groups, and at least 2 samples. Choose fewer."
        )
    stratum = stratum_of(samples.values.iloc[training], samples.task, config.target)
    number = fold_numbers(groups, stratum, n_members, seed)
    logger.info(
        "Ensemble of %d networks, each of which leaves out a part of the training samples to validate:", n_members
    )
    members = []
    for k, directory in enumerate(directories):
        split = np.full(samples.study.n_samples, EXCLUDED, dtype=f"<U{len(VALIDATION)}")
        split[training] = np.where(number == k, VALIDATION, TRAIN)
        member_seed = int(generator(seed, "member", k).integers(2**31))
        member_config = dataclasses.replace(
            config,
            training=dataclasses.replace(config.training, seed=member_seed),
            output=dataclasses.replace(config.output, output_dir=directory),
        )
        of_member = fit_labels(member_config, samples, split)
        of_member.warn_of_unknown_cells()
        members.append(NetworkMember(member_config, of_member, of_member.indices))
    return members


def warn_of_coverage(config: LearningConfig, studies: Iterable[LabelledStudy]) -> None:
    """Warn if a study, or a column to learn of it, has too few groups in training for the coverage."""
    n_groups = [
        len(np.unique(labelled.samples.groups[~labelled.is_validation & has_value]))
        for labelled in studies
        for has_value in labelled.samples.values.notna().to_numpy().T
    ]
    warn_of_few_groups(min(n_groups), config.head.coverage)


def with_batch_size_of(members: Sequence[NetworkMember], training: TrainingConfig) -> list[NetworkMember]:
    """Return the members with the batch size of ``training``, which was chosen for one of them."""
    return [
        dataclasses.replace(
            member,
            config=dataclasses.replace(
                member.config,
                training=dataclasses.replace(member.config.training, batch_size=training.batch_size),
            ),
        )
        for member in members
    ]


def plan_member(
    member: NetworkMember, pretrained: Pretrained | None, options: Mapping[str, Any] | None = None
) -> RunPlan:
    """Plan the training of a member.

    Parameters
    ----------
    member
        The member.
    pretrained
        Pre-trained model that it begins with, if any.
    options
        Options of the run as the user passed them, for the record; None for those of the member.
    """
    if options is not None:
        options = {**options, **flatten(member.config.training), **flatten(member.config.output)}
    return plan_run(member.config, member.labelled, pretrained, options)


def fit_members(
    members: Sequence[NetworkMember],
    pretrained: Pretrained | None,
    run: Run[TrainConfig] | None = None,
) -> list[TrainedMember]:
    """Train the members one after another.

    Parameters
    ----------
    members
        The members.
    pretrained
        Pre-trained model that all of them begin with, if any.
    run
        The run, which saves the members and resumes them; all its processes train each member together. None for a fold, of
        which nothing is kept.

    Returns
    -------
    list[TrainedMember]
        The members with the weights of their best epochs.
    """
    ranks, options = (SINGLE_PROCESS, None) if run is None else (run.ranks, run.options)
    trained = []
    for number, member in enumerate(members):
        directory = member.config.output.output_dir
        with ranks.raise_together():
            logger.info("Network %d of %d, in %s.", number + 1, len(members), directory)
            plan = plan_member(member, pretrained, options)
            schedule = plan.schedule()
            saving = None if run is None else _plan_saving(run, directory, plan.description.study_digest)
            if ranks.is_first:
                directory.mkdir(parents=True, exist_ok=True)
        summary = fit_run(plan, schedule, directory, saving, ranks)
        metrics = {**summary.metrics, "epochs": summary.epochs, "best_epoch": summary.best_epoch}
        assert plan.predictor is not None, "members have a target"
        trained.append(TrainedMember(member, plan.predictor, plan.describe_trained(metrics)))
    return trained


def calibrate_ensemble(
    config: LearningConfig, labelled: LabelledStudy, trained: Sequence[TrainedMember]
) -> tuple[NetworkEnsemble, ModelDescription, LeftOut]:
    """Calibrate trained members on the samples that each was trained without.

    Parameters
    ----------
    config, labelled
        Options, and training and validation samples, of the run.
    trained
        The members.

    Returns
    -------
    model : NetworkEnsemble
        The ensemble.
    description : ModelDescription
        Its description.
    left_out : LeftOut
        Predictions of the training samples, each by the member that was trained without it.
    """
    target = labelled.target
    if isinstance(target, TargetState):
        truth = labelled.truth[labelled.training]
        target = weigh_classes(target, truth, config.network_head.classes.class_weights)
    options = PredictOptions(Cache(config.study.cache_dir), labelled.depth)
    predictors = [NetworkPredictor(copy.deepcopy(member.model), member.description, options) for member in trained]
    vectors = [
        _training_vectors(member, predictor, config.training.seed)
        for member, predictor in zip(trained, predictors, strict=True)
    ]
    models = [member.model for member in trained]
    uncalibrated = NetworkEnsemble.of({}, models, vectors)
    left_out = _left_out(labelled, trained, predictors, uncalibrated)
    weights = target.class_weights if isinstance(target, TargetState) else ()
    calibration = calibrate(target, left_out, weights, config.head.coverage)
    model = NetworkEnsemble.of({"calibration": dataclasses.asdict(calibration)}, models, vectors)
    description = dataclasses.replace(
        trained[0].description,
        seed=config.training.seed,
        study_digest=labelled.study.digest(),
        target=target,
        covariates=labelled.covariates,
        options=flatten(config),
        metrics={},
        ensemble=model.info,
        members=tuple(member.description for member in trained),
        samples=training_samples(labelled, trained[0].description),
    )
    return model, description, left_out


def train_ensemble(run: Run[TrainConfig], labelled: LabelledStudy, results: Sequence[str]) -> None:
    """Train the members of an ensemble one after another; calibrate, validate and save it.

    Parameters
    ----------
    run
        The run.
    labelled
        Training and validation samples.
    results
        Names of files that an earlier run may have left in the output directory.
    """
    with run.ranks.raise_together():
        members = divide_members(run.config, labelled, run_directories(run.config))
        first = plan_member(members[0], run.pretrained, run.options)
    if run.state == "failed":
        _replay(run, members)
        return
    warn_of_coverage(run.config, [labelled])
    training = with_batch_size(first, run.ranks).config.training
    members = with_batch_size_of(members, training)
    run = run.with_training(dataclasses.replace(run.config.training, batch_size=training.batch_size))
    with run.ranks.raise_together():
        run.begin(labelled.split, results)
    trained = fit_members(members, run.pretrained, run)
    if run.ranks.is_first:
        _write(run, labelled, trained)


def _plan_saving(run: Run[TrainConfig], directory: Path, digest: str) -> SavingPlan:
    """Plan how a member is saved and resumed; the directory of one without a checkpoint is removed."""
    state: State = "saved" if (directory / LAST_CHECKPOINT).exists() else "unsaved"
    saving = saving_plan(run.config, state, digest, directory)
    if run.ranks.is_first and state == "unsaved":
        shutil.rmtree(directory, ignore_errors=True)
    return saving


def _replay(run: Run[TrainConfig], members: list[NetworkMember]) -> None:
    (member,) = (member for member in members if member.config.output.output_dir == failed_directory(run.config))
    plan = plan_member(member, run.pretrained, run.options)
    replay(run.config, build_module(plan), plan.batch_source, run.ranks)


def _write(run: Run[TrainConfig], labelled: LabelledStudy, trained: list[TrainedMember]) -> None:
    """Write the ensemble, its metrics and its predictions."""
    output = run.directory
    model, description, left_out = calibrate_ensemble(run.config, labelled, trained)
    description = dataclasses.replace(description, sketch=KmerSketch.of(labelled.study))
    with saving_elsewhere_on_failure(model, description):
        _write_left_out(output / LEFT_OUT, labelled, trained, left_out)
        options = PredictOptions(Cache(run.config.study.cache_dir), description.depth)
        metrics = validate(run.config, predictor_of(copy.deepcopy(model), description, options), labelled)
        metrics |= {name: [member.description.metrics[name] for member in trained] for name in ("epochs", "best_epoch")}
        write_metrics(output, metrics)
        save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _write_left_out(path: Path, labelled: LabelledStudy, trained: list[TrainedMember], left_out: LeftOut) -> None:
    indices = np.sort(np.concatenate([trained_member.member.left_out for trained_member in trained]))
    sample_ids = labelled.study.select_samples(indices).sample_ids
    columns = prediction_columns(labelled.target, sample_ids, left_out.predicted.values)
    numbers = {"member": left_out.members + 1}
    write_tsv(
        path, {**columns, **left_out.predicted.columns, **numbers, **truth_columns(labelled.target, left_out.truth)}
    )


def _training_vectors(trained: TrainedMember, predictor: NetworkPredictor, seed: int) -> np.ndarray:
    """Return the vectors of a member's training samples, at most `MOST_COMPARED`, float32 [n, D]."""
    labelled = trained.member.labelled
    indices = labelled.training
    if len(indices) > MOST_COMPARED:
        indices = np.sort(generator(seed, "compared").choice(indices, MOST_COMPARED, replace=False))
    return predictor.embed(labelled.study.select_samples(indices)).astype(np.float32)


def _left_out(
    labelled: LabelledStudy,
    trained: Sequence[TrainedMember],
    predictors: Sequence[NetworkPredictor],
    ensemble: NetworkEnsemble,
) -> LeftOut:
    """Predict the samples that each member left out, and return them in the order of the study."""
    samples, target = labelled.samples, labelled.target
    predictions, distances, numbers = [], [], []
    for number, (of_member, predictor) in enumerate(zip(trained, predictors, strict=True)):
        assert of_member.description.target is not None, "a member has a target"
        left_out = samples.select(of_member.member.left_out)
        predicted, vectors = predictor.predict_with_vectors(left_out.study, left_out.metadata)
        predictions.append(predicted.in_all_classes(of_member.description.target.classes, target.classes))
        distances.append(ensemble.distances(number, vectors))
        numbers.append(np.full(left_out.study.n_samples, number))
    indices = np.concatenate([of_member.member.left_out for of_member in trained])
    order = np.argsort(indices)
    in_order = samples.select(indices[order])
    return LeftOut(
        predicted=Predictions.concatenate(predictions).select(order),
        truth=encode_columns(target, in_order.values),
        head_inputs=head_inputs_of(target, labelled.covariates, in_order.columns, len(order)),
        groups=in_order.groups,
        members=np.concatenate(numbers)[order],
        distances=np.concatenate(distances)[order],
    )
