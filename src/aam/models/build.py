"""Models from their description: the one place that knows which objective is which class."""

from collections.abc import Callable, Sequence

from aam.config.model import ModelConfig
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.hidden_abundance import HiddenAbundance
from aam.objectives.masked_nucleotides import MaskedNucleotides
from aam.objectives.objective import Objective
from aam.objectives.sample_distance import SampleDistance
from aam.objectives.target import TargetObjective

OBJECTIVES: dict[str, Callable[[ModelConfig], Objective]] = {
    "distance": lambda config: SampleDistance(),
    "nucleotides": MaskedNucleotides,
    "counts": lambda config: HiddenAbundance(config.embedding_dim),
}
"""Objectives that need no labels, by the name they have in logs and in ``config.json``."""


def build_encoder(config: ModelConfig, objectives: Sequence[str]) -> SequenceEncoder:
    """Build a `SequenceEncoder` with the objectives named."""
    return SequenceEncoder(config, {name: OBJECTIVES[name](config) for name in objectives})


def build_predictor(
    base_model: SequenceEncoder, target: TargetObjective, objectives: Sequence[str], freeze_base: bool = False
) -> SequencePredictor:
    """Build a `SequencePredictor` on a base, with a target and further objectives of its own."""
    heads: dict[str, Objective] = {"target": target}
    heads |= {name: OBJECTIVES[name](base_model.config) for name in objectives}
    return SequencePredictor(base_model, heads, freeze_base)
