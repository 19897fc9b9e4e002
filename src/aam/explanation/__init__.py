"""Which organisms drive predictions, how far to trust that, and where they sit in the tree."""

from aam.explanation.api import explain_estimator, explain_predictor

__all__ = ["explain_estimator", "explain_predictor"]
