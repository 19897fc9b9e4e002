"""Parts of the model that are recomputed in the backward pass, so that their activations need not be kept until then."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(run: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """Call it, and keep for the backward pass only its arguments (Chen et al. 2016, Training deep nets with sublinear memory cost).

    Recomputation stops before the last product, whose result no gradient needs. What is called must not draw random numbers: it
    would draw others the second time.
    """
    if not torch.is_grad_enabled():
        return run(*arguments)
    return checkpoint(run, *arguments, use_reentrant=False, preserve_rng_state=False)  # type: ignore[no-any-return]
