"""The size of sample vectors before training: that of the distances they are to reproduce."""

import torch

from aam.batch import Batch
from aam.models.sequence_encoder import SequenceEncoder
from aam.objectives.sample_distance import TARGET, SampleDistance

CALIBRATION_SAMPLES = 16
"""Training samples that are enough to set the size of the sample vectors."""


@torch.no_grad()
def calibrate_distances(model: SequenceEncoder, batch: Batch) -> None:
    """Scale a new model's sample vectors so that their mean distance over a batch is the mean true distance.

    An initialisation from data (Salimans & Kingma 2016): without it, the first hundreds of steps only stretch the vectors. Does
    nothing where the batch has no distances, or no two samples that differ.
    """
    if TARGET not in batch.targets:
        return
    was_training = model.training
    predicted, truth = SampleDistance().scored(SampleDistance()(model.eval()(batch), batch), batch)
    model.train(was_training)
    if len(truth) and predicted.mean() > 0 and truth.mean() > 0:
        model.scale.mul_(truth.mean() / predicted.mean())
