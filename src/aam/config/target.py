"""What is learned of the metadata column, by which head, and what its errors cost."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aam.config.base import config
from aam.config.options import HEAD, IN_LABELS, IN_MODEL, LOSS, NETWORK_ONLY, TARGET_TOPIC, Topic, only_with

Transform = Literal["none", "minmax", "zscore", "zscore-category", "log-minmax", "log-zscore"]


@config
class TargetConfig:
    """What kind of column is learned, and in which units."""

    topic: ClassVar[Topic] = TARGET_TOPIC

    task: Annotated[Literal["auto", "regression", "classification", "ordinal"], IN_LABELS] = "auto"
    """Kind of target; auto: a numeric column is regressed, any other is classified. ordinal: classes with an order, such as
    stages, where a mistake by one class is smaller than one by three; the kernel head learns them as classes without an
    order."""
    class_order: Annotated[tuple[str, ...], only_with(task="ordinal")] = ()
    """Classes of --task ordinal, lowest first. Not given: the numbers of a numeric column in their order."""
    smallest_class: Annotated[int, Field(ge=2)] | None = None
    """Leave out the samples of classes that have fewer samples, or fewer subjects with --group-column. They are counted. None:
    all classes are learned, and those of one or two samples or subjects named."""
    merge_classes: tuple[str, ...] = ()
    """Learn several classes as one, as NAME=CLASS,CLASS, such as ill=sick,unwell; of names with commas each by itself, as
    NAME=CLASS NAME=CLASS. NAME alone: the classes below --smallest-class, whose samples are then not left out. 'aam evaluate'
    merges what the model has merged."""
    target_transform: Transform = "zscore"
    """Units in which a numeric column is learned; predictions, metrics and intervals are in its own. zscore: less the training
    samples' mean, in their standard deviations; minmax: their range becomes 0 to 1; none: own units; log-zscore, log-minmax: the
    same of log(1 + value), for values from 0 over several orders of magnitude, whose errors should count by ratio; zscore-category:
    by the mean and standard deviation of each category of --normalize-by. For the kernel head, zscore, minmax and none are one."""
    normalize_by: str | None = None
    """Metadata column of categories, such as the site, for --target-transform zscore-category. The model learns how far a
    sample is from what is usual in its category. 'aam predict' needs the column, too: pass it --metadata."""

    @model_validator(mode="after")
    def _classes_have_an_order(self) -> "TargetConfig":
        if len(set(self.class_order)) < len(self.class_order):
            raise ValueError(f"--class-order {' '.join(self.class_order)} names a class twice: name each once.")
        return self

    @property
    def name_of_small_classes(self) -> str | None:
        """Name as which classes below --smallest-class are learned; None if their samples are left out."""
        return next((name for name in self.merge_classes if "=" not in name), None)

    @model_validator(mode="after")
    def _merged_classes_have_a_name(self) -> "TargetConfig":
        for pair in self.merge_classes:
            name, equals, classes = pair.partition("=")
            if not name or (equals and not classes):
                raise ValueError(f"--merge-classes {pair}: write NAME=CLASS,CLASS, such as ill=sick,unwell.")
        alone = [name for name in self.merge_classes if "=" not in name]
        if len(alone) > 1 or (alone and self.smallest_class is None):
            raise ValueError(
                f"--merge-classes {' '.join(alone)}: write NAME=CLASS,CLASS; one name alone is for the classes below "
                "--smallest-class, which must be passed, too."
            )
        return self

    @model_validator(mode="after")
    def _categories_have_a_column(self) -> "TargetConfig":
        if (self.target_transform == "zscore-category") != (self.normalize_by is not None):
            raise ValueError(
                "--target-transform zscore-category and --normalize-by COLUMN belong together: pass both or neither."
            )
        return self


@config
class HeadConfig:
    """What predicts the column: kernel machines, or the network."""

    topic: ClassVar[Topic] = HEAD

    head: Annotated[Literal["auto", "kernel", "network"], IN_MODEL] = "auto"
    """What predicts the column; auto: kernel for up to 1,000 samples with a value of one column, else network. kernel: compare
    samples by their ASVs, with --tree also by UniFrac and clades, and with --pretrained also by that model's sample vectors;
    takes seconds, uses all reads, and is the better choice for small studies. Options of the network and of its training then
    have no effect, and those given are named. network: train all weights of the network."""
    ensemble: Annotated[Annotated[int, Field(ge=2)] | None, IN_MODEL, NETWORK_ONLY] = None
    """Train N networks, each leaving out a different 1/N of the training samples; predict their mean. Groups are left out as a
    whole. Predictions have intervals or sets and a mark on samples unlike those of training, as the kernel head gives them.
    Takes N times as long; 5 is a good number. None: one network."""
    coverage: Annotated[float, Field(ge=0.5, lt=1), IN_MODEL] = 0.9
    """Share of new subjects' samples whose truth should lie in their interval or set. The kernel head and --ensemble give them:
    columns lower and upper, or set for classes. Needs at least coverage / (1 − coverage) training subjects: 9 for 0.9."""

    @model_validator(mode="after")
    def _ensembles_are_of_networks(self) -> "HeadConfig":
        if self.head == "kernel" and self.ensemble is not None:
            raise ValueError(
                "--ensemble is of networks, and the kernel head has members, intervals and sets of its own: leave it out, or pass "
                "--head network."
            )
        return self


DEFAULT_QUANTILES = (0.05, 0.5, 0.95)

_QUANTILES = only_with("{flag} has no effect without {needed}: pass both or neither.", loss_type="quantile")

_PENALTIES = only_with(
    "--over-penalty and --under-penalty have no effect without {needed}: pass it, or leave them out.",
    loss_type="asymmetric",
)


@config
class NumberConfig:
    """Options of the network's head for numbers."""

    topic: ClassVar[Topic] = LOSS
    is_network_only: ClassVar[bool] = True

    loss_type: Literal["huber", "mse", "mae", "quantile", "asymmetric"] = "huber"
    """What an error costs, in the units of --target-transform. huber: its square up to 1, then its size, so that a few odd samples
    do not decide; mse: its square, for the mean; mae: its size, for the median; quantile: as many outputs as --quantiles, of which
    0.5 is the prediction and the outer ones are columns lower and upper; asymmetric: huber, times --over-penalty where the
    prediction is too high and --under-penalty where it is too low."""
    quantiles: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], _QUANTILES] = DEFAULT_QUANTILES
    """Shares of the samples whose truth should lie below each output of --loss-type quantile. They increase, with 0.5 and at
    least one on either side. Outputs never cross."""
    over_penalty: Annotated[float, Field(gt=0, le=1000), _PENALTIES] = 1.0
    """How much more it costs to predict too much, with --loss-type asymmetric."""
    under_penalty: Annotated[float, Field(gt=0, le=1000), _PENALTIES] = 1.0
    """How much more it costs to predict too little, with --loss-type asymmetric."""

    bounded_targets: bool = False
    """Keep predictions within the range of the training samples' values, by a sigmoid. It is for scores and percentages, whose
    ends are the ends of what there is. Values near the ends are then hard to reach."""
    output_activation: Literal["none", "softplus", "sigmoid", "exp"] = "none"
    """What keeps outputs positive, in units of --target-transform none, minmax or log-minmax. softplus: above 0, and linear for
    large values; exp: above 0, and effects multiply; sigmoid: between 0 and 1."""

    @model_validator(mode="after")
    def _outputs_have_one_limit(self) -> "NumberConfig":
        if self.bounded_targets and self.output_activation != "none":
            raise ValueError(
                f"--bounded-targets and --output-activation {self.output_activation} both limit the outputs: leave one of them out."
            )
        return self

    @model_validator(mode="after")
    def _options_fit_the_loss(self) -> "NumberConfig":
        if self.loss_type == "asymmetric" and self.over_penalty == self.under_penalty:
            raise ValueError(
                "--loss-type asymmetric with equal penalties is huber: pass --over-penalty or --under-penalty, such as 3."
            )
        increases = all(low < high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False))
        if not increases or 0.5 not in self.quantiles[1:-1]:
            raise ValueError(
                f"--quantiles {' '.join(f'{level:g}' for level in self.quantiles)}: they must increase, with 0.5 among them and at "
                "least one on either side of it, such as 0.05 0.5 0.95."
            )
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantiles of the head's outputs, in increasing order; a single output counts as the middle."""
        return self.quantiles if self.loss_type == "quantile" else (0.5,)


@config
class ClassConfig:
    """Options of the network's head for classes."""

    topic: ClassVar[Topic] = LOSS
    is_network_only: ClassVar[bool] = True

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a sample's label that is spread evenly over all classes. It is for labels some of which are wrong, and for
    probabilities that are less sure. 0.1 is usual."""
    class_weights: Literal["balanced"] | Path | None = None
    """How much a sample counts by its class. balanced: inversely to the number of training samples of its class, so that a rare
    class counts as much as a common one: more of its samples are found, at the price of more false alarms; PATH: a file with
    tab-separated columns 'class' and 'weight'. None: all samples count the same."""


@config
class NetworkHeadConfig:
    """The network's head for the column, and what its errors cost."""

    topic: ClassVar[Topic] = HEAD
    is_network_only: ClassVar[bool] = True

    regressor_hidden_dims: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = ()
    """Widths of the head's hidden layers, such as 128 64. Not given: one, as wide as --embedding-dim. More are for many samples
    and a frozen base, whose features they can still bend."""
    regressor_residual: bool = True
    """Add a linear map of the features to what the hidden layers give, which then begin at nothing. So the head is linear until
    there is a reason. --no-regressor-residual: hidden layers alone."""
    head_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of the hidden layers' units dropped in training. None: as --dropout, which is that of their inputs."""
    output_scaling: str | None = None
    """Metadata column of categories, such as the study, that scale the head's outputs. They are stretched and shifted by
    numbers learned for each category, where studies differ in how they measured. 'aam predict' needs the column, too: pass it
    --metadata."""
    sample_weights: Annotated[str | None, LOSS] = None
    """Metadata column of categories, such as the site or study, each of which counts the same. Samples count inversely to the
    number of training samples of their category. Samples without one count as the mean sample."""
    loss_config: Annotated[Path | None, LOSS] = None
    """YAML file that says for numeric columns, by name, how each is learned. It may hold loss-type, quantiles, over-penalty,
    under-penalty, bounded-targets, output-activation and target-transform, as the options of these names say for all, and
    weight, how much its loss counts beside the others. What it leaves out of a column that it names has its default; a column
    that it does not name is learned as the options say."""
    numbers: NumberConfig = field(default_factory=NumberConfig)
    classes: ClassConfig = field(default_factory=ClassConfig)


@config
class ColumnLossConfig(NumberConfig):
    """What a file of ``--loss-config`` may say of a column: what the options of these names say, and its weight."""

    target_transform: Transform = "zscore"
    """Units in which it is learned."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How much its loss counts beside those of the other columns."""


Losses = Mapping[str, ColumnLossConfig]

NO_LOSSES: Losses = {}
