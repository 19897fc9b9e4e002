"""Memory that runs out where a test says, as it does on a real device: by an error in the middle of a step."""

import torch
from lightning.pytorch.callbacks import Callback


class FullMemory(Callback):
    """Lets memory run out some times from the start of a training batch of the first epoch on.

    Parameters
    ----------
    batch_idx
        The batch.
    where
        ``forward``: when the model has run; ``backward``: when the gradients of the heads are there already; ``optimiser``;
        ``validation``: when the model runs on a validation batch after that.
    times
        How often.
    """

    def __init__(self, batch_idx, where="forward", times=1):
        self.batch_idx, self.where, self.times = batch_idx, where, times
        self.left, self.seen = 0, []

    def on_fit_start(self, trainer, pl_module):
        pl_module.model.register_forward_hook(self.look)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 0 and batch_idx == self.batch_idx:
            self.left = self.times

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if self.where == "optimiser":
            self.run_out()

    def look(self, model, arguments, encoding):
        """Note how many samples were run, and run out."""
        if model.training:
            self.seen.append(arguments[0].n_samples_of_all_ranks)
        if self.where == ("forward" if model.training else "validation"):
            self.run_out()
        elif self.where == "backward" and model.training and self.left:
            encoding.samples.sample_vectors.register_hook(self.run_out)

    def run_out(self, gradient=None):
        if self.left:
            self.left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. (simulated)")
