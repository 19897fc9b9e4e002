"""Which samples are trained on and which are held out."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from aam.config._base import config, flag_of

REQUIRED: dict[str, tuple[str, ...]] = {
    "random": (),
    "stratified": (),
    "grouped": ("group_column",),
    "leave-one-study-out": ("study_column", "held_out_study"),
    "k-fold": ("folds", "fold"),
    "file": ("split_file",),
}
"""Options that each kind of split needs."""
ALLOWED: dict[str, tuple[str, ...]] = {
    "stratified": ("group_column",),
    "leave-one-study-out": ("group_column",),
    "k-fold": ("group_column",),
    "file": ("group_column", "fold"),
}
"""Further options that it takes."""
DRAWN = ("stratified", "random", "grouped")
"""Kinds that hold out the share that ``--validation-fraction`` says."""


@config
class SplitConfig:
    """How samples are held out to choose the best epoch and to report metrics."""

    split: Literal["stratified", "random", "grouped", "leave-one-study-out", "k-fold", "file"] = "stratified"
    """stratified: alike in target, in classes or in quarters of a numeric column (and whole groups, with --group-column); random:
    any samples; grouped: whole groups, whatever their target; leave-one-study-out: all samples of --held-out-study, for how well a
    model carries over to a new study; k-fold: part --fold of --folds parts that are alike in target (and hold whole groups, with
    --group-column), for estimates that use every sample once; file: what --split-file says."""
    group_column: str | None = None
    """Column that names the subject (host, site, plot) of a sample: all samples of one stay on one side of the split.
    Without it, repeated subjects make validation look better than it is. Where studies or a file decide, a divided subject is
    only warned of."""
    study_column: str | None = None
    """Column that names the study of a sample, for leave-one-study-out. Samples without a value are trained on."""
    held_out_study: str | None = None
    """Value of --study-column whose samples validate."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Parts of k-fold; the same seed gives the same parts."""
    fold: Annotated[int, Field(ge=0)] | None = None
    """Part that validates, from 0; of k-fold, or of the column 'fold' of a --split-file."""
    split_file: Path | None = None
    """Tab-separated columns 'sample-id' and 'split' (train, validation, or test for samples to leave out), as in the splits.tsv
    of a run; or 'sample-id' and 'fold', with --fold. Every sample in use must be listed."""

    @model_validator(mode="after")
    def _options_fit_the_split(self) -> "SplitConfig":
        _check_options(self.split, asdict(self))
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise ValueError(
                f"--fold {self.fold} is out of range: with --folds {self.folds} they are numbered 0 to {self.folds - 1}."
            )
        return self


@config
class UnlabelledSplitConfig:
    """How samples are held out to choose the best epoch and to report metrics."""

    split: Literal["random", "file"] = "random"
    """random: any samples; file: what --split-file says."""
    fold: Annotated[int, Field(ge=0)] | None = None
    """Part that validates, of the column 'fold' of a --split-file; numbered as there."""
    split_file: Path | None = None
    """Tab-separated columns 'sample-id' and 'split' (train, validation, or test for samples to leave out), as in the splits.tsv
    of a run; or 'sample-id' and 'fold', with --fold. Every sample in use must be listed."""

    @model_validator(mode="after")
    def _options_fit_the_split(self) -> "UnlabelledSplitConfig":
        _check_options(self.split, asdict(self))
        return self

    @property
    def full(self) -> SplitConfig:
        """The same split among those of labelled samples."""
        return SplitConfig(**asdict(self))


def _check_options(split: str, values: dict[str, Any]) -> None:
    given = {name for name, value in values.items() if value is not None and name != "split"}
    missing = [name for name in REQUIRED[split] if name not in given]
    if missing:
        raise ValueError(f"--split {split} needs {' and '.join(map(flag_of, missing))}.")
    for name in sorted(given - {*REQUIRED[split], *ALLOWED.get(split, ())}):
        kinds = [kind for kind in REQUIRED if name in (*REQUIRED[kind], *ALLOWED.get(kind, ()))]
        raise ValueError(
            f"{flag_of(name)} has no effect on --split {split}: leave it out, or pass --split {' or '.join(kinds)}."
        )
