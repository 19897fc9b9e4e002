"""Models with random weights, built from their descriptions."""

import dataclasses

from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.target import NO_LOSSES, Losses, NetworkHeadConfig
from aam.inference.description import DEFAULT_HEAD, ModelDescription
from aam.inference.ensemble import NetworkEnsemble
from aam.inference.kernel import KernelModel
from aam.labels.covariates import Covariates
from aam.labels.target import AnyTarget, JointTarget, TargetState, parts_of
from aam.models.build import build_covariates, build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.nn.covariates import CovariateConditioning, CovariateShape
from aam.objectives.target import ClassificationTarget, RegressionTarget, Target, TargetStatistics
from aam.objectives.target_kinds import JointRegression, OrdinalTarget

AnyModel = SequenceEncoder | SequencePredictor | KernelModel | NetworkEnsemble
"""A model of any kind that a model directory can hold."""


def build_model(description: ModelDescription) -> AnyModel:
    """Build the model of a description, with random weights; an ensemble has no members yet."""
    if description.ensemble is not None:
        return NetworkEnsemble(description.ensemble)
    if description.head is not None and not description.head["has_encoder"]:
        return KernelModel(description.head, None)
    base = build_encoder(description.model, description.objectives, description.objective_settings)
    if description.head is not None:
        return KernelModel(description.head, base)
    if description.target is None:
        return base
    target = build_target(description.model, description.target, description.network_head, description.column_losses)
    conditioning = build_covariate_conditioning(
        description.model, description.covariates, description.covariates_config
    )
    return build_predictor(base, target, (), conditioning=conditioning)


def build_target(
    config: ModelConfig, target: AnyTarget, options: NetworkHeadConfig = DEFAULT_HEAD, losses: Losses = NO_LOSSES
) -> Target:
    """Build a network's head for a target.

    Parameters
    ----------
    config
        Shape of the network.
    target
        The target, fitted on the training samples.
    options
        Options of the head.
    losses
        Options of the loss by column, for columns that differ from ``options``.

    Returns
    -------
    Target
        The head, with random weights; a `JointRegression` for several columns.
    """
    heads = []
    for part in parts_of(target):
        if part.task == "regression":
            numbers = losses.get(part.column, options.numbers)
            of_column = dataclasses.replace(options, numbers=numbers)
            heads.append(RegressionTarget(config, part.column, part.transform, of_column, _statistics(part)))
    if isinstance(target, JointTarget):
        return JointRegression(heads, [losses[name].weight if name in losses else 1.0 for name in target.columns])
    if heads:
        return heads[0]
    kind = OrdinalTarget if target.task == "ordinal" else ClassificationTarget
    return kind(config, target.column, target.classes, options, _statistics(target))


def build_covariate_conditioning(
    config: ModelConfig, covariates: Covariates, options: CovariatesConfig
) -> CovariateConditioning | None:
    """Build the part of a network that reads covariates.

    Parameters
    ----------
    config
        Shape of the network.
    covariates
        Covariates, fitted on the training samples.
    options
        Options of the covariates.

    Returns
    -------
    CovariateConditioning | None
        The module, with random weights; None without covariates.
    """
    number_of = {column.column: number for number, column in enumerate(covariates.categories)}
    shape = CovariateShape(
        sizes=[len(column.known.names) for column in covariates.categories],
        parents=[-1 if column.parent is None else number_of[column.parent] for column in covariates.categories],
        n_numbers=len(covariates.numbers),
    )
    return build_covariates(config, shape, options)


def _statistics(target: TargetState) -> TargetStatistics:
    return TargetStatistics(
        guess=None if isinstance(target.guess, str) else float(target.guess),
        bounds=target.bounds,
        class_weights=target.class_weights,
        n_scaled=0 if target.scaled_by is None else len(target.scaled_by.names),
    )


def n_weights(model: AnyModel) -> int:
    """Count the weights of a model; of an ensemble, those of all members."""
    networks = model.members if isinstance(model, NetworkEnsemble) else [model]
    return sum(weight.numel() for network in networks for weight in network.parameters())
