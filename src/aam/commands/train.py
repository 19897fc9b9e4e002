"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging

import numpy as np

from aam.config.commands import TrainConfig
from aam.config.saving import MEMBERS
from aam.data.orientation import KmerSketch
from aam.data.rarefaction import choose_depth, fixed_rarefaction
from aam.data.read_checks import warn_of_cut
from aam.distributed.ranks import process_group
from aam.errors import ConfigError
from aam.inference.model_directory import save_model
from aam.inference.network import PredictOptions
from aam.inference.new_samples import training_samples
from aam.inference.predictor import predictor_of
from aam.labels.groups import warn_of_depth
from aam.labels.labelled import LabelledStudy, LabelledTable, divide, read_labelled
from aam.labels.target import parts_of
from aam.runs.ensemble import LEFT_OUT, train_ensemble
from aam.runs.kernel import choose_head, train_kernel_head
from aam.runs.plan import RunPlan, plan_run, train_run
from aam.runs.resources import warn_of_off_target
from aam.runs.results import summarise, validate, write_metrics
from aam.runs.resume import Run, open_run, refuse_saved_network, saving_elsewhere_on_failure
from aam.storage.cache import Cache
from aam.storage.output import remove_results
from aam.training.fit import WRITTEN, FitSummary

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv", LEFT_OUT, MEMBERS)


def train(config: TrainConfig) -> None:
    """Run ``aam train``."""
    with process_group(config) as ranks:
        run = open_run(config, config.transfer.pretrained, ranks)
        if run.state == "finished":
            return
        with ranks.raise_together():
            table = read_labelled(run.config, run.config.model.max_bp)
            warn_of_off_target(run.config.taxonomy.taxonomy, table.study)
            head = choose_head(run.config, table.study.n_samples)
            if head == "kernel":
                _check_kernel_run(run)
        if head == "kernel":
            _train_kernel(run, table)
        else:
            _train_network(run, table)


def _check_kernel_run(run: Run[TrainConfig]) -> None:
    refuse_saved_network(run.config, run.state)
    if run.ranks.process.n_ranks > 1:
        raise ConfigError(
            "The kernel head is fitted in one process, and needs no more: leave out --devices (and torchrun or srun), or "
            "pass --head network."
        )


def _train_kernel(run: Run[TrainConfig], table: LabelledTable) -> None:
    config = run.config
    if run.state == "unsaved":
        remove_results(run.directory, [*WRITTEN, *RESULTS])
    rarefaction = fixed_rarefaction(config.sampling, config.training.seed)
    without_losses = dataclasses.replace(table, losses={})  # options of the network alone
    labelled = divide(config, without_losses, None if rarefaction is None else rarefaction.depth)
    if rarefaction is None:
        _warn_of_depth(labelled)
    train_kernel_head(run, labelled, [*WRITTEN, *RESULTS])


def _warn_of_depth(labelled: LabelledStudy) -> None:
    truths = labelled.truth.reshape(len(labelled.truth), -1).T
    for part, truth in zip(parts_of(labelled.target), truths, strict=True):
        has_value = ~np.isnan(truth)
        warn_of_depth(part.column, labelled.study.depths[has_value], truth[has_value], part.task)


def _train_network(run: Run[TrainConfig], table: LabelledTable) -> None:
    ranks = run.ranks
    with ranks.raise_together():
        warn_of_cut(table.study)
        depth = choose_depth(run.config.sampling.rarefy_depth, table.study)
        labelled = divide(run.config, table, depth)
        if depth is None:
            _warn_of_depth(labelled)
    if run.config.head.ensemble is not None:
        train_ensemble(run, labelled, RESULTS)
        return
    with ranks.raise_together():
        plan = plan_run(run.config, labelled, run.pretrained, run.options)
    trained = train_run(run, plan, labelled.split, RESULTS)
    if trained is not None and ranks.is_first:
        plan, _, summary = trained
        _write(run, plan, labelled, summary)


def _write(run: Run[TrainConfig], plan: RunPlan, labelled: LabelledStudy, summary: FitSummary) -> None:
    """Write the model, its metrics and its validation predictions."""
    output, options = run.directory, PredictOptions(Cache(run.config.study.cache_dir))
    with saving_elsewhere_on_failure(plan.model, plan.description):
        predictor = predictor_of(copy.deepcopy(plan.model), plan.description, options)
        metrics = validate(run.config, predictor, labelled)
        metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
        write_metrics(output, metrics)
        fitted = {"samples": training_samples(labelled, plan.description), "sketch": KmerSketch.of(labelled.study)}
        save_model(output / "model", plan.model, dataclasses.replace(plan.describe_trained(metrics), **fitted))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")
