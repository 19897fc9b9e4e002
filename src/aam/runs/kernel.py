"""Training of the kernel head: the choice between it and a network, and its fit."""

import copy
import dataclasses
import logging
from typing import Literal

from aam.config.base import changed_flags
from aam.config.commands import LearningConfig, TrainConfig
from aam.config.model import ModelConfig
from aam.config.options import fields_of_any_head
from aam.data.rarefaction import fixed_rarefaction
from aam.data.read_checks import warn_of_cut
from aam.data.study import Study
from aam.errors import ConfigError, name_some
from aam.inference.description import ModelDescription
from aam.inference.kernel import KernelModel, PretrainedVectors, to_kernel_units
from aam.inference.model_directory import save_model
from aam.inference.network import PredictOptions
from aam.inference.new_samples import training_samples
from aam.inference.predictor import predictor_of
from aam.kernels.fitting import fit_kernel_head, n_groups_left_out
from aam.kernels.head import KernelHead, KernelInputs
from aam.kernels.known_asvs import MINIMUM_PREVALENCE
from aam.labels.labelled import LabelledStudy
from aam.labels.target import TargetState
from aam.runs.pretrained import SHAPE, Pretrained
from aam.runs.resources import read_given_tree
from aam.runs.results import summarise, validate, write_metrics, write_splits
from aam.runs.resume import Run
from aam.storage.cache import Cache
from aam.storage.output import start_output_directory
from aam.uncertainty import warn_of_few_groups

logger = logging.getLogger(__name__)


MOST_SAMPLES_OF_AUTO = 1000
"""Most samples with a value for which ``--head auto`` chooses the kernel head."""

MOST_SAMPLES = 10_000
"""Most samples of a kernel head; kernels between all pairs of more would take too much memory."""


def choose_head(config: LearningConfig, n_samples: int) -> Literal["kernel", "network"]:
    """Return the head for so many samples with a value, and warn of options that have no effect on it.

    Raises
    ------
    ConfigError
        ``--head kernel`` was passed, and there are too many samples or columns for it.
    """
    asked, n_columns = config.head.head, len(config.label.metadata_column)
    if asked == "kernel" and n_columns > 1:
        raise ConfigError(
            f"--head kernel learns one column, and --metadata-column has {n_columns}: pass them one at a time, or --head network."
        )
    if asked == "kernel" and n_samples > MOST_SAMPLES:
        raise ConfigError(
            f"--head kernel compares all pairs of samples, which takes too much memory for {n_samples:,}: at most "
            f"{MOST_SAMPLES:,}. Pass --head network."
        )
    of_network = bool(config.covariates.columns) or config.head.ensemble is not None
    is_small = n_samples <= MOST_SAMPLES_OF_AUTO and n_columns == 1 and not of_network
    chosen = asked if asked != "auto" else "kernel" if is_small else "network"
    if asked == "auto" and config.head.ensemble is not None:
        logger.info("Head: network, of which --ensemble trains several.")
    elif asked == "auto" and config.covariates.columns:
        logger.info("Head: network, as it alone reads %s.", name_some(config.covariates.columns))
    elif asked == "auto" and n_columns > 1:
        logger.info(
            "Head: network, which learns %d columns at once. The kernel head learns one at a time, and is the better choice for up "
            "to %d samples.", n_columns, MOST_SAMPLES_OF_AUTO,
        )  # fmt: skip
    elif asked == "auto":
        other = {"kernel": "network", "network": "kernel"}[chosen]
        logger.info("Head: %s, as %d samples have a value (--head %s for the other).", chosen, n_samples, other)
    if chosen == "kernel" and config.target.task == "ordinal":
        logger.warning(
            "The kernel head learns the classes of --task ordinal without their order (--head network for it)."
        )
    has_coverage = chosen == "kernel" or config.head.ensemble is not None
    ignored = _ignored(config) if chosen == "kernel" else []
    ignored += [] if has_coverage else changed_flags(config.head, ("head",))
    if ignored:
        logger.warning("Without effect on the %s head: %s.", chosen, ", ".join(ignored))
    return chosen


def _ignored(config: LearningConfig) -> list[str]:
    """Return the flags of the network's options that differ from their defaults."""
    settled = SHAPE if config.transfer.pretrained is not None else ()  # `model_config_of` warns of these
    passed_over = (*fields_of_any_head(config), *settled)
    return [flag for section in config.network_sections for flag in changed_flags(section, passed_over)]


def kernel_inputs(config: LearningConfig, study: Study, pretrained: Pretrained | None) -> KernelInputs:
    """Open what a kernel head reads beside the counts: tree, vectors of samples, coverage and rarefaction.

    Raises
    ------
    TreeError
        ``--tree`` is malformed or does not fit the study.
    """
    tree = None if config.distance.tree is None else read_given_tree(config, study)
    vectors = None
    if pretrained is not None:
        encoder, description = pretrained
        options = PredictOptions(Cache(config.study.cache_dir))
        vectors = PretrainedVectors(copy.deepcopy(encoder), description, options)
    rarefaction = fixed_rarefaction(config.sampling, config.training.seed)
    return KernelInputs(tree, vectors, config.head.coverage, rarefaction)


def read_by_kernel(study: Study, max_bp: int | None) -> Study:
    """Return a study as the kernel head reads it: whole sequences, unless ``--max-bp`` is given.

    Parameters
    ----------
    study
        The study, of sequences cut to any length.
    max_bp
        The option, whose default is of the network alone; None if there is no such option.
    """
    default = ModelConfig().max_bp
    if max_bp is not None and max_bp != default:
        study = study.cut(max_bp)
        warn_of_cut(study)
        return study
    return study.cut(max(default, int(study.tokens.lengths.max(initial=1))))


def train_kernel_head(run: Run[TrainConfig], labelled: LabelledStudy, written: list[str]) -> None:
    """Fit, validate and save a kernel head.

    Parameters
    ----------
    run
        The run; its pre-trained encoder, if it has one, computes the vectors of the deep member.
    labelled
        Samples to train on and to validate.
    written
        Names of what an earlier run may have left in the output directory.
    """
    config, output = run.config, run.directory
    assert isinstance(labelled.target, TargetState), "the kernel head learns one column"
    study = read_by_kernel(labelled.study, run.user_config.model.max_bp)  # the encoder may read fewer
    target = dataclasses.replace(labelled.target, scaled_by=None)  # of the network
    labelled = dataclasses.replace(labelled, samples=dataclasses.replace(labelled.samples, study=study), target=target)
    learned = to_kernel_units(target, labelled.truth, labelled.head_inputs)
    inputs = kernel_inputs(config, study, run.pretrained)
    warn_of_few_groups(n_groups_left_out(labelled.samples.groups[labelled.training]), config.head.coverage)
    head = fit_kernel_head(study, labelled.training, target, learned, labelled.samples.groups, inputs)
    _log_members(head)
    model = KernelModel.of(head, None if run.pretrained is None else run.pretrained[0])
    description = _describe(run, labelled, model)
    start_output_directory(config, written)
    write_splits(output / "splits.tsv", labelled.split)
    predictor = predictor_of(copy.deepcopy(model), description, PredictOptions(Cache(config.study.cache_dir)))
    metrics = validate(config, predictor, labelled)
    write_metrics(output, metrics)
    samples = training_samples(labelled, description)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics, samples=samples))
    logger.info("Validation of %s: %s.", target.column, summarise(metrics, target))
    logger.info("Model: %s", output / "model")


def _describe(run: Run[TrainConfig], labelled: LabelledStudy, model: KernelModel) -> ModelDescription:
    fitted = {
        "study_digest": labelled.study.digest(),
        "target": labelled.target,
        "options": run.options,
        "head": model.info,
        "sketch": None,
    }
    if run.pretrained is not None:
        return dataclasses.replace(run.pretrained[1], metrics={}, **fitted)
    limit, seed = run.config.sampling.token_limit, run.config.training.seed
    return ModelDescription(run.config.model, objectives=(), depth=None, token_limit=limit, seed=seed, **fitted)


def _log_members(head: KernelHead) -> None:
    logger.info("%d ASVs are in at least %d training samples.", len(head.known), MINIMUM_PREVALENCE)
    for member in head.members:
        penalty = "" if member.penalty is None else f", penalty {member.penalty:.3g}"
        logger.info(
            "Member %s: weight %.2f%s, cross-validated loss %.4g.", member.name, member.weight, penalty, member.loss
        )
