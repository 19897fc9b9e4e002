"""Hidden abundances: how abundant an ASV is, from the rest of its sample."""

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch
from aam.encoding import Encoding
from aam.figures import draw_regression
from aam.metrics.regression import regression_metrics
from aam.nn.abundance import log_abundance, standardise, unstandardise
from aam.objectives.objective import Objective, Overall


class HiddenAbundance(Objective):
    """Predict the log relative abundance of an ASV whose abundance the model was not shown."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim), nn.Linear(dim, 1))

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "Q"]:
        """Give the standardised log relative abundance of each hidden pair."""
        assert encoding.hidden_context is not None, "the batch hides no abundance"
        return self.head(encoding.hidden_context).squeeze(-1)

    def loss(self, prediction: Float[Tensor, "Q"], batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error in standardised units."""
        return F.mse_loss(prediction, standardise(self._truth(batch)).to(prediction.dtype))

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations of the natural logarithm."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "Q"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true natural logarithms of relative abundance."""
        return unstandardise(prediction), self._truth(batch)

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure:
        """Predicted against true log abundances."""
        name = "ln relative abundance of a hidden ASV"
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), name, r2, overall.n, "ASVs in samples")

    @staticmethod
    def _truth(batch: Batch) -> Tensor:
        assert batch.hidden is not None, "the batch hides no abundance"
        return log_abundance(batch)[batch.hidden]
