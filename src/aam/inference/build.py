"""Models as their descriptions say, with random weights."""

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


def build_covariate_conditioning(
    config: ModelConfig, conditions: Covariates, options: CovariatesConfig
) -> CovariateConditioning | None:
    """Build what brings columns of the metadata to the network's head; None without any."""
    place = {one.column: number for number, one in enumerate(conditions.categories)}
    shape = CovariateShape(
        sizes=[len(one.known.names) for one in conditions.categories],
        parents=[-1 if one.parent is None else place[one.parent] for one in conditions.categories],
        n_numbers=len(conditions.numbers),
    )
    return build_covariates(config, shape, options)


AnyModel = SequenceEncoder | SequencePredictor | KernelModel | NetworkEnsemble


def build_model(description: ModelDescription) -> AnyModel:
    """Build the model that a description is of, with random weights; of an ensemble, without its members."""
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
    """Build the network's head for a metadata column, or heads for several, of which some may have a loss of their own."""
    heads = []
    for part in parts_of(target):
        if part.task == "regression":
            numbers = losses.get(part.column, options.numbers)
            own = dataclasses.replace(options, numbers=numbers)
            heads.append(RegressionTarget(config, part.column, part.transform, own, _fitted(part)))
    if isinstance(target, JointTarget):
        return JointRegression(heads, [losses[name].weight if name in losses else 1.0 for name in target.columns])
    if heads:
        return heads[0]
    kind = OrdinalTarget if target.task == "ordinal" else ClassificationTarget
    return kind(config, target.column, target.classes, options, _fitted(target))


def _fitted(target: TargetState) -> TargetStatistics:
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
