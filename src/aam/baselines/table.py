"""The baselines by their names."""

from collections.abc import Callable

import numpy as np

from aam.baselines.boosting import gradient_boosting
from aam.baselines.depth import depth
from aam.baselines.forests import extra_trees, random_forest
from aam.baselines.guess import guess
from aam.baselines.linear import linear
from aam.baselines.problem import Problem
from aam.baselines.unifrac import unifrac

BASELINES: dict[str, Callable[[Problem], np.ndarray]] = {
    "guess": guess,
    "depth": depth,
    "linear": linear,
    "unifrac": unifrac,
    "random-forest": random_forest,
    "extra-trees": extra_trees,
    "gradient-boosting": gradient_boosting,
}
"""By the values of ``--baselines``; each gives values [m] or probabilities [m, C] of the held-out samples."""
NEED_TREE = ("unifrac",)
"""Those that only a study with a tree can have."""
