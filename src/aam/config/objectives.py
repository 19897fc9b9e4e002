"""What the model learns from, and how much each part weighs: the table of objectives, and its options."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import tyro
from pydantic import Field, model_validator

from aam.config.base import config
from aam.config.options import (
    FLAG_NAMES,
    GIVEN,
    IN_OBJECTIVES,
    OBJECTIVES_TOPIC,
    MoreText,
    OnlyWith,
    Topic,
    Values,
    flag_of,
)
from aam.errors import name_some

_DISTANCE = "aam.objectives.sample_distance:SampleDistance"

_VALUE = "aam.objectives.sample_value:SampleValue"

FLAG_OF_RESOURCE = {"tree": "--tree", "taxonomy": "--taxonomy", "distances": "--distances"}
"""What an objective may need beside the study, and the option that gives it."""


@dataclass(frozen=True)
class ObjectiveRow:
    """One row of the table. Code is named, not imported, so that ``aam --help`` answers at once.

    Attributes
    ----------
    path
        The class, ``module:Class``.
    summary
        A line of help.
    needs
        Keys of `FLAG_OF_RESOURCE`.
    measure
        The function ``module:function`` that a distance or a value of a sample is computed by; None for other objectives.
    needs_pairs
        It compares the samples of a batch with each other.
    weight_option
        The option that is its weight; None for an objective that ``--objectives`` chooses.
    """

    path: str
    summary: str
    needs: tuple[str, ...] = ()
    measure: str | None = None
    needs_pairs: bool = False
    weight_option: str | None = None


def _distance(measure: str, summary: str, *needs: str) -> ObjectiveRow:
    return ObjectiveRow(_DISTANCE, summary, needs, measure, needs_pairs=True)


def _value(measure: str, summary: str, *needs: str) -> ObjectiveRow:
    return ObjectiveRow(_VALUE, summary, needs, measure)


OBJECTIVES: dict[str, ObjectiveRow] = {
    "unweighted-unifrac": _distance("aam.ecology.unifrac:unweighted", "share of branches not shared", "tree"),
    "weighted-unifrac": _distance("aam.ecology.unifrac:weighted", "branches by difference of abundance", "tree"),
    "normalized-weighted-unifrac": _distance("aam.ecology.unifrac:normalized", "the same, in 0 to 1", "tree"),
    "generalized-unifrac": _distance("aam.ecology.unifrac:generalized", "between both; --unifrac-alpha", "tree"),
    "bray-curtis": _distance("aam.ecology.measures:bray_curtis", "share of reads not shared"),
    "jaccard": _distance("aam.ecology.measures:jaccard", "share of ASVs not shared"),
    "aitchison": _distance("aam.ecology.measures:aitchison", "log-ratios, pseudo-count 1"),
    "robust-aitchison": _distance("aam.ecology.measures:robust_aitchison", "log-ratios of the ASVs present"),
    "distance": _distance("aam.ecology.measures:given_matrix", "your own matrix", "distances"),
    "faith-pd": _value("aam.ecology.unifrac:faith_pd", "Faith's phylogenetic diversity", "tree"),
    "observed-asvs": _value("aam.ecology.measures:observed_asvs", "number of ASVs"),
    "shannon": _value("aam.ecology.measures:shannon", "Shannon entropy, natural logarithm"),
    "taxonomy": ObjectiveRow("aam.objectives.taxonomy:Taxonomy", "lineage of each ASV", ("taxonomy",)),
    "composition": ObjectiveRow(
        "aam.objectives.taxon_abundance:TaxonAbundance", "taxa of each sample; --taxonomy-rank", ("taxonomy",)
    ),
    "masked-asvs": ObjectiveRow(
        "aam.objectives.masked_asvs:MaskedASVs", "which ASV a hidden one is, from the rest of its sample"
    ),
    "nucleotides": ObjectiveRow(
        "aam.objectives.masked_nucleotides:MaskedNucleotides", "masked nucleotides", weight_option="nuc_penalty"
    ),
    "counts": ObjectiveRow(
        "aam.objectives.hidden_abundance:HiddenAbundance", "hidden abundances", weight_option="count_penalty"
    ),
}
"""By the name that ``--objectives``, logs and ``config.json`` use. A new distance or value of a sample is a function and a row, a
new kind of objective a class and a row."""


def encoder_types() -> dict[str, ObjectiveRow]:
    """Return the rows that ``--objectives`` chooses from, by name."""
    return {name: row for name, row in OBJECTIVES.items() if row.weight_option is None}


_CHOICES = "; ".join(
    f"{name} ({', '.join([row.summary, *(FLAG_OF_RESOURCE[need] for need in row.needs)])})"
    for name, row in encoder_types().items()
)


def _with_alias(field_name: str) -> Any:
    """Return the argument of a field whose flag has another name; that of the field is taken as well."""
    return tyro.conf.arg(name=FLAG_NAMES[field_name], aliases=["--" + field_name.replace("_", "-")])


class LearnsObjectives:
    """What all configs of commands that learn objectives can be asked."""

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each objective that is learned, by name."""
        raise NotImplementedError


@dataclass(frozen=True)
class OnlyWithObjective(OnlyWith):
    """Condition that an objective is learned."""

    def is_met(self, instance: Any, values: Values) -> bool | None:
        """Return whether it is; None for a config of a part of the options."""
        if not isinstance(instance, LearnsObjectives):
            return None
        return any(name in instance.weights for name, _ in self.needs)

    @property
    def needed(self) -> str:
        """What makes it learned, as the user types it: ``--objectives composition``."""
        name = self.needs[0][0]
        weight = OBJECTIVES[name].weight_option
        return f"--objectives {name}" if weight is None else f"{flag_of(weight)} above 0"

    def explain(self, flags: list[str], value: Any, values: Values) -> str:
        """Return the message for an option of an objective that is not learned."""
        name = self.needs[0][0]
        is_chosen = OBJECTIVES[name].weight_option is None
        remedy = f"add {name} to --objectives" if is_chosen else f"pass {self.needed}"
        return f"{flags[0]} has no effect, as {name} is not learned: {remedy}, or leave it out."


def only_with_objective(name: str) -> OnlyWithObjective:
    """Declare that an option does something only where an objective of the table is learned."""
    return OnlyWithObjective(((name, GIVEN),), "")


@config
class ObjectivesConfig:
    """Losses and their weights."""

    topic: ClassVar[Topic] = OBJECTIVES_TOPIC
    is_network_only: ClassVar[bool] = True

    encoder_type: Annotated[
        tuple[str, ...], _with_alias("encoder_type"), MoreText(f"Choices: {_CHOICES}."), IN_OBJECTIVES
    ] = ()
    """What samples are to be known for, one or several, such as unweighted-unifrac faith-pd. Taxonomy and others are of ASVs.
    The first distance named is the one between sample vectors; each further one is read from a linear map of them. Not given:
    unweighted-unifrac with --tree, distance with --distances. --encoder-type is an earlier name, which files keep."""
    encoder_weights: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1e6)], ...], _with_alias("encoder_weights"), IN_OBJECTIVES
    ] = ()
    """Weight of each of --objectives, in their order. Not given: 1 each. --encoder-weights is an earlier name, which files
    keep."""
    penalty: Annotated[float, Field(ge=0, le=1e6), IN_OBJECTIVES] = 1.0
    """Factor on the weights of all --objectives; 0 leaves them out."""
    unifrac_alpha: Annotated[float, Field(ge=0, le=1), only_with_objective("generalized-unifrac")] = 0.5
    """How much generalized-unifrac lets abundant lineages decide: 1 is normalized-weighted-unifrac."""
    loss_balancing: Literal["fixed", "uncertainty"] = "fixed"
    """How the losses are weighed. fixed: weights stay; uncertainty: each loss is also divided by a variance that is learned
    (Kendall et al. 2018), so that none drowns the others."""
    nuc_penalty: Annotated[float, Field(ge=0, le=1e6), IN_OBJECTIVES] = 1.0
    """Weight of the masked nucleotides; 0 leaves them out."""
    nuc_mask_ratio: Annotated[float, Field(gt=0, lt=1), only_with_objective("nucleotides")] = 0.15
    """Share of a sequence's nucleotides that are masked."""
    nuc_asv_fraction: Annotated[float, Field(gt=0, le=1), only_with_objective("nucleotides")] = 0.25
    """Share of a batch's distinct ASVs that are also read with masked nucleotides; time grows with it."""
    nuc_mask_strategy: Annotated[Literal["random", "span"], only_with_objective("nucleotides")] = "random"
    """Which nucleotides are masked: single ones anywhere, or runs of neighbours, which neighbours cannot give away."""
    count_penalty: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Weight of predicting an ASV's abundance from the rest of its sample; 0 leaves it out."""
    count_mask_ratio: Annotated[float, Field(gt=0, lt=1), only_with_objective("counts")] = 0.15
    """Share of a sample's ASVs whose abundance is hidden for that loss."""
    asv_mask_ratio: Annotated[float, Field(gt=0, lt=1), only_with_objective("masked-asvs")] = 0.15
    """Share of a sample's ASVs that --objectives masked-asvs hides."""
    count_loss: Annotated[Literal["mse", "multinomial"], only_with_objective("counts")] = "mse"
    """Loss of the hidden abundances. mse: squared error of the log relative abundance; multinomial: likelihood of how the reads
    of the hidden ASVs are divided among them."""

    @model_validator(mode="after")
    def _types_are_known(self) -> "ObjectivesConfig":
        choices = encoder_types()
        for name in self.encoder_type:
            if name not in choices:
                raise ValueError(
                    f"--objectives {name} is unknown: choose from {name_some(list(choices), len(choices))}."
                )
        if len(set(self.encoder_type)) < len(self.encoder_type):
            raise ValueError("--objectives names one twice: name each once, and weigh it with --objective-weights.")
        if self.encoder_weights and len(self.encoder_weights) != len(self.encoder_type):
            raise ValueError(
                f"--objective-weights has {len(self.encoder_weights)} numbers for {len(self.encoder_type)} names in "
                "--objectives: give one for each, in the same order."
            )
        return self

    def weights(self, default: str | None) -> dict[str, float]:
        """Return the weight of each objective that weighs anything, by name; ``default`` is the type if none is named."""
        types = self.encoder_type or (() if default is None else (default,))
        chosen = self.encoder_weights or (1.0,) * len(types)
        weights = {name: self.penalty * weight for name, weight in zip(types, chosen, strict=True)}
        for name, row in OBJECTIVES.items():
            if row.weight_option is not None:
                weights[name] = getattr(self, row.weight_option)
        return {name: weight for name, weight in weights.items() if weight > 0}


@config
class PretrainingObjectivesConfig(ObjectivesConfig):
    """Self-supervised losses and their weights."""

    @model_validator(mode="after")
    def _something_to_learn(self) -> "PretrainingObjectivesConfig":
        if not self.penalty and not self.nuc_penalty and not self.count_penalty:
            raise ValueError("--penalty 0, --nuc-penalty 0 and --count-penalty 0 leave nothing to learn: raise one.")
        return self


@config
class SupervisedObjectivesConfig(ObjectivesConfig):
    """Losses of fine-tuning and their weights."""

    target_penalty: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Weight of the metadata column's loss."""
    nuc_penalty: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Weight of the masked nucleotides; 0 leaves them out."""
    count_penalty: Annotated[float, Field(ge=0, le=1e6)] = 0.1
    """Weight of predicting an ASV's abundance from the rest of its sample; 0 leaves it out."""


def rows_of(weights: dict[str, float]) -> dict[str, ObjectiveRow]:
    """Return the table's rows of the objectives that have a weight, by name."""
    return {name: OBJECTIVES[name] for name in weights}
