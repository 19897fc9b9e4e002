"""The weighted sum of several objectives' losses, the scales that new weights start from, and the moving average of weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from aam.batch import Batch
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor

STEEPEST = 10.0
"""Largest absolute log-variance; without it, the weight of a loss that is always 0 would grow without bound."""


CALIBRATION_SAMPLES = 32
"""Number of training samples that suffices to calibrate a model."""

WARM_UP = 10
"""Constant of the warm-up: the average after t steps reaches back over about t / 10 steps, until the decay is reached."""


class LossBalance(nn.Module):
    """Sum losses: ``fixed`` Σ w·L, or ``uncertainty`` Σ w·(e⁻ˢ·L + s), with a log-variance s learned for each objective.

    (Kendall et al. 2018, who halve the terms of squared errors; a constant factor moves only the s at which a term rests.) At rest
    e⁻ˢ·L is 1 for every objective: each weighs by the share, not by the amount, by which its loss can fall. Log-variances are part
    of training and its checkpoints, not of the model.

    Parameters
    ----------
    weights
        Weight of each loss, by objective.
    kind
        ``fixed`` or ``uncertainty``.
    """

    def __init__(self, weights: dict[str, float], kind: str = "fixed") -> None:
        super().__init__()
        self.weights = weights
        self.is_learned = kind == "uncertainty"
        self.log_variances = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in weights} if self.is_learned else {}
        )

    @torch.no_grad()
    def calibrate(self, losses: dict[str, Tensor]) -> None:
        """Set log-variances to where every term is at rest, by the losses of a first batch, so that training need not find them."""
        for name, log_variance in self.log_variances.items():
            if losses[name] > 0:
                log_variance.copy_(losses[name].log().clamp(-STEEPEST, STEEPEST))

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Compute the balanced sum of the losses of a training batch, a scalar."""
        return torch.stack([self.weights[name] * self._term(name, loss) for name, loss in losses.items()]).sum()

    def fixed(self, losses: dict[str, Tensor]) -> Tensor:
        """Compute the sum of losses with the fixed weights alone, a scalar that can be compared between epochs."""
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()

    def _term(self, name: str, loss: Tensor) -> Tensor:
        if not self.is_learned:
            return loss
        log_variance = self.log_variances[name].clamp(-STEEPEST, STEEPEST)
        return torch.exp(-log_variance) * loss + log_variance


@torch.no_grad()
def calibrate_encoder(model: SequenceEncoder, batch: Batch) -> None:
    """Standardise a new model's ASV vectors, and scale its sample vectors and heads as the objectives ask.

    Without it, the first hundreds of steps only stretch the vectors. Where no objective asks for a scale, sample vectors keep
    theirs. Includes `calibrate_objectives` for all heads.
    """
    model.eval()
    model.sample_encoder.standardise.fit(model.asv_vectors(batch))
    encoding = model(batch)
    scales = [objective.vector_scale(encoding, batch) for objective in model.active_objectives().values()]
    requested = [scale for scale in scales if scale is not None]
    if requested:
        model.scale.mul_(requested[0])
    calibrate_objectives(model, batch, model.active_objectives())


@torch.no_grad()
def calibrate_objectives(model: SequenceEncoder, batch: Batch, names: Iterable[str]) -> None:
    """Scale new heads, given by name, on a model whose vectors are calibrated already."""
    encoding = model.eval()(batch)
    for name in names:
        model.active_objectives()[name].calibrate(encoding, batch)


@torch.no_grad()
def calibrate_head(model: SequencePredictor, batch: Batch) -> None:
    """Standardise the inputs of a new target's head, and before that the microbial features that metadata are fused with."""
    samples = model.eval()(batch).samples
    if model.conditioning is not None:
        model.conditioning.standardise.fit(model.microbial_features(samples))
    model.target.calibrate_head(model.target_features(samples, batch))


class WeightAverage(nn.Module):
    """Moving average of a model's trainable weights.

    After each step, ``average ← d·average + (1 − d)·weight`` with d = min(decay, (1 + t)/(10 + t)) after t earlier steps. The state
    is in buffers, so a checkpoint holds it.

    Parameters
    ----------
    model
        Model whose weights are averaged; the average begins at its present weights.
    decay
        d after the warm-up.
    """

    n_steps: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("n_steps", torch.tensor(0))
        for name, weight in _trainable(model).items():
            self.register_buffer(_buffer_of(name), weight.detach().clone())

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Update the average with the weights after a step."""
        n = int(self.n_steps)
        decay = min(self.decay, (1 + n) / (WARM_UP + n))
        averages, weights = self.weights_of(model), _trainable(model)
        for name, average in averages.items():
            average.lerp_(weights[name], 1 - decay)
        self.n_steps += 1

    def weights_of(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the averages by the names of the model's weights."""
        return {name: self.get_buffer(_buffer_of(name)) for name in _trainable(model)}

    @contextmanager
    def swapped_into(self, model: nn.Module) -> Iterator[None]:
        """Exchange a model's weights for the averages within the block, and exchange them back at its end."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def _exchange(self, model: nn.Module) -> None:
        for weight, average in zip(_trainable(model).values(), self.weights_of(model).values(), strict=True):
            weight.data, average.data = average.data, weight.data


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _buffer_of(name: str) -> str:
    return name.replace(".", "/")  # a buffer's name has no dots
