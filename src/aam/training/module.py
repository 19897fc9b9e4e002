"""The Lightning module: adds up the objectives' losses and keeps their metrics."""

from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric, SumMetric

from aam.batch import Batch
from aam.config.training import TrainingConfig
from aam.errors import AamError
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.objective import Overall
from aam.training.balancing import LossBalance
from aam.training.schedule import warmup_cosine
from aam.training.sharding import clip_gradients, shard

_FEWEST_SCORED = 2  # R² and correlations need two values; two validation samples make one pair


class TrainingModule(lightning.LightningModule):
    """Trains a model on a weighted sum of its objectives.

    Metrics are named ``train/NAME`` and ``validation/NAME``; ``validation/loss`` chooses the best epoch. With ``main``, it is the
    loss of that objective alone, so that auxiliary losses do not choose.

    Attributes
    ----------
    overall
        Metrics and number of all predictions of the last validation, by objective.
    """

    def __init__(
        self,
        model: SequenceEncoder | SequencePredictor,
        weights: dict[str, float],
        training: TrainingConfig,
        main: str | None = None,
        balance: LossBalance | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self.training_config = training
        self.main = main
        self.balance = LossBalance(weights) if balance is None else balance
        objectives = model.active_objectives()
        self.scores = nn.ModuleDict(
            {name: nn.ModuleDict(objectives[name].metrics()) for name in weights}  # type: ignore[arg-type]
        )
        self.n_scored = nn.ModuleDict({name: SumMetric() for name in weights})
        self.overall: dict[str, Overall] = {}

    def configure_model(self) -> None:
        """Shard the weights, where the strategy asks for it."""
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    @torch.no_grad()
    def calibrate(self, batch: Batch) -> None:
        """Let learned balances start from the losses of a training batch."""
        self.eval()
        self.balance.calibrate(self._predict(batch)[1])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Give the weighted sum of the losses."""
        _, losses = self._predict(batch)
        total = self.balance(losses)
        if not torch.isfinite(total):
            raise AamError(
                f"The loss became {total.item()} at step {self.global_step} (epoch {self.current_epoch}). "
                "Pass a smaller --lr or --precision 32-true."
            )
        for name, loss in losses.items():
            self._log(f"train/{name}_loss", loss, batch)
        self._log("train/loss", total, batch)
        for name, log_variance in self.balance.log_variances.items():
            self._log(f"train/{name}_log_variance", log_variance, batch)
        self.log("train/learning_rate", self.lr_schedulers().get_last_lr()[0])  # type: ignore[union-attr]
        return total

    def on_validation_epoch_start(self) -> None:
        """Accumulate in double precision; moving the module to a type takes its metrics along."""
        for metric in self.modules():
            if isinstance(metric, Metric):
                metric.set_dtype(torch.float64)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Update losses and metrics; give each objective's predictions and truths for the plots."""
        predictions, losses = self._predict(batch)
        objectives = self.model.active_objectives()
        scored = {name: objectives[name].scored(predictions[name], batch) for name in self.weights}
        for name, (prediction, truth) in scored.items():
            self.n_scored[name].update(len(truth))  # type: ignore[operator]
            if not len(truth):
                continue
            for metric in self.scores[name].values():  # type: ignore[operator, union-attr]
                metric.update(prediction.double(), truth)
        for name, loss in losses.items():
            self._log(f"validation/{name}_loss", loss, batch)
        self._log("validation/loss", losses[self.main] if self.main else self.balance.fixed(losses), batch)
        return scored

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self.overall = {name: self._finish(name) for name in self.scores}
        for name, overall in self.overall.items():
            headline = self.model.active_objectives()[name].headline
            for metric_name, value in overall.metrics.items():
                if overall.n >= _FEWEST_SCORED and value.ndim == 0:
                    full_name = f"validation/{name}_{metric_name}"
                    self.log(full_name, value.float(), prog_bar=metric_name == headline)

    def _finish(self, name: str) -> Overall:
        """Give an objective's metrics, of all processes, and make them ready for the next epoch."""
        n: Any = self.n_scored[name]
        metrics: dict[str, Metric] = dict(self.scores[name].items())  # type: ignore[operator, union-attr]
        n_scored = int(n.compute())
        overall = Overall(n_scored, {key: metric.compute() for key, metric in metrics.items()} if n_scored else {})
        for metric in (n, *metrics.values()):
            metric.reset()
        return overall

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Copy the batch while the device computes; it lies in page-locked memory."""
        return batch.to(device, non_blocking=True)

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Scale gradients down to ``--gradient-clip``; Lightning's own way refuses fused optimisers in bfloat16."""
        clip_gradients(self.model.parameters(), self.training_config.gradient_clip)

    def configure_optimizers(self) -> Any:
        """AdamW on the weights that learn, with linear warm-up and a cosine, stepped per optimiser step."""
        config = self.training_config
        learned = [p for p in self.parameters() if p.requires_grad]
        kinds = (
            [p for p in learned if p.ndim > 1],
            [p for p in learned if p.ndim == 1],
            [p for p in learned if p.ndim == 0],
        )
        decays = (config.weight_decay, 0.0, 0.0)  # numbers are apart, for FSDP has them whole and all else in parts
        unscales = (
            config.precision == "16-mixed"
        )  # a fused optimiser would undo the loss scale before gradients are clipped
        groups = [{"params": weights, "weight_decay": decay} for weights, decay in zip(kinds, decays, strict=True)]
        optimizer = torch.optim.AdamW(groups, lr=config.lr, fused=not unscales)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, warmup_cosine(total, config.warmup_fraction))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _predict(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        encoding = self.model(batch)
        objectives = self.model.active_objectives()
        predictions = {name: objectives[name](encoding, batch) for name in self.weights}
        return predictions, {name: objectives[name].loss(predictions[name], batch) for name in self.weights}

    def _log(self, name: str, value: Tensor, batch: Batch) -> None:
        is_shown = name.endswith("loss") and (name.startswith("train/") or name == "validation/loss")
        self.log(name, value, prog_bar=is_shown, on_step=False, on_epoch=True, batch_size=batch.n_samples_of_all_ranks)
