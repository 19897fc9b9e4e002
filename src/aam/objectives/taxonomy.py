"""Taxonomy: the lineage of each ASV, rank by rank, predicted from its vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import AsvTarget, Batch, Encoding
from aam.config.model import ModelConfig
from aam.config.objectives import ObjectivesConfig
from aam.distributed.collective import sum_over_ranks
from aam.ecology.lineages import FEWEST_TAXA, RANKS, UNKNOWN
from aam.ecology.resources import StudyResources
from aam.errors import TaxonomyError
from aam.objectives.baselines import MeanScore
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective


class Taxonomy(UnlabelledObjective):
    """Classify each distinct ASV of a batch at every rank, from its vector, which depends on its nucleotides alone.

    Each rank has a separate softmax over the taxa that training samples hold; a taxon is its whole lineage. Where an ASV has no
    name at a rank, or one that training never saw, the rank does not count for it.

    Parameters
    ----------
    name
        Name of the objective in the table of objectives.
    dim
        Width of the ASVs' vectors.
    taxa
        Names of the taxa at each rank; a rank with fewer than two is left out.
    """

    def __init__(self, name: str, dim: int, taxa: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self.name = name
        self.taxa = [list(names) for names in taxa]
        self.ranks = [rank for rank, names in enumerate(taxa) if len(names) >= FEWEST_TAXA]
        self.widths = [len(taxa[rank]) for rank in self.ranks]
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, sum(self.widths)))

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Return the taxa that training samples hold at each rank.

        Raises
        ------
        TaxonomyError
            No rank has two taxa.
        """
        assert resources.lineages is not None, "taxonomy needs lineages"
        assert resources.is_seen is not None, "taxonomy needs to know which features are trained on"
        taxa = resources.lineages.seen(resources.is_seen)
        if max(map(len, taxa)) < FEWEST_TAXA:
            raise TaxonomyError(
                "--taxonomy names no two taxa of any rank among the features of the training samples, and taxonomy has nothing to "
                "tell apart: pass a finer taxonomy, or leave taxonomy out of --objectives."
            )
        return {"taxa": taxa}

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "Taxonomy":
        """Return a new head."""
        return cls(name, config.embedding_dim, settings["taxa"])

    def asv_target(self, resources: StudyResources) -> AsvTarget:
        """Return the function that looks up the numbers of ASVs' taxa at the ranks that are learned, int64 [U, ranks]."""
        assert resources.lineages is not None, "taxonomy needs lineages"
        numbers = resources.lineages.numbered_as(self.taxa)[:, self.ranks]

        def target(features: np.ndarray) -> np.ndarray:
            return numbers[features]

        return target

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "R C"]:
        """Compute the logits of all ranks, side by side, for each distinct ASV that this rank of the training counts, [R, C]."""
        assert encoding.asv_vectors is not None, "the model gives no vectors of ASVs"
        return self.head(encoding.asv_vectors[batch.counted_asvs])

    def loss(self, prediction: Float[Tensor, "R C"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the cross-entropy in nats, averaged over the ASVs named at each rank, then over the ranks that have any."""
        ranks = list(zip(prediction.split(self.widths, dim=1), self._truth(batch).T, strict=True))
        totals = [F.cross_entropy(*rank, ignore_index=UNKNOWN, reduction="sum") for rank in ranks]
        n = torch.stack([(truth != UNKNOWN).sum() for _, truth in ranks]).to(prediction.dtype)
        total, n = sum_over_ranks(torch.stack([torch.stack(totals), n]), batch.share)
        return (total / n.detach().clamp(min=1)).sum() / (n > 0).sum().clamp(min=1)

    def metrics(self) -> dict[str, Metric]:
        """Return the accuracy at each rank, over the distinct ASVs of each batch that have a name there, by name."""
        starts = np.cumsum([0, *self.widths])
        return {
            f"{RANKS[rank]}_accuracy": MeanScore(_AccuracyAt(index, slice(starts[index], starts[index + 1])))
            for index, rank in enumerate(self.ranks)
        }

    def scored(self, prediction: Float[Tensor, "R C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the logits of all ranks, [R, C], and the numbers of the true taxa, [R, ranks]."""
        return prediction, self._truth(batch)

    def baseline(self) -> Baseline:
        """Return the baseline that predicts each rank's commonest taxon."""
        return MajorityTaxa(self)

    def _truth(self, batch: Batch) -> Int[Tensor, "R K"]:
        return batch.targets[self.name][batch.counted_asvs]


class _AccuracyAt:
    """Compute whether each ASV that has a name at a rank is classified correctly there."""

    def __init__(self, index: int, columns: slice) -> None:
        self.index, self.columns = index, columns

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        named = truth[:, self.index] != UNKNOWN
        return prediction[named][:, self.columns].argmax(dim=1) == truth[named, self.index]


class MajorityTaxa(Baseline):
    """Predict each rank's commonest taxon among the distinct ASVs of training batches."""

    def __init__(self, objective: Taxonomy) -> None:
        self.name, self.ranks = objective.name, objective.ranks
        self.counts = [torch.zeros(width, dtype=torch.int64) for width in objective.widths]
        self.right, self.named = np.zeros(len(self.ranks)), np.zeros(len(self.ranks))

    def learn(self, batch: Batch) -> None:
        """Count the taxa of a training batch."""
        for counts, truth in zip(self.counts, batch.targets[self.name].T, strict=True):
            counts.add_(torch.bincount(truth[truth != UNKNOWN], minlength=len(counts)))

    def score(self, batch: Batch) -> None:
        """Count how many ASVs of a validation batch belong to each rank's commonest taxon."""
        for index, (counts, truth) in enumerate(zip(self.counts, batch.targets[self.name].T, strict=True)):
            self.right[index] += int((truth == counts.argmax()).sum())
            self.named[index] += int((truth != UNKNOWN).sum())

    def scores(self) -> dict[str, float]:
        """Return the accuracy at each rank with a named ASV, by name."""
        return {
            f"{RANKS[rank]}_accuracy": float(self.right[index] / self.named[index])
            for index, rank in enumerate(self.ranks)
            if self.named[index]
        }
