"""Everything about a model but its weights, and how it is built from that."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aam.config.column_loss import ColumnLossConfig
from aam.config.conditioning import ConditioningConfig
from aam.config.model import ModelConfig
from aam.config.network_head import NetworkHeadConfig
from aam.data.conditions import NO_CONDITIONS, Conditions
from aam.data.joint_target import AnyTarget, JointTarget, parts_of
from aam.data.target import TargetState
from aam.inference.conditioning import conditioning_of
from aam.inference.kernel_model import KernelModel
from aam.inference.network_ensemble import NetworkEnsemble
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.joint_target import JointRegression
from aam.objectives.ordinal_target import OrdinalTarget
from aam.objectives.target import ClassificationTarget, Fitted, RegressionTarget, Target
from aam.objectives.unlabelled import Settings

DEFAULT_HEAD, DEFAULT_CONDITIONING = NetworkHeadConfig(), ConditioningConfig()
Losses = Mapping[str, ColumnLossConfig]
NO_LOSSES: Losses = {}
AnyModel = SequenceEncoder | SequencePredictor | KernelModel | NetworkEnsemble


@dataclass(frozen=True)
class ModelDescription:
    """Everything about a model but its weights.

    Attributes
    ----------
    model
        Its shape.
    objectives
        Self-supervised objectives of the `SequenceEncoder`, by name.
    depth
        Reads drawn from each sample; None for all.
    token_limit
        Most ASVs of a sample.
    seed
        Fixes the draws of prediction.
    study_digest
        Hash of the study that it was trained on.
    target
        The metadata column or columns, None for a pre-trained encoder.
    objective_settings
        What they were built from beside the shape, by name.
    options
        All options of the run, for the record.
    metrics
        Validation metrics, for the record.
    head
        What a kernel head is, None for a network. Shape, objectives, depth, token limit and seed are then those of its pre-trained
        encoder, if it has one.
    network_head, column_losses
        What a network's head is beside its target, and what of it differs for some columns, by name.
    conditions, conditioning
        Columns of the metadata that a network reads beside the microbes, and how.
    ensemble, members
        What an ensemble of networks is beside its members, None for any other model; and they.
    """

    model: ModelConfig
    objectives: tuple[str, ...]
    depth: int | None
    token_limit: int
    seed: int
    study_digest: str
    target: AnyTarget | None = None
    objective_settings: Mapping[str, Settings] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] | None = None
    network_head: NetworkHeadConfig = DEFAULT_HEAD
    column_losses: Losses = field(default_factory=dict)
    conditions: Conditions = NO_CONDITIONS
    conditioning: ConditioningConfig = DEFAULT_CONDITIONING
    ensemble: dict[str, Any] | None = None
    members: tuple["ModelDescription", ...] = ()

    @property
    def kind(self) -> str:
        """Name of the model's class."""
        if self.head is not None:
            return "KernelModel"
        if self.ensemble is not None:
            return "NetworkEnsemble"
        return "SequenceEncoder" if self.target is None else "SequencePredictor"


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
    conditioning = conditioning_of(description.model, description.conditions, description.conditioning)
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


def _fitted(target: TargetState) -> Fitted:
    return Fitted(
        guess=None if isinstance(target.guess, str) else float(target.guess),
        bounds=target.bounds,
        class_weights=target.class_weights,
        n_scaled=0 if target.scaled_by is None else len(target.scaled_by.names),
    )
