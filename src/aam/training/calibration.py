"""The size of a new model's vectors, set from data before the first step."""

import torch

from aam.batch import Batch
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.sample_distance import TARGET, SampleDistance

CALIBRATION_SAMPLES = 32
"""Training samples that are enough to set sizes."""


@torch.no_grad()
def calibrate_encoder(model: SequenceEncoder, batch: Batch) -> None:
    """Standardise a new model's ASV vectors, and give its sample vectors the mean distance that the samples have.

    Without it, the first hundreds of steps only stretch the vectors. Where the batch has no distances, sample vectors keep their
    size.
    """
    model.eval()
    model.sample_encoder.standardise.fit(model.asv_vectors(batch))
    if TARGET not in batch.targets:
        return
    predicted, truth = SampleDistance().scored(SampleDistance()(model(batch), batch), batch)
    if len(truth) and predicted.mean() > 0 and truth.mean() > 0:
        model.scale.mul_(truth.mean() / predicted.mean())


@torch.no_grad()
def calibrate_head(model: SequencePredictor, batch: Batch) -> None:
    """Standardise what a new target's head reads."""
    features = model.eval()(batch).target_features
    assert features is not None, "a predictor gives its head something to read"
    model.target.standardise.fit(features)
