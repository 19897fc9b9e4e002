"""What a field of a config says of its option: spelling, place in the help, and without which others it does nothing."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

POSITIONAL = "files"
"""Field that is given without a flag."""

POSITIONAL_NAME = "FILE"
"""How messages call it."""

FLAG_NAMES = {"encoder_type": "objectives", "encoder_weights": "objective-weights"}
"""Name of the flag where it is not that of the field, which files of options keep and the command line takes as well."""


def flag_of(field_name: str) -> str:
    """Return a field's name as the user types it: ``--ffn-ratio`` for ``ffn_ratio``; files without a flag are ``FILE``."""
    if field_name == POSITIONAL:
        return POSITIONAL_NAME
    return "--" + FLAG_NAMES.get(field_name, field_name.replace("_", "-"))


GIVEN = ("any value but the default",)
"""In place of the values of another option."""

Values = Mapping[str, tuple[dataclasses.Field, Any]]
"""Each option of a config and of the configs in it, by field name: the field and the value."""


@dataclass(frozen=True)
class OnlyWith:
    """Condition without which an option does nothing, as an item of the field's ``Annotated``.

    Attributes
    ----------
    needs
        Names of other fields, each with the values of which it must have one, or `GIVEN`; one of these fields is enough.
    text
        Message for an option that is given although the condition does not hold. It may name ``{flag}``, ``{flags}`` (all
        options given without the same condition), ``{value}``, ``{needed}`` and ``{other}`` (what was needed, and what is).
    """

    needs: tuple[tuple[str, tuple[Any, ...]], ...]
    text: str

    @property
    def needed(self) -> str:
        """The condition, as the user types it: ``--loss-type quantile``."""
        options = []
        for name, values in self.needs:
            if values in ((True,), (False,)):
                options.append(flag_of(name) if values[0] else f"--no-{flag_of(name)[2:]}")
                continue
            shown = [] if values is GIVEN else [" or ".join(str(value) for value in values)]
            options.append(" ".join([flag_of(name), *shown]))
        return " or ".join(options)

    def is_met(self, instance: Any, values: Values) -> bool | None:
        """Return whether the condition holds in a config; None if it does not have the options that decide it."""
        if any(name not in values for name, _ in self.needs):
            return None
        return any(_holds(*values[name], wanted) for name, wanted in self.needs)

    def explain(self, flags: list[str], value: Any, values: Values) -> str:
        """Return the message for options that do nothing."""
        name = self.needs[0][0]
        other = f"{flag_of(name)} {values[name][1]}"
        return self.text.format(flag=flags[0], flags=" and ".join(flags), value=value, needed=self.needed, other=other)


def _holds(field: dataclasses.Field, value: Any, wanted: tuple[Any, ...]) -> bool:
    return value != field.default if wanted is GIVEN else value in wanted


def only_with(
    text: str = "{flag} has no effect without {needed}: pass both, or leave it out.",
    **needs: tuple[Any, ...] | str | bool | None,
) -> OnlyWith:
    """Declare what an option needs to do anything: the values of another option, or `GIVEN`; of several options, one is enough.

    Examples
    --------
    >>> only_with(schedule="restarts").needed
    '--schedule restarts'
    >>> only_with(categorical_columns=GIVEN, numeric_columns=GIVEN).needed
    '--categorical-columns or --numeric-columns'
    """
    as_tuples = ((name, values if isinstance(values, tuple) else (values,)) for name, values in needs.items())
    return OnlyWith(tuple(as_tuples), text)


def marks_of(field: dataclasses.Field) -> tuple[Any, ...]:
    """Return the items of a field's ``Annotated``."""
    return getattr(field.type, "__metadata__", ())


def type_of(field: dataclasses.Field) -> Any:
    """Return the type of a field without the items of its ``Annotated``."""
    return get_args(field.type)[0] if marks_of(field) else field.type


def condition_of(field: dataclasses.Field) -> OnlyWith | None:
    """Return the condition of an option; None if it always has an effect."""
    return next((mark for mark in marks_of(field) if isinstance(mark, OnlyWith)), None)


def values_of(instance: Any) -> Values:
    """Return the value of each option of a config, by the name of its field."""
    return {field.name: (field, value) for field, value in _leaves(instance)}


def _leaves(instance: Any) -> Iterator[tuple[dataclasses.Field, Any]]:
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value)
        else:
            yield field, value


def refuse_without_effect(instance: Any) -> None:
    """Refuse options that differ from their defaults and do nothing beside the others.

    Raises
    ------
    ValueError
        There is one.
    """
    values = values_of(instance)
    idle: dict[OnlyWith, list[str]] = {}
    for name, (field, value) in values.items():
        condition = condition_of(field)
        if condition is not None and value != field.default and condition.is_met(instance, values) is False:
            idle.setdefault(condition, []).append(name)
    for condition, names in idle.items():
        raise ValueError(condition.explain([flag_of(name) for name in names], values[names[0]][1], values))


@dataclass(frozen=True)
class Topic:
    """Options that ``aam COMMAND --help TOPIC`` explains together; a config names its own as ``topic``.

    Attributes
    ----------
    name
        What the user types.
    holds
        What the options are about, in a few words.
    """

    name: str
    holds: str


STUDY = Topic("study", "table, sequences, tree, distances, taxonomy, rarefaction")
LABELS = Topic("labels", "metadata, its columns, missing samples and values")
TARGET_TOPIC = Topic("target", "task, order of classes, units of the target")
HEAD = Topic("head", "kernel machines or network, ensemble, hidden layers")
LOSS = Topic("loss", "what an error costs: quantiles, penalties, weights")
COVARIATES = Topic("covariates", "other metadata columns that the network reads")
SPLIT = Topic("split", "samples held out for validation: groups, studies, folds")
FOLDS = Topic("folds", "folds, repeats, and the methods that are compared")
TRANSFER = Topic("transfer", "a pre-trained model to start from, and how it changes")
OBJECTIVES_TOPIC = Topic("objectives", "distances, diversity, taxonomy, masked nucleotides; weights")
AUGMENTATION = Topic("augmentation", "random changes of training samples")
MODEL = Topic("model", "width, layers, patches, memory of the network")
OPTIMISER = Topic("optimiser", "optimiser, learning rate and its schedule")
TRAINING = Topic("training", "epochs, batches, memory, early stopping, precision")
SAVING = Topic("saving", "checkpoints, continuing a run")
DEVICES = Topic("devices", "several GPUs, processes or machines")
INFERENCE = Topic("inference", "the model, and how it reads samples")
EXPLANATION = Topic("explanation", "which organisms drive predictions: exchanges, stability, own groups")
OUTPUT = Topic("output", "where results go, files of options")
OPTIONS = Topic("options", "what the command alone has")
"""Of configs that name no topic."""


@dataclass(frozen=True)
class Brief:
    """Mark of an option, an item of the field's ``Annotated``, that the short help of a command shows.

    Attributes
    ----------
    title
        Title that it stands under.
    commands
        Commands whose short help shows it; none for all.
    rank
        Those of a lower one stand first under the title.
    """

    title: str
    commands: tuple[str, ...] = ()
    rank: int = 1


BRIEF_TITLES = ("Study", "Labels", "Folds", "Objectives", "Model", "Training", "Explanation", "Output")
"""Titles of the short help, in its order."""

IN_STUDY, IN_LABELS, IN_FOLDS = Brief("Study"), Brief("Labels"), Brief("Folds")

IN_MODEL, IN_TRAINING, IN_OUTPUT = Brief("Model"), Brief("Training"), Brief("Output")

FIRST_IN_LABELS = Brief("Labels", rank=0)

IN_EXPLANATION, MODEL_OF_EXPLANATION = Brief("Explanation", ("explain",)), Brief("Model", ("explain",))

IN_OBJECTIVES = Brief("Objectives", ("pretrain",))


@dataclass(frozen=True)
class ReadBy:
    """Mark of an option, an item of the field's ``Annotated``: which head reads it.

    A config with ``is_network_only`` marks all its options but those with a mark of their own.
    """

    is_network_only: bool


NETWORK_ONLY, ANY_HEAD = ReadBy(is_network_only=True), ReadBy(is_network_only=False)


@dataclass(frozen=True)
class OneOf:
    """Mark of options, an item of the fields' ``Annotated``, of which exactly one is given; the usage names them."""


ONE_OF = OneOf()


@dataclass(frozen=True)
class MoreText:
    """Mark of an option, an item of the field's ``Annotated``: what is said of it beside the string under the field."""

    text: str


def fields_of_any_head(config: Any) -> tuple[str, ...]:
    """Return the names of the fields, among options of the network, that the kernel head reads as well."""
    return tuple(name for name, (field, _) in values_of(config).items() if ANY_HEAD in marks_of(field))
