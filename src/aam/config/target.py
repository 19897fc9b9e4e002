"""What of the metadata column is learned, by whichever head."""

from typing import Literal

from pydantic import model_validator

from aam.config._base import config, refuse_without_effect

Transform = Literal["none", "minmax", "zscore", "zscore-category", "log-minmax", "log-zscore"]


@config
class TargetConfig:
    """What kind of column is learned, and in which units."""

    task: Literal["auto", "regression", "classification", "ordinal"] = "auto"
    """auto: a numeric column is regressed, any other is classified. ordinal: classes with an order, such as stages, where a mistake
    by one class is smaller than one by three; the kernel head learns them as classes without an order."""
    class_order: tuple[str, ...] = ()
    """Of --task ordinal: the classes, lowest first. Not given: the numbers of a numeric column in their order."""
    target_transform: Transform = "zscore"
    """Units in which a numeric column is learned; predictions, metrics and intervals are in its own. zscore: less the training
    samples' mean, in their standard deviations; minmax: their range becomes 0 to 1; none: own units; log-zscore, log-minmax: the
    same of log(1 + value), for values from 0 over several orders of magnitude, whose errors should count by ratio; zscore-category:
    by the mean and standard deviation of each category of --normalize-by. For the kernel head, zscore, minmax and none are one."""
    normalize_by: str | None = None
    """Metadata column of categories, such as the site, for --target-transform zscore-category: the model learns how far a sample is
    from what is usual in its category. 'aam predict' needs the column, too: pass it --metadata."""

    @model_validator(mode="after")
    def _classes_have_an_order(self) -> "TargetConfig":
        refuse_without_effect(self, {"class_order": ("task", "ordinal")})
        if len(set(self.class_order)) < len(self.class_order):
            raise ValueError(f"--class-order {' '.join(self.class_order)} names a class twice: name each once.")
        return self

    @model_validator(mode="after")
    def _categories_have_a_column(self) -> "TargetConfig":
        if (self.target_transform == "zscore-category") != (self.normalize_by is not None):
            raise ValueError(
                "--target-transform zscore-category and --normalize-by COLUMN belong together: pass both or neither."
            )
        return self
