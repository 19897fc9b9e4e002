"""A kernel head and, where it has one, its pre-trained encoder, as a module that is saved and loaded like any other."""

from typing import Any

import numpy as np
import torch
from torch import nn

from aam.data.target import TargetState
from aam.kernels.head import KernelHead
from aam.kernels.saving import head_arrays, head_facts, rebuild_head
from aam.models.sequence_encoder import SequenceEncoder


class KernelModel(nn.Module):
    """Holds a head's arrays as buffers, so that its state is strict.

    Parameters
    ----------
    facts
        What `kernel_facts` gave.
    base_model
        The pre-trained encoder; None for a head without one.
    """

    def __init__(self, facts: dict[str, Any], base_model: SequenceEncoder | None) -> None:
        super().__init__()
        self.facts, self.base_model = facts, base_model
        for name, (dtype, *shape) in facts["arrays"].items():
            self.register_buffer(name, torch.zeros(shape, dtype=getattr(torch, dtype)))

    @classmethod
    def of(cls, head: KernelHead, base_model: SequenceEncoder | None) -> "KernelModel":
        """Wrap a head."""
        model = cls(kernel_facts(head), base_model)
        for name, array in head_arrays(head).items():
            model.get_buffer(name).copy_(torch.from_numpy(array.copy()))
        return model

    def head(self, target: TargetState) -> KernelHead:
        """Unwrap the head; what gives the vectors of samples is not set yet.

        Raises
        ------
        KeyError, ValueError
            Its parts do not fit together.
        """
        arrays: dict[str, np.ndarray] = {name: self.get_buffer(name).numpy() for name in self.facts["arrays"]}
        head = rebuild_head(target, arrays, self.facts)
        if (head.training.vectors is None) != (self.base_model is None):
            raise ValueError("the head and the pre-trained encoder do not fit together")
        return head


def kernel_facts(head: KernelHead) -> dict[str, Any]:
    """Say what a head is beside the content of its arrays, for JSON."""
    arrays = {name: [str(array.dtype), *array.shape] for name, array in head_arrays(head).items()}
    return {**head_facts(head), "has_encoder": head.training.vectors is not None, "arrays": arrays}
