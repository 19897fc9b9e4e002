"""Weights of attention on request: recomputed from the modules' inputs, beside the fused kernels, which never hold them."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from aam.nn.attention import Packed, PaddedLayout
from aam.nn.transformer import AttentionPooling, SelfAttention

AnyAttention = SelfAttention | AttentionPooling


def attention_weights(module: AnyAttention, x: Tensor, layout: PaddedLayout | Packed) -> list[Tensor]:
    """Compute the weights with which a module averages the values of each row or set: softmax(q kᵀ / √d) (Vaswani et al. 2017).

    Parameters
    ----------
    module
        Self-attention, or pooling by a learned query.
    x
        Its input, [B, A, D] in rows or [T, D] in packed sets.
    layout
        Which positions are real.

    Returns
    -------
    list of Tensor
        Weights of the real positions of each row or set, [H, Q, A]: rows add up to 1, and Q is A, or 1 for pooling. In the number
        format of the module, but at least in single precision.
    """
    if isinstance(module, SelfAttention):
        query, key, _ = module.project_in(x).unflatten(-1, (3, module.heads, -1)).unbind(-3)
        keys, queries = _sets(key, layout), _sets(query, layout)
    else:
        key, _ = module.key_and_value(x).unflatten(-1, (2, module.heads, -1)).unbind(-3)
        keys = _sets(key, layout)
        queries = [module.query.to(key.dtype)[None]] * len(keys)
    with torch.autocast(x.device.type, enabled=False):
        return [_softmax(query, key).detach() for query, key in zip(queries, keys, strict=True)]


def _sets(x: Tensor, layout: PaddedLayout | Packed) -> list[Tensor]:
    """Return the real positions of each row or set, [A, H, d] each."""
    if isinstance(layout, Packed):
        return [x[begin:end] for begin, end in pairwise(layout.offsets.tolist())]
    return list(x) if layout.mask is None else [row[mask] for row, mask in zip(x, layout.mask, strict=True)]


def _softmax(query: Tensor, key: Tensor) -> Tensor:
    precise = torch.promote_types(query.dtype, torch.float32)
    scores = torch.einsum("qhd,ahd->hqa", query.to(precise), key.to(precise))
    return torch.softmax(scores * query.shape[-1] ** -0.5, dim=-1)


class AttentionWatch:
    """Computes the weights of attention modules whenever they run, as a context or between `start` and `stop`; changes no result.

    Parameters
    ----------
    modules
        The modules, by the names that their weights get.

    Attributes
    ----------
    seen
        Weights of each row or set that went through each module, in the order in which they were read, [H, Q, A].
    """

    def __init__(self, modules: Mapping[str, AnyAttention]) -> None:
        self.modules = dict(modules)
        self.seen: dict[str, list[Tensor]] = {name: [] for name in self.modules}
        self._handles: list[RemovableHandle] = []

    def start(self) -> None:
        """Watch the modules, and forget what was seen."""
        self.stop()
        self.take()
        for name, module in self.modules.items():
            self._handles.append(module.register_forward_pre_hook(self._hook(name)))

    def stop(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def take(self) -> dict[str, list[Tensor]]:
        """Return what was seen since the last call, and forget it."""
        seen = self.seen
        self.seen = {name: [] for name in self.modules}
        return seen

    def __enter__(self) -> "AttentionWatch":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _hook(self, name: str):  # type: ignore[no-untyped-def]
        def see(module: nn.Module, arguments: tuple[Tensor, PaddedLayout | Packed]) -> None:
            assert isinstance(module, SelfAttention | AttentionPooling)
            self.seen[name] += attention_weights(module, *arguments)

        return see
