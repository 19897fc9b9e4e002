"""Distances between samples, predicted as distances between sample vectors."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch, BatchTarget, Encoding
from aam.config.base import load
from aam.config.model import ModelConfig
from aam.config.objectives import OBJECTIVES, ObjectivesConfig
from aam.distributed.collective import gather_samples, mean_over_ranks
from aam.ecology.resources import Measure, StudyResources
from aam.figures import draw_regression
from aam.metrics.regression import regression_metrics
from aam.nn.attention import gather_rows
from aam.objectives.baselines import MeanBaseline
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective, ValidationSummary

SAMPLE_DISTANCE = "distance"
"""Name of the user's own distance matrix in the table of objectives."""

SHARED_AT_FIRST = 0.3
"""Fraction of the squared distances that a new model puts between its vectors; the rest is in each sample's u."""


def measure_of(name: str) -> Measure:
    """Return the function that computes a distance or a value, by its name in the table of objectives."""
    path = OBJECTIVES[name].measure
    assert path is not None, f"{name} has no measure"
    return load(path)


class SampleDistance(UnlabelledObjective):
    """Reproduce a distance between samples, such as UniFrac, as a Euclidean distance: d² = |zᵢ − zⱼ|² / width + (uᵢ + uⱼ) / 2.

    z is the sample vector. u ≥ 0, computed from the vector too, is the part that a sample shares with no other: most samples hold
    organisms that no other sample holds, and in Euclidean terms each of these needs a separate direction, for which no fixed width
    has room. In principal coordinates, 16 directions and u reproduce the UniFrac of three real studies with R² 0.97 to 0.99;
    16 directions alone with −1.6 to 0.4 (lab log).

    Only one distance can be that of the vectors themselves; each further one is computed from a linear map of them. If any distance
    in the batch that calibrates the head is above 1, distances are learned in units of ``unit``, the mean distance of that batch.

    Parameters
    ----------
    dim
        Width of the sample vectors.
    name
        Name of the distance in the table of objectives.
    is_projected
        Whether distances are those of a linear map of the vectors, or of the vectors themselves.
    """

    headline = "r2"

    def __init__(self, dim: int, name: str = SAMPLE_DISTANCE, is_projected: bool = False) -> None:
        super().__init__()
        self.name = name
        self.projection = nn.Linear(dim, dim, bias=False) if is_projected else nn.Identity()
        if isinstance(self.projection, nn.Linear):
            nn.init.eye_(self.projection.weight)
        self.unshared = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))
        nn.init.zeros_(self.unshared[1].weight)  # type: ignore[arg-type]
        self.register_buffer("unit", torch.ones(()))

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Return the name of the first distance asked for, which is that of the vectors themselves."""
        pairwise = [name for name in options.encoder_type if OBJECTIVES[name].needs_pairs]
        return {"unprojected": pairwise[0]} if pairwise else {}

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "SampleDistance":
        """Return a new head; with a projection, unless it is the first distance."""
        return cls(config.embedding_dim, name, **cls.compatibility_key(name, settings))

    @classmethod
    def compatibility_key(cls, name: str, settings: Settings) -> dict[str, bool]:
        """Return whether a linear map of the vectors is used; which other distance is that of the vectors does not matter."""
        return {"is_projected": settings.get("unprojected", name) != name}

    def target(self, resources: StudyResources) -> BatchTarget:
        """Return the function that computes the distances between a batch's samples from the reads drawn, float64 [B, N]."""
        return partial(measure_of(self.name), resources=resources)  # type: ignore[return-value]

    def vector_scale(self, encoding: Encoding, batch: Batch) -> float | None:
        """Return the factor that gives the vectors their fraction of the samples' distances; None for a projection."""
        if isinstance(self.projection, nn.Linear):
            return None
        return self._missing_factor(encoding, batch)

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set the unit, and scale both parts of the distance to their fractions of the samples' distances."""
        self.get_buffer("unit").copy_(self._unit_of(batch))
        if isinstance(self.projection, nn.Linear):
            self.projection.weight.data.mul_(self._missing_factor(encoding, batch) or 1.0)
        squared = (self._truth(batch) / self._unit_of(batch)).square()
        if len(squared) and squared.mean() > 0:
            unshared = (1 - SHARED_AT_FIRST) * squared.mean()
            self.unshared[1].bias.data.copy_(unshared.expm1().log())  # type: ignore[union-attr]  # of which softplus makes it

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "P"]:
        """Compute the distance of each pair of samples in units of ``unit``, [P], in the order of `torch.triu_indices`.

        A rank has the pairs whose first sample is one of the rank's; the vectors of the others come from their ranks.
        """
        vectors = self.projection(encoding.samples.sample_vectors)
        unshared = F.softplus(self.unshared(encoding.samples.sample_vectors))
        vectors, unshared = gather_samples(torch.cat([vectors, unshared], dim=1), batch.share).split(
            [vectors.shape[1], 1], dim=1
        )
        first, second = _pairs(batch)
        mean_unshared = (gather_rows(unshared, first) + gather_rows(unshared, second)).squeeze(1) / 2
        return (_shared(vectors, first, second) + mean_unshared).sqrt()

    def loss(self, prediction: Float[Tensor, "P"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean squared error over the pairs; 0 for a batch of one sample."""
        truth = (self._truth(batch) / self.get_buffer("unit")).to(prediction.dtype)
        return mean_over_ranks(F.mse_loss(prediction, truth, reduction="sum"), len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return errors and correlations over the pairs within batches, by name."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "P"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predicted and true distances in their own units, [P] each."""
        return prediction * self.get_buffer("unit"), self._truth(batch)

    def baseline(self) -> Baseline:
        """Return the baseline that predicts the mean distance of training samples for every pair."""
        return MeanBaseline(self._truth)

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw predicted against true distances."""
        name = "distance between samples" if self.name == SAMPLE_DISTANCE else f"{self.name} between samples"
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), name, r2, overall.n, "pairs of samples")

    def _truth(self, batch: Batch) -> Tensor:
        first, second = _pairs(batch)
        return batch.targets[self.name][torch.searchsorted(batch.sample_places, first), second]

    def _unit_of(self, batch: Batch) -> Tensor:
        truth = self._truth(batch)
        is_large = bool(len(truth)) and bool(truth.max() > 1)
        return truth.mean() if is_large else torch.ones_like(self.get_buffer("unit"))

    def _missing_factor(self, encoding: Encoding, batch: Batch) -> float | None:
        predicted = _shared(self.projection(encoding.samples.sample_vectors), *_pairs(batch))
        shared_part = SHARED_AT_FIRST * (self._truth(batch) / self._unit_of(batch)).square()
        if len(shared_part) and predicted.mean() > 0 and shared_part.mean() > 0:
            return float((shared_part.mean() / predicted.mean()).sqrt())
        return None


def _shared(vectors: Float[Tensor, "N D"], first: Int[Tensor, "P"], second: Int[Tensor, "P"]) -> Float[Tensor, "P"]:
    return (gather_rows(vectors, first) - gather_rows(vectors, second)).square().mean(dim=1)


def _pairs(batch: Batch) -> tuple[Int[Tensor, "P"], Int[Tensor, "P"]]:
    """Return the positions in the whole batch of the first and of the second sample of each pair, [P] each."""
    all_positions = torch.arange(batch.n_samples_of_all_ranks, device=batch.sample_index.device)
    row, second = (batch.sample_places[:, None] < all_positions).nonzero(as_tuple=True)
    return batch.sample_places[row], second
