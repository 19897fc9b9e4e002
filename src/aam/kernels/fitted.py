"""What fitting one kernel machine gives."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fitted:
    """One kernel machine at its best penalty.

    Attributes
    ----------
    penalty
        The one chosen.
    loss
        Leave-one-group-out: squared error over variance, or log loss with classes of equal weight.
    dual
        Coefficients of the training samples, [n, K].
    held_out
        Outputs for each training sample by the machine that was fitted without its group, [n, K].
    """

    penalty: float
    loss: float
    dual: np.ndarray
    held_out: np.ndarray
