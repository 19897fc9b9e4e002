"""The Lightning module: sums the objectives' losses and keeps their metrics."""

import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torchmetrics import MeanMetric, Metric, SumMetric

from aam.batch import Batch
from aam.config.training import TrainingConfig, TransferConfig
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.objective import ValidationSummary
from aam.training.best_epoch import criterion_of
from aam.training.losses import LossBalance, WeightAverage
from aam.training.memory import ADVICE, StepTooLargeError, fits
from aam.training.nonfinite import NonFiniteLossError
from aam.training.optimiser import (
    Group,
    build_optimiser,
    from_step,
    group_parameters,
    numbered_by_module,
    rate_factor_of,
    with_all_states,
)
from aam.training.steps import learn_from, seed_dropout
from aam.training.strategies import clip_gradients, shard

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

LOSS = "validation/loss"

PLATEAU_FACTOR = 0.5

_FEWEST_SCORED = 2  # R² and correlations need two values; two validation samples make one pair

_MEANS = "train_means"  # in a checkpoint


class TrainingModule(lightning.LightningModule):
    """Trains a model on a weighted sum of its objectives.

    Metrics are named ``train/NAME`` and ``validation/NAME``. With ``main``, ``validation/loss`` is the loss of that objective
    alone, so that auxiliary losses do not choose the best epoch.

    Attributes
    ----------
    criterion
        Number of the validation that chooses the best epoch.
    average
        Moving average of the weights, with which the model is validated and saved; None without ``--ema-decay``.
    overall
        Number of predictions and metrics of the last validation, by objective.
    n_halved
        Number of batches that memory did not hold and that were trained on in halves.
    in_step
        Batch, or half of one, that was last trained on.
    """

    def __init__(
        self,
        model: SequenceEncoder | SequencePredictor,
        weights: dict[str, float],
        training: TrainingConfig,
        main: str | None = None,
        balance: LossBalance | None = None,
        transfer: TransferConfig | None = None,
    ) -> None:
        super().__init__()
        self.transfer = transfer or TransferConfig()
        self.model = model
        self.weights = weights
        self.training_config = training
        self.average = None if training.ema_decay is None else WeightAverage(model, training.ema_decay)
        self.main = main
        self.balance = LossBalance(weights) if balance is None else balance
        self.n_halved = 0
        self.in_step: Batch | None = None
        objectives = model.active_objectives()
        self.criterion = criterion_of(training.best_metric, {name: objectives[name] for name in weights})
        self.scores = nn.ModuleDict(
            {name: nn.ModuleDict(objectives[name].metrics()) for name in weights}  # type: ignore[arg-type]
        )
        self.n_scored = nn.ModuleDict({name: SumMetric() for name in weights})
        self.overall: dict[str, ValidationSummary] = {}
        terms = [f"{name}_loss" for name in weights] + [f"{name}_log_variance" for name in self.balance.log_variances]
        # losses are those of all ranks already
        self.means = nn.ModuleDict(
            {name: MeanMetric(nan_strategy="disable", sync_on_compute=False) for name in ("loss", *terms)}
        )

    def configure_model(self) -> None:
        """Shard the weights, with FSDP."""
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    @torch.no_grad()
    def calibrate(self, batch: Batch) -> None:
        """Start learned balances from the losses of a training batch."""
        self.eval()
        self.balance.calibrate(self._predict(batch)[1])

    def on_train_start(self) -> None:
        """Log the means of a continued epoch, even if no batch of it is left."""
        self._accumulate_in_double()
        for name, mean in self.means.items():
            if mean.weight > 0:  # type: ignore[operator]
                self._log_mean(name)

    def on_train_epoch_start(self) -> None:
        """Reset the means; a continued epoch keeps those that were saved with it."""
        for mean in self.means.values():
            mean.reset()  # type: ignore[operator]
        self._accumulate_in_double()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout by the seed and the step, so that it does not depend on draws from before a run was stopped."""
        seed_dropout(self.training_config.seed, self.current_epoch, batch_idx, self.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the means of an unfinished epoch, and the optimiser's state in a form that every strategy reads.

        A checkpoint of weights alone, saved because they are the best so far, holds the averaged weights.
        """
        means: dict[str, Any] = dict(self.means.items())
        is_whole = "optimizer_states" in checkpoint
        if self.average is not None and not is_whole:
            averages = self.average.weights_of(self.model)
            checkpoint["state_dict"] |= {f"model.{name}": average for name, average in averages.items()}
        if is_whole:
            convert = numbered_by_module if self.device_mesh is None else with_all_states
            states = zip(checkpoint["optimizer_states"], self.trainer.optimizers, strict=True)
            checkpoint["optimizer_states"] = [convert(state, optimiser, self) for state, optimiser in states]
        checkpoint[_MEANS] = {name: dict(mean.metric_state) for name, mean in means.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the means of an unfinished epoch."""
        for name, state in checkpoint[_MEANS].items():
            mean: Any = self.means[name]
            if state["weight"] > 0:
                mean.update(0.0, 0.0)  # one that was never updated warns when it is read
                for part, value in state.items():
                    setattr(mean, part, value.to(mean.device))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return 1 in place of a loss: `backward` runs the model as well, so that it can run it again on halves of the batch."""
        self._current = batch, batch_idx
        self.log("train/learning_rate", self.lr_schedulers().get_last_lr()[0])  # type: ignore[union-attr]
        return torch.ones((), device=self.device, dtype=self.dtype)  # type: ignore[arg-type]

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Add the gradients of the losses, times what became of the 1: the fraction of accumulated batches, and a loss scale."""
        for losses, n_samples in learn_from(self, *self._current, loss):
            for name, value in losses.items():
                self.means[name].update(value, n_samples)  # type: ignore[operator]

    def add_gradients(self, batch: Batch, scale: Tensor) -> dict[str, Tensor]:
        """Run the model on a batch, forwards and backwards.

        Returns
        -------
        dict of str to Tensor
            Losses and log-variances, scalars, by the names of `means`.

        Raises
        ------
        NonFiniteLossError
            The sum of the losses is not finite.
        """
        self.in_step = batch
        with self.trainer.precision_plugin.train_step_context():
            total, losses = self.total_loss(batch)
        if not torch.isfinite(total):
            raise NonFiniteLossError(
                f"The loss became {total.item()} at step {self.global_step} (epoch {self.current_epoch + 1}). "
                "Pass a smaller --lr or --precision 32-true."
            )
        (total * scale).backward()
        values = {f"{name}_loss": loss for name, loss in losses.items()} | {"loss": total}
        values |= {f"{name}_log_variance": value for name, value in self.balance.log_variances.items()}
        return {name: value.detach() for name, value in values.items()}

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the means including this batch."""
        for name in self.means:
            self._log_mean(name)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Take a step and update the average of the weights; where one rank has no memory for it, all stop together."""
        step = partial(super().optimizer_step, epoch, batch_idx, optimizer, optimizer_closure)
        self._run_whole(step)
        if self.average is not None:
            self.average.update(self.model)

    def on_train_end(self) -> None:
        """Warn of the number of batches that were too large."""
        if self.n_halved > 1:
            logger.warning("Memory did not hold %d batches, which were trained on in halves.", self.n_halved)

    def on_validation_epoch_start(self) -> None:
        """Accumulate in double precision."""
        self._accumulate_in_double()

    def total_loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the weighted sum of the losses of a batch; return it, and each loss by objective, as scalars."""
        losses = self._predict(batch)[1]
        return self.balance(losses), losses

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Update losses and metrics; return each objective's scored predictions and true values, for the plots."""
        objectives = self.model.active_objectives()
        with nullcontext() if self.average is None else self.average.swapped_into(self.model):
            predictions, losses = self._run_whole(partial(self._predict, batch))
            scored = {name: objectives[name].scored(predictions[name], batch) for name in self.weights}
        for name, (prediction, truth) in scored.items():
            self.n_scored[name].update(len(truth))  # type: ignore[operator]
            if not len(truth):
                continue
            for metric in self.scores[name].values():  # type: ignore[operator, union-attr]
                metric.update(prediction.double(), truth)
        for name, loss in losses.items():
            self._log(f"validation/{name}_loss", loss, batch)
        self._log(LOSS, losses[self.main] if self.main else self.balance.fixed(losses), batch)
        return scored

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self.overall = {
            name: ValidationSummary.compute(self.n_scored[name], dict(metrics.items()))  # type: ignore[arg-type, operator, union-attr]
            for name, metrics in self.scores.items()
        }
        for name, summary in self.overall.items():
            objective = self.model.active_objectives()[name]
            for metric_name, value in summary.metrics.items():
                if summary.n >= _FEWEST_SCORED and value.ndim == 0:
                    full_name = f"validation/{name}_{metric_name}"
                    is_shown = objective.is_headline(metric_name) or full_name == self.criterion.logged_as
                    self.log(full_name, value.float(), prog_bar=is_shown)

    def _accumulate_in_double(self) -> None:
        """Set the dtype of the metrics again: moving the module to a dtype moves them as well."""
        for metric in self.modules():
            if isinstance(metric, Metric):
                metric.set_dtype(torch.float64)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Copy a batch from page-locked memory while the device computes."""
        return batch.to(device, non_blocking=True)

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Scale gradients down to ``--gradient-clip``; Lightning's own way refuses fused optimisers in bfloat16."""
        clip_gradients(self.model.parameters(), self.training_config.gradient_clip)

    def configure_optimizers(self) -> Any:
        """Build the optimiser, with a learning rate for each group of weights, and the schedule, stepped per optimiser step."""
        config, groups = self.training_config, self.parameter_groups()
        optimizer = build_optimiser(config, groups)
        if config.schedule == "plateau":
            scheduler = ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=config.plateau_epochs - 1)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": LOSS}}
        n_steps = int(self.trainer.estimated_stepping_batches)
        rate_factor = rate_factor_of(config, n_steps)
        first_steps = [math.ceil(group.first_epoch * n_steps / config.epochs) for group in groups]
        schedule = LambdaLR(optimizer, [partial(from_step, rate_factor, first_step) for first_step in first_steps])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def parameter_groups(self) -> list[Group]:
        """Group all trainable weights: those of the model, and those that balance the losses."""
        groups = group_parameters(self.model, self.model.base_encoder.config, self.training_config, self.transfer)
        if balances := list(self.balance.parameters()):
            groups.append(Group(balances, self.training_config.lr, 0.0, 0, is_hidden=False))
        return groups

    def _predict(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        encoding = self.model(batch)
        objectives = self.model.active_objectives()
        predictions = {name: objectives[name](encoding, batch) for name in self.weights}
        return predictions, {name: objectives[name].loss(predictions[name], batch) for name in self.weights}

    def _run_whole(self, step: Callable[[], Result]) -> Result:
        """Run a step that is never run in halves; if memory does not hold it on one rank, raise on all."""
        results: list[Result] = []
        if self.device_mesh is not None:
            return step()
        if not fits(lambda: results.append(step()), self.trainer.world_size > 1):
            task = "validation" if self.trainer.validating else "the optimiser"
            raise StepTooLargeError(f"Memory does not hold a step of {task}. {ADVICE}")
        return results[0]

    def _log_mean(self, name: str) -> None:
        """Log the epoch's mean over training samples as a metric, whose state can be saved within the epoch."""
        mean: Any = self.means[name]
        self.log(f"train/{name}", mean, prog_bar=name.endswith("loss"), on_step=False, on_epoch=True)

    def _log(self, name: str, value: Tensor, batch: Batch) -> None:
        n_samples = batch.n_samples_of_all_ranks
        self.log(name, value, prog_bar=name == LOSS, on_step=False, on_epoch=True, batch_size=n_samples)
