"""Hidden abundances: the abundance of an ASV, predicted from the rest of its sample."""

from typing import Any

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch, Encoding
from aam.config.model import ModelConfig
from aam.config.objectives import ObjectivesConfig
from aam.distributed.collective import mean_over_ranks
from aam.ecology.resources import StudyResources
from aam.figures import draw_regression
from aam.metrics.regression import regression_metrics
from aam.nn.abundance import log_abundance, standardise, unstandardise
from aam.objectives.baselines import MeanBaseline
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective, ValidationSummary


class HiddenAbundance(UnlabelledObjective):
    """Predict the log relative abundance of an ASV whose abundance the model was not shown.

    Parameters
    ----------
    dim
        Width of the pairs' vectors.
    is_compositional
        Whether to predict how the reads of a sample's hidden ASVs are divided among them, given their sum, which the shares of the
        other ASVs show. Else each abundance is predicted by itself.
    """

    masks = ("count_mask_ratio",)
    headline = "r2"

    def __init__(self, dim: int, is_compositional: bool = False) -> None:
        super().__init__()
        self.is_compositional = is_compositional
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim), nn.Linear(dim, 1))

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Return the kind of loss that ``--count-loss`` chooses."""
        return {"is_compositional": options.count_loss == "multinomial"}

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "HiddenAbundance":
        """Return a new head."""
        return cls(config.embedding_dim, **settings)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "Q"]:
        """Predict the standardised log relative abundance of each hidden pair, [Q]."""
        assert encoding.hidden_context is not None, "the batch hides no abundance"
        return self.head(encoding.hidden_context).squeeze(-1)

    def loss(self, prediction: Float[Tensor, "Q"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the loss, averaged over the whole batch.

        It is the squared error of a pair, in standardised units, or the multinomial's negative log-likelihood of a sample, in nats
        per read.
        """
        if not self.is_compositional:
            truth = standardise(self._truth(batch)).to(prediction.dtype)
            return mean_over_ranks(F.mse_loss(prediction, truth, reduction="sum"), len(truth), batch.share)
        share = self._within_sample(self._truth(batch), batch).exp().to(prediction.dtype)
        total = -(share * self._within_sample(unstandardise(prediction), batch)).sum()
        return mean_over_ranks(total, batch.n_samples, batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return errors and correlations of the natural logarithm, by name."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "Q"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predicted and true natural logarithms of relative abundance, [Q] each."""
        predicted, truth = unstandardise(prediction), self._truth(batch)
        if not self.is_compositional:
            return predicted, truth
        return self._within_sample(predicted, batch) + self._total(truth, batch), truth

    def baseline(self) -> Baseline:
        """Return the baseline that predicts the mean logarithm of training samples for every ASV."""
        return MeanBaseline(self._truth)

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw predicted against true log abundances."""
        name = "ln relative abundance of a hidden ASV"
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), name, r2, overall.n, "ASVs in samples")

    def _within_sample(self, logarithms: Tensor, batch: Batch) -> Tensor:
        """Return logarithms shifted so that the hidden abundances of each sample add up to 1."""
        return logarithms - self._total(logarithms, batch)

    @staticmethod
    def _total(logarithms: Tensor, batch: Batch) -> Tensor:
        """Return, for each hidden pair, the logarithm of the sum over the hidden pairs of its sample, [Q]."""
        assert batch.hidden is not None, "the batch hides no abundance"
        sample = batch.sample_of_pair[batch.hidden]
        largest = logarithms.detach().new_full((batch.n_samples,), -torch.inf)
        largest = largest.scatter_reduce(0, sample, logarithms.detach(), "amax")
        scaled = (logarithms - largest[sample]).exp()
        return scaled.new_zeros(batch.n_samples).index_add(0, sample, scaled).log()[sample] + largest[sample]

    @staticmethod
    def _truth(batch: Batch) -> Tensor:
        assert batch.hidden is not None, "the batch hides no abundance"
        return log_abundance(batch)[batch.hidden]
