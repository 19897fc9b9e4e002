"""What every test shares: shape checks on the model's code, one thread, and a tiny study."""

import warnings

import pytest
from jaxtyping import install_import_hook

pytest.register_assert_rewrite("helpers")

HOOK = install_import_hook(
    ["aam.nn", "aam.models", "aam.objectives", "aam.metrics", "aam.batch", "aam.distributed.collective"],
    "beartype.beartype",
)

with warnings.catch_warnings():  # libraries that warn while they are imported
    warnings.simplefilter("ignore")
    import lightning  # noqa: F401
    import torch.utils.tensorboard

import hypothesis
import torch

from aam.data.study import Study
from helpers.studies import make_study

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("exploring", deadline=None)
hypothesis.settings.load_profile("repeatable")  # --hypothesis-profile=exploring draws other examples at each run


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep the user's cache out of the tests, and share one among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AAM_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_trees():
    """Let forests be small: how many trees there are changes how well they predict, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aam.kernels.trees.FOREST_TREES", 12)
        yield


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def study() -> Study:
    return make_study()
