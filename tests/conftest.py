"""What every test shares: shape checks on the model's code, one thread, and a tiny study."""

import warnings
from pathlib import Path

from jaxtyping import install_import_hook

HOOK = install_import_hook(["aam.nn", "aam.models", "aam.objectives", "aam.batch", "aam.encoding"], "beartype.beartype")

with warnings.catch_warnings():  # libraries that warn while they are imported
    warnings.simplefilter("ignore")
    import lightning  # noqa: F401
    import torch.utils.tensorboard

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from aam.data.batches import BatchMaker, BatchPlan, Drawing, Masking
from aam.data.study import Study

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def real_study(name: str) -> Path:
    """Give the folder of a real study, or skip the test where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real study {name} is not beside this checkout")
    return folder


def make_study(n_samples=6, n_features=12, n_positions=11, seed=0, is_ragged=False) -> Study:
    """Make a small random study; every sample holds at least two ASVs."""
    stream = np.random.default_rng(seed)
    tokens = stream.integers(1, 5, size=(n_features, n_positions), dtype=np.uint8)
    if is_ragged:
        tokens[::3, -3:] = 0
    counts = stream.poisson(0.8, size=(n_samples, n_features)) * stream.integers(1, 30, size=(n_samples, n_features))
    counts[:, :2] += stream.integers(20, 40, size=(n_samples, 2))
    sample_ids = [f"S{i}" for i in range(n_samples)]
    feature_ids = [f"F{i}" for i in range(n_features)]
    return Study.from_arrays(sample_ids, feature_ids, tokens, csr_array(counts))


def make_batch(study: Study, samples=None, masking=None, depth=None, targets=None, epoch=0):
    """Make one batch of a study."""
    maker = BatchMaker(study, Drawing(depth, 1024, seed=0), masking or Masking(), targets or {})
    return maker[BatchPlan(epoch, tuple(range(study.n_samples)) if samples is None else tuple(samples))]


@pytest.fixture
def study() -> Study:
    return make_study()
