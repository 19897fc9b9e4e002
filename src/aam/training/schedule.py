"""The learning rate over a run: a linear warm-up, then a cosine to zero."""

import math
from collections.abc import Callable


def warmup_cosine(n_steps: int, warmup_fraction: float) -> Callable[[int], float]:
    """Give the learning rate at each step as a share of its peak (Loshchilov & Hutter 2017).

    Examples
    --------
    >>> share = warmup_cosine(n_steps=10, warmup_fraction=0.2)
    >>> [round(share(step), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    n_warmup = max(1, round(warmup_fraction * n_steps))

    def share(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        done = min(1.0, (step - n_warmup) / max(1, n_steps - n_warmup))
        return 0.5 * (1 + math.cos(math.pi * done))

    return share
