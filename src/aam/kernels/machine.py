"""A fitted kernel machine: a kernel and the coefficients of its training samples."""

from dataclasses import dataclass

import numpy as np

from aam.kernels.gram import MeanKernel
from aam.kernels.views import Samples


@dataclass(frozen=True)
class KernelMachine:
    """Gives ``f(x) = Σ K(x, xᵢ) αᵢ``.

    Attributes
    ----------
    kernel
        Compares with the training samples.
    dual
        α, [n, K].
    """

    kernel: MeanKernel
    dual: np.ndarray

    def outputs(self, samples: Samples) -> np.ndarray:
        """Give centred values [m, 1], or logits, one per class or of the second of two classes."""
        return self.kernel.against_training(samples) @ self.dual
