"""Taxon abundances: the share of each taxon in a sample, at one rank, predicted from the sample vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric

from aam.batch import Batch, BatchTarget, Encoding, PackedCounts
from aam.config.model import ModelConfig
from aam.config.objectives import ObjectivesConfig
from aam.distributed.collective import mean_over_ranks
from aam.ecology.lineages import FEWEST_TAXA, RANKS, UNKNOWN
from aam.ecology.resources import StudyResources
from aam.errors import TaxonomyError
from aam.nn.abundance import Standardise
from aam.objectives.baselines import MeanError
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective


class TaxonAbundance(UnlabelledObjective):
    """Predict each taxon's share of a sample's reads from the sample vector.

    Reads of ASVs that have no name at the rank, or one that training never saw, are left out before shares are computed.

    Parameters
    ----------
    name
        Name of the objective in the table of objectives.
    dim
        Width of the sample vectors.
    rank
        Index of the rank in `RANKS`.
    taxa
        Taxa of that rank, as whole lineages down to it.
    """

    headline = "bray_curtis"

    def __init__(self, name: str, dim: int, rank: int, taxa: Sequence[str]) -> None:
        super().__init__()
        self.name, self.rank, self.taxa = name, rank, list(taxa)
        self.standardise = Standardise(dim)
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, len(taxa)))

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Return the rank, and the taxa that training samples hold at it.

        Raises
        ------
        TaxonomyError
            There are fewer than two taxa at the rank.
        """
        assert resources.lineages is not None, "composition needs lineages"
        assert resources.is_seen is not None, "composition needs to know which features are trained on"
        rank = resources.taxonomy_rank
        taxa = resources.lineages.seen(resources.is_seen)[rank]
        if len(taxa) < FEWEST_TAXA:
            raise TaxonomyError(
                f"--taxonomy names {len(taxa) or 'no'} taxon of rank {RANKS[rank]} among the features of the training samples, and "
                "composition needs two: pass another --taxonomy-rank, or leave composition out of --objectives."
            )
        return {"rank": rank, "taxa": taxa}

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "TaxonAbundance":
        """Return a new head."""
        return cls(name, config.embedding_dim, settings["rank"], settings["taxa"])

    def target(self, resources: StudyResources) -> BatchTarget:
        """Return the function that computes the share of each taxon, float64 [B, C]; zeros for a sample without reads of any."""
        assert resources.lineages is not None, "composition needs lineages"
        taxa: list[Sequence[str]] = [[] for _ in resources.lineages.taxa]
        taxa[self.rank] = self.taxa
        numbers = resources.lineages.numbered_as(taxa)[:, self.rank]

        def target(packed: PackedCounts) -> np.ndarray:
            taxon = numbers[packed.features]
            named = taxon != UNKNOWN
            reads = np.zeros((packed.n_samples, len(self.taxa)))
            np.add.at(reads, (packed.sample_of_pair[named], taxon[named]), packed.counts[named])
            return reads / np.maximum(reads.sum(axis=1, keepdims=True), 1)

        return target

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set the standardisation of the head's input from a batch of training samples."""
        self.standardise.fit(encoding.samples.sample_vectors)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Compute the logits of each sample's shares, [B, C]."""
        return self.head(self.standardise(encoding.samples.sample_vectors))

    def loss(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean Kullback-Leibler divergence of the prediction from the true shares, in nats."""
        total = divergence(prediction, batch.targets[self.name]).sum().to(prediction.dtype)
        return mean_over_ranks(total, batch.n_samples, batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return Kullback-Leibler divergence in nats, and Bray-Curtis dissimilarity of predicted and true shares, by name."""
        return {"divergence": MeanError(divergence), "bray_curtis": MeanError(dissimilarity)}

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return logits and true shares, [B, C] each."""
        return prediction, batch.targets[self.name]

    def baseline(self) -> Baseline:
        """Return the baseline that predicts the mean shares of training samples."""
        return MeanShares(self.name)


def divergence(logits: Float[Tensor, "B C"], truth: Float[Tensor, "B C"]) -> Float[Tensor, "B"]:
    """Compute Σ p·ln(p/q) of each sample, in nats, [B]; 0 for one without shares."""
    logarithm = torch.log_softmax(logits, dim=1)
    return (torch.xlogy(truth, truth) - truth * logarithm).sum(dim=1)


def dissimilarity(logits: Float[Tensor, "B C"], truth: Float[Tensor, "B C"]) -> Float[Tensor, "B"]:
    """Compute half the sum of absolute differences of each sample, which for shares is Bray-Curtis; [B]."""
    return (torch.softmax(logits, dim=1) - truth).abs().sum(dim=1) / 2


class MeanShares(Baseline):
    """Predict the mean shares of training samples for every sample."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = torch.zeros(())
        self.scored: list[Tensor] = []

    def learn(self, batch: Batch) -> None:
        """Add a training batch to the mean."""
        self.total = self.total + batch.targets[self.name].sum(dim=0)

    def score(self, batch: Batch) -> None:
        """Compare the mean shares with those of a validation batch."""
        truth = batch.targets[self.name]
        logits = (self.total / self.total.sum()).clamp(min=1e-6).log().expand(len(truth), -1)
        self.scored.append(torch.stack([divergence(logits, truth), dissimilarity(logits, truth)]))

    def scores(self) -> dict[str, float]:
        """Return the metrics of the objective, by name; nothing if no batch was scored."""
        if not self.scored:
            return {}
        means = torch.cat(self.scored, dim=1).mean(dim=1)
        return {"divergence": float(means[0]), "bray_curtis": float(means[1])}
