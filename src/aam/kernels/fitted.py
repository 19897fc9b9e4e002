"""What fitting one machine gives."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fitted:
    """One machine at its best penalty.

    Attributes
    ----------
    penalty
        The one chosen; None for a machine without one.
    loss
        On groups left out: squared error over variance, or log loss with classes of equal weight.
    held_out
        Outputs for each training sample by a machine that was fitted without its group, [n, K].
    dual
        Coefficients of the training samples, [n, K]; of kernel machines.
    """

    penalty: float | None
    loss: float
    held_out: np.ndarray
    dual: np.ndarray | None = None
