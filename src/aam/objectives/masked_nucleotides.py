"""Masked nucleotides: A, C, G or T at a masked position, predicted from the rest of the sequence."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.text import Perplexity

from aam import vocabulary
from aam.batch import IGNORED, Batch, Encoding
from aam.config.model import ModelConfig
from aam.distributed.collective import mean_over_ranks
from aam.objectives.baselines import NucleotideBaselines
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective


class FlatPerplexity(Perplexity):
    """Perplexity of predictions that are already a flat list."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add logits [M, V] and labels [M]."""
        super().update(preds[None], target[None])


class MaskedNucleotides(UnlabelledObjective):
    """Predict masked nucleotides from the rest of their sequence (Devlin et al. 2019); logits exist at masked positions only.

    The head reads the vector of the nucleotide's patch, and the nucleotide's position in the patch.
    """

    masks = ("nuc_mask_ratio", "nuc_asv_fraction", "nuc_mask_strategy")
    headline = "accuracy"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_size, dim = config.patch_size, config.embedding_dim
        self.place_in_patch = nn.Embedding(config.patch_size, dim)
        self.head = nn.Sequential(
            nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim), nn.Linear(dim, len(vocabulary.NUCLEOTIDES))
        )

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "MaskedNucleotides":
        """Return a new head."""
        return cls(config)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "M V"]:
        """Compute the logits of the four nucleotides at each masked position that can be scored, [M, V]."""
        assert encoding.masked_nucleotides is not None, "the batch holds no masked nucleotides"
        is_scored = _labels(batch) != IGNORED
        positions = batch.masked.columns[is_scored] % self.patch_size  # type: ignore[union-attr]
        return self.head(encoding.masked_nucleotides[is_scored] + self.place_in_patch(positions))

    def loss(self, prediction: Float[Tensor, "M V"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean cross-entropy over the masked nucleotides, in nats; 0 where all of them are ambiguous."""
        prediction, labels = self.scored(prediction, batch)
        return mean_over_ranks(F.cross_entropy(prediction, labels, reduction="sum"), len(labels), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return accuracy and perplexity, by name."""
        accuracy = MulticlassAccuracy(len(vocabulary.NUCLEOTIDES), average="micro")
        return {"accuracy": accuracy, "perplexity": FlatPerplexity()}

    def scored(self, prediction: Float[Tensor, "M V"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return logits [M, V] and labels [M] of the masked nucleotides that can be scored."""
        labels = _labels(batch)
        return prediction, labels[labels != IGNORED]

    def baseline(self) -> Baseline:
        """Return the baselines: each position's usual nucleotide, and the one that usually follows those before it."""
        return NucleotideBaselines()


def _labels(batch: Batch) -> Tensor:
    assert batch.masked is not None, "the batch holds no masked nucleotides"
    return batch.masked.labels
