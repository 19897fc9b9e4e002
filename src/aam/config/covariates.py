"""What the network's head reads of a sample beside its microbes: further columns of the metadata."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aam.config.base import config, flag_of
from aam.config.options import COVARIATES, GIVEN, IN_LABELS, Topic, only_with

_COLUMNS = only_with(
    "{flags} have no effect without {needed}: pass one of these.", categorical_columns=GIVEN, numeric_columns=GIVEN
)


@config
class CovariatesConfig:
    """Other metadata columns that the network's head reads beside the microbes."""

    topic: ClassVar[Topic] = COVARIATES
    is_network_only: ClassVar[bool] = True

    categorical_columns: Annotated[tuple[str, ...], IN_LABELS] = ()
    """Metadata columns of categories, such as sex country, that the network reads beside the microbes. It learns a vector for
    each category. 'aam predict' and 'aam evaluate' need the columns, too; a missing cell, and a category that training did not
    have, are read as unknown."""
    numeric_columns: Annotated[tuple[str, ...], IN_LABELS] = ()
    """Metadata columns of numbers, such as age, that the network reads beside the microbes. They are in standard deviations of
    the training samples (at most 10 of them); a missing cell is read as unknown."""
    categorical_fusion: Annotated[Literal["concat", "add", "gmu", "cross-attention", "perceiver"], _COLUMNS] = "concat"
    """How --categorical-columns and --numeric-columns meet the microbes. concat: vectors beside the sample's, mixed by a linear
    layer; add: their sum is added to it; gmu: a gate decides, feature by feature, which of both counts; cross-attention: each
    column looks for ASVs of its own; perceiver: a few learned readers look at columns and ASVs together."""
    category_parents: Annotated[tuple[str, ...], _COLUMNS] = ()
    """Hierarchies of categories, as CHILD=PARENT, such as city=country. The vector of a city is that of its country and what
    the city adds, so that an unknown city is read as its country. CHILD is one of --categorical-columns, or the PARENT of
    another."""
    category_dropout: Annotated[float, Field(ge=0, lt=1), _COLUMNS] = 0.1
    """Chance that the cell of a training sample is hidden, each column by itself, afresh in every step. So the network learns
    what to do where one is unknown, and to need none of them."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, each once: those named, then parents that only --category-parents names."""
        parents = self.parents.values()
        return tuple(dict.fromkeys([*self.categorical_columns, *self.numeric_columns, *parents]))

    @property
    def parents(self) -> Mapping[str, str]:
        """Column of the parent of each column that has one."""
        return dict(pair.split("=") for pair in self.category_parents)

    @model_validator(mode="after")
    def _columns_are_named_once(self) -> "CovariatesConfig":
        named = [*self.categorical_columns, *self.numeric_columns]
        twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
        if twice:
            raise ValueError(
                f"--categorical-columns and --numeric-columns name {', '.join(twice)} twice: name each once."
            )
        return self

    @model_validator(mode="after")
    def _parents_are_a_hierarchy(self) -> "CovariatesConfig":
        for pair in self.category_parents:
            if len(names := pair.split("=")) != 2 or not all(names):
                raise ValueError(f"--category-parents {pair}: write CHILD=PARENT, such as city=country.")
        children = [pair.split("=")[0] for pair in self.category_parents]
        categorical = {*self.categorical_columns, *self.parents.values()}
        for child in children:
            if children.count(child) > 1:
                raise ValueError(
                    f"--category-parents gives {child} two parents: keep the nearest, and give that one its own."
                )
            if child not in categorical:
                raise ValueError(
                    f"--category-parents {child}=…: {child} is not one of --categorical-columns. Add it there."
                )
            if child in self._above(child):
                raise ValueError(f"--category-parents leads from {child} back to {child}: leave out one of its pairs.")
        numeric = [name for name in self.parents.values() if name in self.numeric_columns]
        if numeric:
            raise ValueError(f"--category-parents: {numeric[0]} is one of --numeric-columns, and has no categories.")
        return self

    def _above(self, child: str) -> list[str]:
        """Return the parents of a column, the nearest first; a circle is walked once."""
        parents: list[str] = []
        while (parent := self.parents.get(parents[-1] if parents else child)) is not None and parent not in parents:
            parents.append(parent)
        return parents


def check_covariates(conditioning: CovariatesConfig, head: str, mixup_alpha: float | None) -> None:
    """Refuse options of a training run that do not go with columns beside the microbes."""
    if not conditioning.columns:
        return
    flags = " and ".join(
        flag_of(name) for name in ("categorical_columns", "numeric_columns") if getattr(conditioning, name)
    )
    if head == "kernel":
        raise ValueError(f"--head kernel reads microbes alone: leave out {flags}, or pass --head network.")
    if mixup_alpha is not None:
        raise ValueError(
            f"--mixup-alpha mixes samples, and there is nothing between the cells of {flags}: leave one of them out."
        )
