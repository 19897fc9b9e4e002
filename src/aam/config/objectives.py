"""What the model learns from, and how much each part weighs."""

import dataclasses
from typing import Annotated, Any, Literal

import tyro
from pydantic import Field, model_validator

from aam.config._base import config, flag_of
from aam.config.objective_table import FLAG_OF_RESOURCE, OBJECTIVES, ObjectiveRow, encoder_types
from aam.errors import name_some

_CHOICES = "; ".join(
    f"{name} ({', '.join([row.summary, *(FLAG_OF_RESOURCE[need] for need in row.needs)])})"
    for name, row in encoder_types().items()
)
_ENCODER_TYPE = (
    "What samples (or, for taxonomy, ASVs) are to be known for, one or several. The first distance named is the one between sample "
    "vectors; each further one is read from a linear map of them. Not given: unweighted-unifrac with --tree, distance with "
    f"--distances. {_CHOICES}"
)


@config
class ObjectivesConfig:
    """Losses and their weights."""

    encoder_type: Annotated[tuple[str, ...], tyro.conf.arg(help=_ENCODER_TYPE)] = ()
    """What samples are to be known for; the table of `aam.config.objective_table` lists the choices."""
    encoder_weights: tuple[Annotated[float, Field(gt=0, le=1e6)], ...] = ()
    """Weight of each --encoder-type, in their order; not given: 1 each."""
    penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Multiplies the weights of all --encoder-type; 0 leaves them out."""
    unifrac_alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How much generalized-unifrac lets abundant lineages decide: 1 is normalized-weighted-unifrac."""
    loss_balancing: Literal["fixed", "uncertainty"] = "fixed"
    """fixed: weights stay; uncertainty: each loss is also divided by a variance that is learned (Kendall et al. 2018), so that none
    drowns the others."""
    nuc_penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight of the masked nucleotides; 0 leaves them out."""
    nuc_mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a sequence's nucleotides that are masked."""
    nuc_asv_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of a batch's distinct ASVs that are also read with masked nucleotides; time grows with it."""
    nuc_mask_strategy: Literal["random", "span"] = "random"
    """Which nucleotides are masked: single ones anywhere, or runs of neighbours, which neighbours cannot give away."""
    count_penalty: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Weight of predicting an ASV's abundance from the rest of its sample; 0 leaves it out."""
    count_mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a sample's ASVs whose abundance is hidden for that loss."""
    asv_mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a sample's ASVs that --encoder-type masked-asvs hides."""
    count_loss: Literal["mse", "multinomial"] = "mse"
    """mse: squared error of the log relative abundance; multinomial: likelihood of how the reads of the hidden ASVs are divided
    among them."""

    @model_validator(mode="after")
    def _types_are_known(self) -> "ObjectivesConfig":
        known = encoder_types()
        for name in self.encoder_type:
            if name not in known:
                raise ValueError(f"--encoder-type {name} is unknown: choose from {name_some(list(known), len(known))}.")
        if len(set(self.encoder_type)) < len(self.encoder_type):
            raise ValueError("--encoder-type names one twice: name each once, and weigh it with --encoder-weights.")
        if self.encoder_weights and len(self.encoder_weights) != len(self.encoder_type):
            raise ValueError(
                f"--encoder-weights has {len(self.encoder_weights)} numbers for {len(self.encoder_type)} names in "
                "--encoder-type: give one for each, in the same order."
            )
        return self

    def weights(self, default: str | None) -> dict[str, float]:
        """Give each objective's weight, by name, of those that weigh anything; ``default`` is the type if none is named."""
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
    """Give the table's rows of the objectives that weigh something."""
    return {name: OBJECTIVES[name] for name in weights}


def refuse_idle_options(weights: dict[str, float], *options: Any) -> None:
    """Refuse options of objectives that are not learned.

    Parameters
    ----------
    weights
        Of those that are, by name.
    options
        Configs whose fields they are among.

    Raises
    ------
    ValueError
        One is not at its default.
    """
    owner = {option: name for name, row in OBJECTIVES.items() if name not in weights for option in row.options}
    for given in options:
        for field in dataclasses.fields(given):
            name = owner.get(field.name)
            if name is not None and getattr(given, field.name) != field.default:
                weight = OBJECTIVES[name].weight_option
                remedy = f"add {name} to --encoder-type" if weight is None else f"pass {flag_of(weight)} above 0"
                raise ValueError(
                    f"{flag_of(field.name)} has no effect, as {name} is not learned: {remedy}, or leave it out."
                )
