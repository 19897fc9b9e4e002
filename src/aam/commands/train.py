"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging

import numpy as np

from aam.config.base import flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.saving import MEMBERS
from aam.data.rarefaction import fixed_rarefaction, resolve_depth
from aam.distributed.ranks import Ranks, process_group
from aam.errors import ConfigError
from aam.inference.model_directory import save_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.labels.groups import warn_of_depth
from aam.labels.labelled import LabelledStudy, LabelledTable, divide, read_labelled
from aam.labels.target import parts_of
from aam.runs.batch_plan import schedule_batches
from aam.runs.ensemble import LEFT_OUT, train_ensemble
from aam.runs.kernel import choose_head, train_kernel_head
from aam.runs.plan import PlannedNetwork, build_module, fit_network, plan_network, with_batch_size
from aam.runs.pretrained import Pretrained, load_pretrained, shape_of
from aam.runs.replay import replay
from aam.runs.results import summarise, validate, write_metrics, write_splits
from aam.runs.resume import (
    State,
    refuse_saved_network,
    saving_elsewhere_on_failure,
    saving_plan,
    say_finished,
    start_or_continue,
    state_on_all_ranks,
    with_saved_batch_size,
)
from aam.storage.cache import Cache
from aam.storage.output import remove_results
from aam.training.fit import WRITTEN, FitSummary

logger = logging.getLogger(__name__)


RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv", LEFT_OUT, MEMBERS)


def train(config: TrainConfig) -> None:
    """Run the command."""
    with process_group(config) as ranks:
        state = state_on_all_ranks(config, ranks)
        with ranks.raise_together():
            config = with_saved_batch_size(config, state)
            pretrained = load_pretrained(config.transfer.pretrained)
            shape = config.model if pretrained is None else shape_of(pretrained[0], config.model)
            if state == "finished" and ranks.is_first:
                say_finished(dataclasses.replace(config, model=shape))
        if state != "finished":
            _train(config, shape, pretrained, state, ranks)


def _train(config: TrainConfig, shape: ModelConfig, pretrained: Pretrained | None, state: State, ranks: Ranks) -> None:
    with ranks.raise_together():
        samples = read_labelled(config, shape.max_bp)
        head = choose_head(config, samples.study.n_samples)
        if head == "kernel":
            refuse_saved_network(config, state)
            if ranks.process.n_ranks > 1:
                raise ConfigError(
                    "The kernel head is fitted in one process, and needs no more: leave out --devices (and torchrun or srun), or "
                    "pass --head network."
                )
    if head == "network":
        _train_network(config, shape, pretrained, samples, state, ranks)
        return
    if state == "unsaved":
        remove_results(config.output.output_dir, [*WRITTEN, *RESULTS])
    how = fixed_rarefaction(config.sampling, config.training.seed)
    unweighted = dataclasses.replace(samples, losses={})  # which are of the network
    labelled = divide(config, unweighted, None if how is None else how.depth)
    if how is None:
        _warn_of_depth(labelled)
    train_kernel_head(config, shape, pretrained, labelled, [*WRITTEN, *RESULTS])


def _warn_of_depth(labelled: LabelledStudy) -> None:
    truths = labelled.truth.reshape(len(labelled.truth), -1).T
    for part, truth in zip(parts_of(labelled.target), truths, strict=True):
        known = ~np.isnan(truth)
        warn_of_depth(part.column, labelled.study.depths[known], truth[known], part.task)


def _train_network(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: Pretrained | None,
    samples: LabelledTable,
    state: State,
    ranks: Ranks,
) -> None:
    output = config.output.output_dir
    with ranks.raise_together():
        depth = resolve_depth(config.sampling.rarefy_depth, samples.study.depths)
        labelled = divide(config, samples, depth)
        if depth is None:
            _warn_of_depth(labelled)
    if config.head.ensemble is not None:
        train_ensemble(config, shape, pretrained, labelled, state, [*WRITTEN, *RESULTS], ranks)
        return
    with ranks.raise_together():
        network = plan_network(config, shape, None if pretrained is None else pretrained[0], labelled)
    if state == "failed":
        replay(dataclasses.replace(config, model=shape), build_module(network), network.batch_source, ranks)
        return
    network = with_batch_size(network, ranks)
    settled = dataclasses.replace(config, model=shape, training=network.training)
    with ranks.raise_together():
        batches = schedule_batches(network.batch_source, network.training)
        plan = saving_plan(settled, state, network.description.study_digest)
        if ranks.is_first:
            start_or_continue(settled, state, [*WRITTEN, *RESULTS])
            write_splits(output / "splits.tsv", labelled.pool.study.sample_ids, labelled.parts)
    summary = fit_network(network, batches, output, plan, ranks)
    if ranks.is_first:
        _write(config, network, labelled, summary)


def _write(config: TrainConfig, network: PlannedNetwork, labelled: LabelledStudy, summary: FitSummary) -> None:
    """Leave the model, its scores and its predictions."""
    output = config.output.output_dir
    model, description = network.model, network.description
    reading = PredictOptions(description.depth, Cache(config.study.cache_dir))
    with saving_elsewhere_on_failure(model, description):
        metrics = validate(config, NetworkPredictor(copy.deepcopy(model), description, reading), labelled)
        metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
        write_metrics(output, metrics)
        options = description.options | flatten(network.training)
        save_model(output / "model", model, dataclasses.replace(description, metrics=metrics, options=options))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")
