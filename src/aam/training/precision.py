"""Device and arithmetic of a run: as the user asked, or as measured where the user leaves it to aam."""

import time
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

from aam.config.training import TrainingConfig
from aam.errors import ConfigError
from aam.nn.attention import attention_kernel

FAST_IN_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""CPU instruction sets; without any of them, no CPU multiplies bfloat16 matrices faster than float32 ones."""

GAIN = 1.3
"""Least ratio of the times of a matrix product in float32 and in bfloat16 at which bfloat16 pays: casting costs, too."""

_SIZE = 768

_TRIES = 3


def resolve_precision(precision: str) -> str:
    """Resolve ``auto`` to bfloat16 where this machine multiplies it faster, else to float32.

    Returns
    -------
    str
        A precision of Lightning, such as ``"bf16-mixed"``; any other than ``auto`` is returned as it is.

    Raises
    ------
    ConfigError
        The precision needs a GPU, and there is none.

    Examples
    --------
    >>> resolve_precision("64-true")
    '64-true'
    """
    if precision == "16-mixed" and not torch.cuda.is_available():
        raise ConfigError(
            "--precision 16-mixed needs a GPU: pass 32-true, or bf16-mixed where the CPU multiplies it fast."
        )
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    capabilities = torch.cpu.get_capabilities()
    return "bf16-mixed" if any(capabilities.get(name) for name in FAST_IN_BFLOAT16) and _gains() else "32-true"


@cache
def _gains() -> bool:
    """Whether this CPU is faster in bfloat16: some virtual machines with the instructions are not."""
    seconds = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(_TRIES):
        for dtype, best in seconds.items():
            seconds[dtype] = min(best, _seconds(dtype))
    return seconds[torch.float32] > GAIN * seconds[torch.bfloat16]


def _seconds(dtype: torch.dtype) -> float:
    """Time one product of two square matrices on the CPU."""
    matrix = torch.ones(_SIZE, _SIZE, dtype=dtype)
    begun = time.perf_counter()
    torch.mm(matrix, matrix)
    return time.perf_counter() - begun


def device_type() -> str:
    """Return the type of device that torch uses, ``"cuda"`` or ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def accelerator() -> str:
    """Return Lightning's name of the device, ``"gpu"`` or ``"cpu"``."""
    return "gpu" if torch.cuda.is_available() else "cpu"


def weight_type(config: TrainingConfig) -> torch.dtype:
    """Return the dtype of the weights."""
    return torch.float64 if config.precision == "64-true" else torch.float32


def lightning_precision(config: TrainingConfig) -> Any:
    """Return the precision to pass to Lightning: its 64-true refuses frozen batches, so aam converts the module for that."""
    return "32-true" if config.precision == "64-true" else resolve_precision(config.precision)


def autocast(config: TrainingConfig) -> torch.autocast:
    """Return the context of a forward pass outside Lightning."""
    precision = resolve_precision(config.precision)
    dtype = torch.float16 if precision == "16-mixed" else torch.bfloat16
    return torch.autocast(device_type(), dtype, enabled=precision.endswith("mixed"))


def kernel_of_attention(config: TrainingConfig) -> AbstractContextManager[None]:
    """Return the context in which all attention runs on the kernel that the config asks for."""
    return attention_kernel(config.attn_implementation, torch.device(device_type()), _type_of_attention(config))


def _type_of_attention(config: TrainingConfig) -> torch.dtype:
    """Return the dtype of attention; on a CPU it is never half precision."""
    precision = resolve_precision(config.precision)
    if precision == "64-true":
        return torch.float64
    is_half = precision != "32-true" and torch.cuda.is_available()
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}[precision] if is_half else torch.float32
