"""aam's kernel head for scikit-learn: `AAMRegressor` and `AAMClassifier`, for pipelines and cross-validation in Python."""

from aam.estimators.classifier import AAMClassifier
from aam.estimators.regressor import AAMRegressor

__all__ = ["AAMClassifier", "AAMRegressor"]
