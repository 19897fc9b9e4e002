"""Masked ASVs: the ASV of a pair whose ASV was hidden, predicted from the rest of the sample."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch, Encoding
from aam.config.model import ModelConfig
from aam.distributed.collective import gather_asvs, mean_over_ranks
from aam.objectives.baselines import MeanScore
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective

FIRST_TEMPERATURE = 0.1
"""Temperature of a new model."""


class MaskedASVs(UnlabelledObjective):
    """Identify the hidden ASV among the distinct ASVs of the batch (InfoNCE, van den Oord et al. 2018).

    The vectors of the hidden pairs in context, and those of the batch's distinct ASVs, are mapped to one space and compared by
    their cosine, divided by a learned temperature. ASVs that the sample shows elsewhere are no candidates: a sample holds each ASV
    once.
    """

    masks = ("asv_mask_ratio",)
    headline = "accuracy"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.from_context = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.from_asv = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.log_temperature = nn.Parameter(torch.tensor(FIRST_TEMPERATURE).log())

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "MaskedASVs":
        """Return a new head."""
        return cls(config.embedding_dim)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "G U"]:
        """Compute the logits of the distinct ASVs for each hidden pair, [G, U]; −inf for those that are no candidates."""
        assert encoding.hidden_asv_context is not None, "the batch hides no ASV"
        assert encoding.asv_vectors is not None, "the model gives no vectors of ASVs"
        context = F.normalize(self.from_context(encoding.hidden_asv_context), dim=1)
        asv = F.normalize(self.from_asv(gather_asvs(encoding.asv_vectors, batch.share)), dim=1)
        logits = context @ asv.T / self.log_temperature.exp()
        return logits.masked_fill(~candidates(batch), -torch.inf)

    def loss(self, prediction: Float[Tensor, "G U"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean cross-entropy over the hidden pairs, in nats."""
        truth = _truth(batch)
        return mean_over_ranks(F.cross_entropy(prediction, truth, reduction="sum"), len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return accuracy and mean reciprocal rank of the right ASV, among the candidates of each batch, by name."""
        return {"accuracy": MeanScore(_is_first), "reciprocal_rank": MeanScore(_reciprocal)}

    def scored(self, prediction: Float[Tensor, "G U"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the rank of the right ASV, from 1, and the best possible rank, 1; [G] each."""
        rank = ranks(prediction, _truth(batch))
        return rank, torch.ones_like(rank)

    def baseline(self) -> Baseline:
        """Return the baseline that predicts the candidate that most training samples hold."""
        return CommonestASV()


def candidates(batch: Batch) -> Bool[Tensor, "G U"]:
    """Return, for each hidden pair, which of the batch's distinct ASVs its sample does not show elsewhere, [G, U]."""
    hidden, sample = _hidden(batch), batch.sample_of_pair
    is_shown = torch.ones_like(batch.counts, dtype=torch.bool).index_fill(0, hidden, False)
    shown = torch.zeros(batch.n_samples, len(batch.features), dtype=torch.bool, device=hidden.device)
    shown[sample[is_shown], batch.asv_index[is_shown]] = True
    return ~shown[sample[hidden]]


def ranks(logits: Float[Tensor, "G U"], truth: Tensor) -> Float[Tensor, "G"]:
    """Compute the rank of the right ASV, from 1, [G]; among equal logits it comes last."""
    right = logits.gather(1, truth[:, None])
    return (logits >= right).sum(dim=1).to(logits.dtype)


def _is_first(rank: Tensor, best: Tensor) -> Tensor:
    return rank <= best


def _reciprocal(rank: Tensor, best: Tensor) -> Tensor:
    return best / rank


def _hidden(batch: Batch) -> Tensor:
    assert batch.hidden_asvs is not None, "the batch hides no ASV"
    return batch.hidden_asvs


def _truth(batch: Batch) -> Tensor:
    return batch.asv_index[_hidden(batch)]


class CommonestASV(Baseline):
    """Rank candidates by how many training samples hold them; those that none holds come last."""

    def __init__(self) -> None:
        self.n_samples = torch.zeros(0, dtype=torch.int64)
        self.ranks: list[Tensor] = []

    def learn(self, batch: Batch) -> None:
        """Count the samples that hold each feature of the study."""
        held = torch.bincount(batch.features[batch.asv_index], minlength=len(self.n_samples))
        self.n_samples = F.pad(self.n_samples, (0, len(held) - len(self.n_samples))) + held

    def score(self, batch: Batch) -> None:
        """Rank the right ASVs of a validation batch."""
        missing = max(0, int(batch.features.max()) + 1 - len(self.n_samples))
        frequency = F.pad(self.n_samples, (0, missing))[batch.features].double()
        self.ranks.append(ranks(torch.where(candidates(batch), frequency, -torch.inf), _truth(batch)))

    def scores(self) -> dict[str, float]:
        """Return the metrics of the objective, by name; nothing if no pair was scored."""
        if not self.ranks:
            return {}
        rank = torch.cat(self.ranks)
        return {"accuracy": float((rank <= 1).double().mean()), "reciprocal_rank": float((1 / rank).mean())}
