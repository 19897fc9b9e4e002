"""Everything about a model but its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.target import Losses, NetworkHeadConfig
from aam.data.known_samples import KnownSamples
from aam.data.orientation import KmerSketch
from aam.labels.covariates import NO_COVARIATES, Covariates
from aam.labels.target import AnyTarget
from aam.objectives.objective import Settings

DEFAULT_HEAD, DEFAULT_COVARIATES = NetworkHeadConfig(), CovariatesConfig()


@dataclass(frozen=True)
class ModelDescription:
    """Everything about a model but its weights.

    Attributes
    ----------
    model
        Shape of the network.
    objectives
        Names of the self-supervised objectives of the `SequenceEncoder`.
    depth
        Reads drawn from each sample; None for all.
    token_limit
        Most ASVs of a sample that are read.
    seed
        Seed of the reads and ASVs that are drawn in prediction.
    study_digest
        Digest of the study that the model was trained on.
    target
        Target of one or several metadata columns; None for a pre-trained encoder.
    objective_settings
        Settings of each objective beside the shape of the network, by its name.
    options
        All options of the run, for the record.
    metrics
        Validation metrics, for the record.
    head
        Description of a kernel head (`kernel_info`); None for a network. Shape, objectives, depth, token limit and seed are then
        those of its pre-trained encoder, if it has one.
    network_head, column_losses
        Options of a network's head, and options of the loss by column, for columns that differ from them.
    covariates, covariates_config
        Metadata columns that a network reads beside the microbes, and their options.
    ensemble, members
        Description of an ensemble of networks, and those of its members; None and empty for any other model.
    samples
        Digests of the training samples; None for a pre-trained encoder, a member, and a model saved before there were any.
    sketch
        Stretches of the training sequences, to tell the orientation of new reads; None for a kernel head, which holds the
        sequences, for members of an ensemble, and for a model that was saved before there were any.
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
    covariates: Covariates = NO_COVARIATES
    covariates_config: CovariatesConfig = DEFAULT_COVARIATES
    ensemble: dict[str, Any] | None = None
    members: tuple["ModelDescription", ...] = ()
    samples: KnownSamples | None = None
    sketch: KmerSketch | None = None

    @property
    def kind(self) -> str:
        """Name of the model's class."""
        if self.head is not None:
            return "KernelModel"
        if self.ensemble is not None:
            return "NetworkEnsemble"
        return "SequenceEncoder" if self.target is None else "SequencePredictor"
