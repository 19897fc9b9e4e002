"""The size of a new model's vectors, set from data before the first step."""

from collections.abc import Iterable

import torch

from aam.batch import Batch
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor

CALIBRATION_SAMPLES = 32
"""Training samples that are enough to set sizes."""


@torch.no_grad()
def calibrate_encoder(model: SequenceEncoder, batch: Batch) -> None:
    """Standardise a new model's ASV vectors, and give its sample vectors and heads the sizes that the objectives ask for.

    Without it, the first hundreds of steps only stretch the vectors. Where no objective asks for a size, sample vectors keep
    theirs. Includes `calibrate_objectives` for all heads.
    """
    model.eval()
    model.sample_encoder.standardise.fit(model.asv_vectors(batch))
    encoding = model(batch)
    asked = [objective.vector_scale(encoding, batch) for objective in model.active_objectives().values()]
    factors = [factor for factor in asked if factor is not None]
    if factors:
        model.scale.mul_(factors[0])
    calibrate_objectives(model, batch, model.active_objectives())


@torch.no_grad()
def calibrate_objectives(model: SequenceEncoder, batch: Batch, names: Iterable[str]) -> None:
    """Set the sizes of new heads, by their names, on a model whose vectors have theirs."""
    encoding = model.eval()(batch)
    for name in names:
        model.active_objectives()[name].calibrate(encoding, batch)


@torch.no_grad()
def calibrate_head(model: SequencePredictor, batch: Batch) -> None:
    """Standardise what a new target's head reads, and before that what the metadata meet."""
    samples = model.eval()(batch).samples
    if model.conditioning is not None:
        model.conditioning.standardise.fit(model.microbial_features(samples))
    model.target.calibrate_head(model.target_features(samples, batch))
