"""How the losses of several objectives are added up, the sizes that new weights start from, and the moving average of weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from aam.batch import Batch
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor

STEEPEST = 10.0
"""Largest size of a log-variance; a loss that is always 0 would else weigh without bound."""


class LossBalance(nn.Module):
    """Add up losses: ``fixed`` Σ w·L, or ``uncertainty`` Σ w·(e⁻ˢ·L + s), with a log-variance s learned for each.

    (Kendall et al. 2018, who halve the terms of squared errors; a constant factor moves only the s at which a term rests.) At rest
    e⁻ˢ·L is 1 for every objective: each weighs by the share, not by the amount, by which its loss can fall. Log-variances are part
    of training and its checkpoints, not of the model.

    Parameters
    ----------
    weights
        By objective.
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
        """Start where every term of a first batch is at rest, so that training does not begin with a search for it."""
        for name, log_variance in self.log_variances.items():
            if losses[name] > 0:
                log_variance.copy_(losses[name].log().clamp(-STEEPEST, STEEPEST))

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Add up the losses of a training batch."""
        return torch.stack([self.weights[name] * self._term(name, loss) for name, loss in losses.items()]).sum()

    def fixed(self, losses: dict[str, Tensor]) -> Tensor:
        """Add up losses with the fixed weights alone, so that sums of two epochs can be compared."""
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()

    def _term(self, name: str, loss: Tensor) -> Tensor:
        if not self.is_learned:
            return loss
        log_variance = self.log_variances[name].clamp(-STEEPEST, STEEPEST)
        return torch.exp(-log_variance) * loss + log_variance


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


WARM_UP = 10
"""The average after t steps reaches back over about a tenth of them, until that is what the decay says."""


class WeightAverage(nn.Module):
    """``average ← d·average + (1 − d)·weight`` after each step, d = min(decay, (1 + t)/(10 + t)) after t earlier steps.

    Its state is in buffers, so a checkpoint holds it. Weights that do not learn are left out.

    Parameters
    ----------
    model
        Whose weights are averaged; those that it has now are where the average begins.
    decay
        d, after the warm-up.
    """

    n_steps: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("n_steps", torch.tensor(0))
        for name, weight in _learning(model).items():
            self.register_buffer(_buffer_of(name), weight.detach().clone())

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        n = int(self.n_steps)
        decay = min(self.decay, (1 + n) / (WARM_UP + n))
        averages, weights = self.weights_of(model), _learning(model)
        for name, average in averages.items():
            average.lerp_(weights[name], 1 - decay)
        self.n_steps += 1

    def weights_of(self, model: nn.Module) -> dict[str, Tensor]:
        """Give the averages by the names that the model has for its weights."""
        return {name: self.get_buffer(_buffer_of(name)) for name in _learning(model)}

    @contextmanager
    def swapped_into(self, model: nn.Module) -> Iterator[None]:
        """Let a model compute with the averages, and give it its weights back."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def _exchange(self, model: nn.Module) -> None:
        for weight, average in zip(_learning(model).values(), self.weights_of(model).values(), strict=True):
            weight.data, average.data = average.data, weight.data


def _learning(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _buffer_of(name: str) -> str:
    return name.replace(".", "/")  # a buffer's name has no dots
