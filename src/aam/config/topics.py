"""How the help is divided: topics of options, titles of the short help, and what the kernel head leaves aside."""

from dataclasses import dataclass
from typing import Any

from aam.config.options import marks_of, values_of


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


BRIEF_TITLES = ("Study", "Labels", "Folds", "Objectives", "Model", "Training", "Output")
"""Titles of the short help, in its order."""

IN_STUDY, IN_LABELS, IN_FOLDS = Brief("Study"), Brief("Labels"), Brief("Folds")

IN_MODEL, IN_TRAINING, IN_OUTPUT = Brief("Model"), Brief("Training"), Brief("Output")

FIRST_IN_LABELS = Brief("Labels", rank=0)

IN_OBJECTIVES = Brief("Objectives", ("pretrain",))


@dataclass(frozen=True)
class ReadBy:
    """Mark of an option, an item of the field's ``Annotated``: which head reads it.

    A config with ``is_network_only`` marks all its options but those with a mark of their own.
    """

    is_network_only: bool


NETWORK_ONLY, ANY_HEAD = ReadBy(is_network_only=True), ReadBy(is_network_only=False)


@dataclass(frozen=True)
class MoreText:
    """Mark of an option, an item of the field's ``Annotated``: what is said of it beside the string under the field."""

    text: str


def fields_of_any_head(config: Any) -> tuple[str, ...]:
    """Return the names of the fields, among options of the network, that the kernel head reads as well."""
    return tuple(name for name, (field, _) in values_of(config).items() if ANY_HEAD in marks_of(field))
