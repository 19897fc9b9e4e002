"""Integrals of gradients along a straight path, with as many steps as their sum needs to be complete."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Integrand = Callable[[np.ndarray, np.ndarray], Tensor]
"""Sums, over points of the path from 0 to 1 and their weights, [K] each, the gradients times the way, [T, ...]."""


@dataclass(frozen=True)
class Quadrature:
    """Gauss–Legendre quadrature whose steps are doubled until attributions add up to the change of the output.

    Attributes
    ----------
    tolerance
        Error that ends the doubling, in units of the output; of changes above 1, as a share of them.
    steps, most_steps
        Number of points at first, and the most.
    """

    tolerance: float = 1e-5
    steps: int = 16
    most_steps: int = 256

    def solve(
        self, integrand: Integrand, total: Callable[[Tensor], Tensor], change: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Return attributions, the error of their sums, and the number of steps.

        Parameters
        ----------
        integrand
            Attributions from the points and weights of a quadrature, float64 [T, ...].
        total
            Sums of attributions that must equal the change of an output, [B].
        change
            Output at the end of the path minus that at its begin, float64 [B].
        """
        steps = self.steps
        while True:
            attributions = integrand(*points_of(steps))
            error = (total(attributions) - change).abs()
            is_complete = bool((error <= self.tolerance * change.abs().clamp(min=1)).all())
            if is_complete or 2 * steps > self.most_steps:
                return attributions, error, steps
            steps *= 2


def points_of(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights of Gauss–Legendre quadrature from 0 to 1, exact for polynomials of degree 2 · steps − 1.

    Examples
    --------
    >>> points, weights = points_of(2)
    >>> round(float(weights @ points**3), 12)
    0.25
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def gradient_of(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Compute the gradient of the sum of some outputs, [B], float64 in the shape of the inputs; the model keeps none."""
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    return gradient.double()
