"""The arithmetic that aam chooses: what the machine was seen to be faster in."""

import pytest
import torch

from aam.errors import ConfigError
from aam.training import precision
from aam.training.precision import resolve_precision

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="asks about a CPU")


def seen(monkeypatch, instructions, seconds):
    """Let this machine have instructions, and take so long for a product in float32 and bfloat16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))
    monkeypatch.setattr(precision, "_seconds", dict(zip((torch.float32, torch.bfloat16), seconds, strict=True)).get)
    precision._gains.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    yield
    precision._gains.cache_clear()


@pytest.mark.parametrize("asked", ["32-true", "bf16-mixed", "64-true"])
def test_what_is_asked_for_is_given(asked):
    assert resolve_precision(asked) == asked


@pytest.mark.parametrize(
    ("instructions", "seconds", "chosen"),
    [
        (["avx512_bf16"], (3.0, 1.0), "bf16-mixed"),
        (["amx_bf16"], (3.0, 1.0), "bf16-mixed"),
        (["avx512_bf16"], (1.0, 2.0), "32-true"),  # has the instruction, and is slower with it
        (["avx512_bf16"], (1.2, 1.0), "32-true"),  # gains less than casting costs
        (["avx2"], (3.0, 1.0), "32-true"),
    ],
)
def test_bfloat16_is_chosen_where_it_is_faster(instructions, seconds, chosen, monkeypatch):
    seen(monkeypatch, instructions, seconds)

    assert resolve_precision("auto") == chosen


def test_the_real_machine_is_measured_in_either_arithmetic():
    assert all(0 < precision._seconds(dtype) < 60 for dtype in (torch.float32, torch.bfloat16))


def test_16_mixed_needs_a_gpu():
    with pytest.raises(ConfigError, match=r"--precision 16-mixed .*\b32-true\b"):
        resolve_precision("16-mixed")
