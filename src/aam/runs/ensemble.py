"""The networks of an ensemble: divided, trained one after another, and calibrated on what each was trained without."""

import copy
import dataclasses
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from aam.config.base import flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.saving import LAST_CHECKPOINT
from aam.data.rarefaction import generator
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.errors import SplitError
from aam.inference.description import ModelDescription
from aam.inference.ensemble import EnsemblePredictor, LeftOut, NetworkEnsemble, calibrate
from aam.inference.model_directory import save_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import write_tsv
from aam.labels.labelled import EXCLUDED, LabelledStudy, fit_labels
from aam.labels.predicted import Predicted
from aam.labels.splits import TRAIN, VALIDATION, fold_numbers
from aam.labels.target import TargetState
from aam.labels.task import encode_columns, stratum_of
from aam.labels.weights import weigh_classes
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.notices import quiet
from aam.runs.batch_plan import schedule_batches
from aam.runs.plan import PlannedNetwork, build_module, fit_network, plan_network, with_batch_size
from aam.runs.pretrained import Pretrained
from aam.runs.replay import replay
from aam.runs.results import prediction_columns, score, summarise, truth_columns, write_metrics, write_splits
from aam.runs.resume import (
    State,
    failed_place,
    run_directories,
    saving_elsewhere_on_failure,
    saving_plan,
    start_or_continue,
)
from aam.storage.cache import Cache
from aam.training.saving import SavingPlan
from aam.uncertainty import warn_of_few_groups

logger = logging.getLogger(__name__)


MOST_COMPARED = 10_000
"""Training samples of a member whose vectors are kept to compare new samples with; of more, some are drawn."""


@dataclass(frozen=True)
class NetworkMember:
    """A network of an ensemble, to be trained.

    Attributes
    ----------
    config
        With a seed and a directory of its own.
    labelled
        What it is trained on, and validated: the part that it is trained without.
    """

    config: TrainConfig
    labelled: LabelledStudy

    def rows(self, part: str) -> np.ndarray:
        """Give the rows of the pool in a part."""
        return np.flatnonzero(self.labelled.parts == part)

    def plan(self, shape: ModelConfig, encoder: SequenceEncoder | None) -> PlannedNetwork:
        """Build it; nothing is written yet."""
        return plan_network(self.config, shape, encoder, self.labelled)


@dataclass(frozen=True)
class TrainedMember:
    """A network of an ensemble with its weights."""

    member: NetworkMember
    model: SequencePredictor
    description: ModelDescription


def divide_members(config: TrainConfig, labelled: LabelledStudy, places: Sequence[Path]) -> list[NetworkMember]:
    """Divide the training samples into as many parts as there are members, alike in target and of whole groups.

    Everything that is learned from a member's samples is learned without the part that it leaves out.

    Parameters
    ----------
    config
        Of the run.
    labelled
        Its samples.
    places
        Directory of each member.

    Raises
    ------
    SplitError, MetadataError
        There are too few groups, or a part leaves too little to train on.
    """
    pool, n_members, seed = labelled.pool, len(places), config.training.seed
    rows = np.flatnonzero(labelled.parts == TRAIN)
    groups = pool.groups[rows]
    n_groups = len(np.unique(groups))
    if min(n_groups, len(rows) // 2) < n_members:
        raise SplitError(
            f"--ensemble {n_members} is too many for {len(rows):,} training samples of {n_groups:,} groups: each network leaves "
            "out whole groups, and at least 2 samples. Choose fewer."
        )
    number = fold_numbers(groups, stratum_of(pool.values.iloc[rows], pool.task, config.target), n_members, seed)
    logger.info(
        "Ensemble of %d networks, each of which leaves out a part of the training samples to validate:", n_members
    )
    members = []
    for k, place in enumerate(places):
        parts = np.full(pool.study.n_samples, EXCLUDED, dtype=f"<U{len(VALIDATION)}")
        parts[rows] = np.where(number == k, VALIDATION, TRAIN)
        own = int(generator(seed, "member", k).integers(2**31))
        its_config = dataclasses.replace(
            config,
            training=dataclasses.replace(config.training, seed=own),
            output=dataclasses.replace(config.output, output_dir=place),
        )
        members.append(NetworkMember(its_config, fit_labels(its_config, pool, parts)))
    return members


def warn_of_coverage(config: TrainConfig, studies: Iterable[LabelledStudy]) -> None:
    """Say if any of several studies to train on, or a column of it, has too few groups for the coverage."""
    n_groups = [
        len(np.unique(labelled.pool.groups[(labelled.parts == TRAIN) & is_known]))
        for labelled in studies
        for is_known in labelled.pool.values.notna().to_numpy().T
    ]
    warn_of_few_groups(min(n_groups), config.head.coverage)


def with_batch_size_of(
    members: Sequence[NetworkMember], batch_size: int | Literal["auto"] | None
) -> list[NetworkMember]:
    """Let all members have the number of samples in a batch that was found for one of them."""
    return [
        dataclasses.replace(
            member,
            config=dataclasses.replace(
                member.config, training=dataclasses.replace(member.config.training, batch_size=batch_size)
            ),
        )
        for member in members
    ]


def fit_members(
    members: Sequence[NetworkMember],
    shape: ModelConfig,
    encoder: SequenceEncoder | None,
    plan_saving: Callable[[Path, str], SavingPlan | None] = lambda place, digest: None,
    ranks: Ranks = SINGLE_PROCESS,
) -> list[TrainedMember]:
    """Train one network after another.

    Parameters
    ----------
    members
        What is trained.
    shape, encoder
        Of the networks, and what they begin with.
    plan_saving
        Says how the network in a directory, trained on the study of a digest, is saved, and where it goes on.
    ranks
        Who trains together, each member in its turn.
    """
    trained = []
    for number, member in enumerate(members):
        place = member.config.output.output_dir
        with ranks.raise_together():
            logger.info("Network %d of %d, in %s.", number + 1, len(members), place)
            network = member.plan(shape, encoder)
            batches = schedule_batches(network.batch_source, network.training)
            plan = plan_saving(place, network.description.study_digest)
            if ranks.is_first:
                place.mkdir(parents=True, exist_ok=True)
        summary = fit_network(network, batches, place, plan, ranks)
        metrics = {**summary.metrics, "epochs": summary.epochs, "best_epoch": summary.best_epoch}
        options = network.description.options | flatten(network.training)
        description = dataclasses.replace(network.description, metrics=metrics, options=options)
        trained.append(TrainedMember(member, network.model, description))
    return trained


def bring_together(
    config: TrainConfig, labelled: LabelledStudy, trained: Sequence[TrainedMember]
) -> tuple[NetworkEnsemble, ModelDescription, LeftOut]:
    """Calibrate trained members on the samples that each was trained without.

    Returns
    -------
    The ensemble, what it is, and what was said of those samples.
    """
    target = labelled.target
    if isinstance(target, TargetState):
        truth = labelled.truth[~labelled.held]
        with quiet():
            target = weigh_classes(target, truth, config.network_head.classes.class_weights)
    reading = PredictOptions(labelled.depth, Cache(config.study.cache_dir))
    readers = [NetworkPredictor(copy.deepcopy(each.model), each.description, reading) for each in trained]
    vectors = [
        _training_vectors(each, reader, config.training.seed) for each, reader in zip(trained, readers, strict=True)
    ]
    models = [each.model for each in trained]
    uncalibrated = NetworkEnsemble.of({}, models, vectors)
    with quiet():
        left_out = _left_out(labelled, trained, readers, uncalibrated)
    weights = target.class_weights if isinstance(target, TargetState) else ()
    calibration = calibrate(target, left_out, weights, config.head.coverage)
    model = NetworkEnsemble.of({"calibration": calibration.to_dict()}, models, vectors)
    description = dataclasses.replace(
        trained[0].description,
        seed=config.training.seed,
        study_digest=labelled.study.digest(),
        target=target,
        conditions=labelled.conditions,
        options=flatten(config),
        metrics={},
        ensemble=model.info,
        members=tuple(each.description for each in trained),
    )
    return model, description, left_out


def predict_held(
    config: TrainConfig, labelled: LabelledStudy, model: NetworkEnsemble, description: ModelDescription
) -> Predicted:
    """Predict the validation samples of a run, which no member has seen, as ``aam predict`` does."""
    rows = labelled.rows[labelled.held]
    reader = ensemble_predictor(config, model, description, description.depth)
    return reader.predicted(labelled.pool.study.select_samples(rows), head_inputs_of_members(labelled, reader, rows))


def ensemble_predictor(
    config: TrainConfig, model: NetworkEnsemble, description: ModelDescription, depth: int | None
) -> EnsemblePredictor:
    """Read samples with an ensemble, whose own weights stay in the precision that they have."""
    return EnsemblePredictor(copy.deepcopy(model), description, PredictOptions(depth, Cache(config.study.cache_dir)))


def head_inputs_of_members(
    labelled: LabelledStudy, reader: EnsemblePredictor, rows: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Give what the ensemble and each member must know of rows of the pool beside their reads."""
    with quiet():
        return [
            dict(labelled.pool.head_inputs(one.target, one.conditions, rows))
            for one in reader.descriptions
            if one.target is not None
        ]


def _training_vectors(trained: TrainedMember, reader: NetworkPredictor, seed: int) -> np.ndarray:
    rows = trained.member.rows(TRAIN)
    if len(rows) > MOST_COMPARED:
        rows = np.sort(generator(seed, "compared").choice(rows, MOST_COMPARED, replace=False))
    study = trained.member.labelled.pool.study
    return reader.sample_vectors(study.select_samples(rows)).astype(np.float32)


def _left_out(
    labelled: LabelledStudy,
    trained: Sequence[TrainedMember],
    readers: Sequence[NetworkPredictor],
    ensemble: NetworkEnsemble,
) -> LeftOut:
    """Let each member say what it thinks of the part that it was trained without."""
    pool, target = labelled.pool, labelled.target
    rows, said, distances, numbers = [], [], [], []
    for number, (each, reader) in enumerate(zip(trained, readers, strict=True)):
        own, its = each.member.rows(VALIDATION), each.description
        assert its.target is not None, "a member has a target"
        study = pool.study.select_samples(own)
        predicted, vectors = reader.predicted_with_vectors(study, pool.head_inputs(its.target, its.conditions, own))
        rows.append(own)
        said.append(predicted.in_all_classes(its.target.classes, target.classes))
        distances.append(ensemble.distances(number, vectors))
        numbers.append(np.full(len(own), number))
    places = np.concatenate(rows)
    order = np.argsort(places)
    rows_in_order = places[order]
    return LeftOut(
        predicted=Predicted.joined(said).rows(order),
        truth=encode_columns(target, pool.values.iloc[rows_in_order]),
        head_inputs=pool.head_inputs(target, labelled.conditions, rows_in_order),
        groups=pool.groups[rows_in_order],
        members=np.concatenate(numbers)[order],
        distances=np.concatenate(distances)[order],
    )


LEFT_OUT = "out_of_fold_predictions.tsv"
"""What each network says of the samples that it was trained without."""


def train_ensemble(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: Pretrained | None,
    labelled: LabelledStudy,
    state: State,
    written: list[str],
    ranks: Ranks,
) -> None:
    """Train the members one after another, calibrate, validate and save them.

    Parameters
    ----------
    config, shape
        What the user asked for, and what a pre-trained model made of it.
    pretrained
        What all members begin with, if anything.
    labelled
        Samples to train on and to validate.
    state
        Of the run.
    written
        What an earlier run may have left in the output directory.
    ranks
        Who trains together.
    """
    encoder = None if pretrained is None else pretrained[0]
    places = run_directories(config)
    with ranks.raise_together():
        members = divide_members(config, labelled, places)
        first = members[0].plan(shape, encoder)
    if state == "failed":
        _replay(dataclasses.replace(config, model=shape), members, pretrained, ranks)
        return
    warn_of_coverage(config, [labelled])
    batch_size = with_batch_size(first, ranks).training.batch_size
    members = with_batch_size_of(members, batch_size)
    settled = dataclasses.replace(
        config, model=shape, training=dataclasses.replace(config.training, batch_size=batch_size)
    )
    with ranks.raise_together():
        if ranks.is_first:
            start_or_continue(settled, state, written)
            write_splits(config.output.output_dir / "splits.tsv", labelled.pool.study.sample_ids, labelled.parts)
    trained = fit_members(members, shape, encoder, partial(_plan_saving, settled, ranks), ranks)
    if ranks.is_first:
        _write(settled, labelled, trained)


def _plan_saving(config: TrainConfig, ranks: Ranks, place: Path, digest: str) -> SavingPlan:
    """Plan how a member is saved; of one that saved nothing, remove what is there."""
    state: State = "saved" if (place / LAST_CHECKPOINT).exists() else "unsaved"
    plan = saving_plan(config, state, digest, place)
    if ranks.is_first and state == "unsaved":
        shutil.rmtree(place, ignore_errors=True)
    return plan


def _replay(config: TrainConfig, members: list[NetworkMember], pretrained: Pretrained | None, ranks: Ranks) -> None:
    (member,) = (each for each in members if each.config.output.output_dir == failed_place(config))
    network = member.plan(config.model, None if pretrained is None else pretrained[0])
    replay(config, build_module(network), network.batch_source, ranks)


def _write(config: TrainConfig, labelled: LabelledStudy, trained: list[TrainedMember]) -> None:
    """Leave the ensemble, its scores and its predictions."""
    output = config.output.output_dir
    model, description, left_out = bring_together(config, labelled, trained)
    with saving_elsewhere_on_failure(model, description):
        _write_left_out(output / LEFT_OUT, labelled, trained, left_out)
        metrics = score(config, predict_held(config, labelled, model, description), labelled)
        metrics |= {name: [each.description.metrics[name] for each in trained] for name in ("epochs", "best_epoch")}
        write_metrics(output, metrics)
        save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _write_left_out(path: Path, labelled: LabelledStudy, trained: list[TrainedMember], left_out: LeftOut) -> None:
    rows = np.sort(np.concatenate([each.member.rows(VALIDATION) for each in trained]))
    ids = labelled.pool.study.select_samples(rows).sample_ids
    columns = prediction_columns(labelled.target, ids, left_out.predicted.values)
    numbers = {"member": left_out.members + 1}
    write_tsv(
        path, {**columns, **left_out.predicted.columns, **numbers, **truth_columns(labelled.target, left_out.truth)}
    )
