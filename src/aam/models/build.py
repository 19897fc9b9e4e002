"""Models from their description; nothing else builds objectives by their names in the table."""

from collections.abc import Mapping, Sequence

from aam.config.base import load
from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.objectives import OBJECTIVES
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.nn.covariates import CovariateConditioning, CovariateShape
from aam.objectives.objective import Objective, Settings, UnlabelledObjective
from aam.objectives.target import N_SOURCES, Target

NO_SETTINGS: Mapping[str, Settings] = {}


def class_of(name: str) -> type[UnlabelledObjective]:
    """Return the class of an objective that needs no labels, by its name in `OBJECTIVES`."""
    return load(OBJECTIVES[name].path)


def build_objectives(
    config: ModelConfig, names: Sequence[str], settings: Mapping[str, Settings] = NO_SETTINGS
) -> dict[str, UnlabelledObjective]:
    """Return objectives by name; ``settings`` are by name, as `UnlabelledObjective.choose_settings` returned them."""
    return {name: class_of(name).build(config, name, settings.get(name, {})) for name in names}


def build_encoder(
    config: ModelConfig, objectives: Sequence[str], settings: Mapping[str, Settings] = NO_SETTINGS
) -> SequenceEncoder:
    """Return a new `SequenceEncoder` with the objectives named."""
    return SequenceEncoder(config, build_objectives(config, objectives, settings))


def build_covariates(
    config: ModelConfig, shape: CovariateShape, options: CovariatesConfig
) -> CovariateConditioning | None:
    """Return a new layer that brings covariates to the target's head; None without any covariate."""
    if not shape.n_vectors:
        return None
    return CovariateConditioning(config, N_SOURCES * config.embedding_dim, shape, options)


def build_predictor(
    base_model: SequenceEncoder,
    target: Target,
    objectives: Sequence[str],
    freeze_base: bool = False,
    conditioning: CovariateConditioning | None = None,
) -> SequencePredictor:
    """Return a new `SequencePredictor` on a base, with a target and further objectives of its own."""
    heads: dict[str, Objective] = {"target": target, **build_objectives(base_model.config, objectives)}
    return SequencePredictor(base_model, heads, freeze_base, conditioning)
