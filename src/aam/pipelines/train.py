"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging

from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.data.rarefaction import resolve_depth
from aam.inference.model_directory import save_model
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.io.output_directory import remove_results
from aam.models.sequence_encoder import SequenceEncoder
from aam.pipelines.head_options import choose_head
from aam.pipelines.labelled import LabelledStudy, divide, read_labelled
from aam.pipelines.network import fit_network, load_pretrained, plan_network, shape_of
from aam.pipelines.records import summarise, write_metrics, write_splits
from aam.pipelines.resuming import (
    State,
    refuse_saved_network,
    saving_plan,
    say_finished,
    start_or_continue,
    state_of_run,
)
from aam.pipelines.train_kernel import train_kernel_head
from aam.pipelines.validation import validate
from aam.training.fit import WRITTEN

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv")


def train(config: TrainConfig) -> None:
    """Run the command."""
    state = state_of_run(config)
    pretrained = load_pretrained(config.transfer.pretrained)
    shape = config.model if pretrained is None else shape_of(pretrained[0], config.model)
    if state == "finished":
        say_finished(dataclasses.replace(config, model=shape))
        return
    samples = read_labelled(config, shape.max_bp)
    if choose_head(config, samples.study.n_samples) == "kernel":
        refuse_saved_network(config, state)
        if state == "unsaved":
            remove_results(config.output.output_dir, [*WRITTEN, *RESULTS])
        train_kernel_head(config, shape, pretrained, divide(config, samples, None), [*WRITTEN, *RESULTS])
    else:
        depth = resolve_depth(config.sampling.rarefy_depth, samples.study.depths)
        encoder = None if pretrained is None else pretrained[0]
        _train_network(config, shape, encoder, divide(config, samples, depth), state)


def _train_network(
    config: TrainConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, labelled: LabelledStudy, state: State
) -> None:
    output = config.output.output_dir
    network = plan_network(config, shape, pretrained, labelled)
    settled = dataclasses.replace(config, model=shape)
    plan = saving_plan(settled, state, network.description.study_digest)
    start_or_continue(settled, state, [*WRITTEN, *RESULTS])
    write_splits(output / "splits.tsv", labelled.split_ids, labelled.split_parts)
    summary = fit_network(network, output, plan)
    model, description = network.model, network.description
    reading = Reading(description.depth, Cache(config.study.cache_dir))
    metrics = validate(config, SampleReader(copy.deepcopy(model), description, reading), labelled)
    metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
    write_metrics(output, metrics)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")
