"""Whether a training run is to start, to go on, or is finished already; and how a model is kept if its directory fails."""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import yaml
from torch import nn

from aam.config.base import flatten, input_paths
from aam.config.commands import LearningConfig, PretrainConfig, TrainConfig
from aam.config.saving import CHANGEABLE, LAST_CHECKPOINT, MEMBERS, SAVES_MEMORY
from aam.config.training import TrainingConfig
from aam.distributed.ranks import Ranks
from aam.errors import OutputError
from aam.inference.description import ModelDescription
from aam.inference.model_directory import BASE, CARD, CONFIG, WEIGHTS, save_model
from aam.labels.splits import SampleSplit
from aam.runs.pretrained import Pretrained, load_pretrained, shape_of
from aam.runs.results import write_splits
from aam.storage.cache import digest_of
from aam.storage.output import (
    OPTIONS,
    check_continued_directory,
    check_output_directory,
    remove_results,
    start_output_directory,
)
from aam.training.checkpoints import (
    HEADER,
    PROGRESS,
    CheckpointError,
    Identity,
    Progress,
    circumstances,
    differences,
    read_checkpoint,
)
from aam.training.fit import WRITTEN
from aam.training.nonfinite import REPORT
from aam.training.nonfinite import WEIGHTS as NONFINITE_WEIGHTS
from aam.training.precision import resolve_precision
from aam.training.saving import SavingPlan

logger = logging.getLogger(__name__)


Config = PretrainConfig | TrainConfig

RunConfig = TypeVar("RunConfig", PretrainConfig, TrainConfig)

State = Literal["new", "unsaved", "saved", "finished", "failed"]

_OF_STUDY = ("--table", "--sequences")  # their content is the study's digest


def state_of_run(config: Config) -> State:
    """Check the output directory, and say what is there: to continue, nothing, a run that saved nothing yet, or one that did; to
    look into, one that failed.

    Raises
    ------
    OutputError
        The directory may not be written to, or holds something else.
    """
    if config.saving.replay:
        _check_failed(config)
        return "failed"
    if not config.saving.resume:
        check_output_directory(config)
        return "new"
    if not check_continued_directory(config):
        return "new"
    output = config.output.output_dir
    if (output / "model" / CARD).is_file():  # the last that a run writes
        return "finished"
    if any((place / LAST_CHECKPOINT).exists() for place in run_directories(config)):
        return "saved"
    begun, asked = ({"ensemble": n} for n in (_options_of_run(config).get("ensemble"), _members_of(config)))
    if begun != asked:  # whose networks are saved elsewhere, and must not be lost
        _refuse(config, differences(asdict(Identity(begun, {}, "")), Identity(asked, {}, "")))
    return "unsaved"


def run_directories(config: PretrainConfig | LearningConfig) -> list[Path]:
    """Give the directories that networks are trained in: the run's own, or one for each member of an ensemble."""
    output, n_members = config.output.output_dir, _members_of(config)
    return [output] if n_members is None else [output / MEMBERS / str(number + 1) for number in range(n_members)]


def _members_of(config: PretrainConfig | LearningConfig) -> int | None:
    return config.head.ensemble if isinstance(config, LearningConfig) else None


def failed_place(config: Config) -> Path | None:
    """Give the directory, of those of a run, whose network ended because its loss was not finite."""
    for place in run_directories(config):
        if all((place / name).is_file() for name in (REPORT, NONFINITE_WEIGHTS)):
            return place
    return None


def _check_failed(config: Config) -> None:
    has_run = check_continued_directory(config)
    if not has_run or failed_place(config) is None:
        missing = [name for name in (REPORT, NONFINITE_WEIGHTS) if not (run_directories(config)[0] / name).is_file()]
        raise OutputError(
            f"--replay: --output-dir {config.output.output_dir} holds no run that ended because its loss was not finite: "
            f"{missing[0]} is missing. Name the directory of such a run."
        )


@dataclass(frozen=True)
class Run(Generic[RunConfig]):
    """A training run in its directory, as one of its processes sees it.

    Attributes
    ----------
    asked
        Options as the user gave them, with the batch size that was chosen when the run began.
    config
        The same with the shape of the pre-trained model.
    state
        What the directory holds.
    ranks
        The processes that train together.
    pretrained
        The model that training begins with, if any.
    """

    asked: RunConfig
    config: RunConfig
    state: State
    ranks: Ranks
    pretrained: Pretrained | None

    @property
    def options(self) -> dict[str, Any]:
        """Options as the user gave them, by flag: what a trained model records."""
        return flatten(self.asked)

    @property
    def directory(self) -> Path:
        """Where results go."""
        return self.config.output.output_dir

    def with_training(self, training: TrainingConfig) -> "Run[RunConfig]":
        """Return the run with options of training that were chosen for it."""
        return replace(self, config=replace(self.config, training=training))

    def begin(self, split: SampleSplit, results: Sequence[str]) -> None:
        """Make the directory ready, and write the split, unless the run goes on; the first process alone does.

        Parameters
        ----------
        split
            The part of each sample.
        results
            Names of what an earlier run may have left.

        Raises
        ------
        OutputError
            The directory cannot be written to.
        """
        if self.ranks.is_first:
            start_or_continue(self.config, self.state, [*WRITTEN, *results])
            write_splits(self.directory / "splits.tsv", split)


def open_run(config: RunConfig, pretrained: Path | None, ranks: Ranks) -> Run[RunConfig]:
    """Look at the directory of a run and load the model that it begins with; log it if the run is finished.

    Parameters
    ----------
    config
        Of the command.
    pretrained
        Directory of the model to begin with, if any.
    ranks
        The processes that train together; the first one looks, and all raise what is wrong.

    Raises
    ------
    AamError
        The directory may not be written to, or holds another run, or there is no such model.
    """
    state: State = "new"
    with ranks.raise_together():
        if ranks.is_first:
            state = state_of_run(config)
    state = ranks.from_first(state)
    with ranks.raise_together():
        asked = with_saved_batch_size(config, state)
        model = load_pretrained(pretrained)
        shaped = asked if model is None else replace(asked, model=shape_of(model[0], asked.model))
        if state == "finished" and ranks.is_first:
            say_finished(shaped)
    return Run(asked, shaped, state, ranks, model)


def with_saved_batch_size(config: RunConfig, state: State) -> RunConfig:
    """Return the options with the number of samples that ``--batch-size auto`` found when a run that goes on began.

    Raises
    ------
    CheckpointError
        The options of the run cannot be read.
    """
    if config.training.batch_size != "auto" or state not in ("saved", "finished", "failed"):
        return config
    batch_size = _options_of_run(config).get("batch-size")
    return replace(config, training=replace(config.training, batch_size=batch_size))


def say_finished(config: Config) -> None:
    """Say that nothing is left to do.

    Raises
    ------
    CheckpointError
        What is finished is a run with other settings.
    """
    output, saved, asked = config.output.output_dir, _options_of_run(config), _settings(config)
    known = {flag: saved[flag] for flag in asked if flag in saved}
    now = Identity({flag: asked[flag] for flag in known}, {}, "")
    _refuse(config, differences(asdict(Identity(known, {}, "")), now))
    logger.info("The run in %s is finished; nothing was done. Model: %s", output, output / "model")


def saving_plan(config: Config, state: State, digest: str, place: Path | None = None) -> SavingPlan:
    """Plan how the training of a network is saved, and find where it goes on.

    Parameters
    ----------
    config
        Of the command, with the shape of its model settled.
    state
        Of the run.
    digest
        Of the study, with the samples in use.
    place
        Directory of the network; None for that of the run.

    Raises
    ------
    CheckpointError
        The checkpoint is damaged, or of a run with other settings or files.
    """
    identity = identity_of(config, digest)
    if state != "saved":
        return SavingPlan(identity, None if config.devices.sharded_checkpoints else config.saving)
    path = (place or config.output.output_dir) / LAST_CHECKPOINT
    content = read_checkpoint(path)
    check_same_run(config, identity, content[HEADER])
    progress = Progress(**content[PROGRESS])
    logger.info("Continuing %s after %s.", path, progress)
    return SavingPlan(identity, config.saving, progress)


def check_same_run(config: Config, identity: Identity, header: Mapping[str, Any]) -> None:
    """Compare a run with the one that a checkpoint is of, by its header.

    Raises
    ------
    CheckpointError
        It is another.
    """
    _refuse(config, differences(header["identity"], identity))
    for name, value in circumstances().items():
        if header["circumstances"].get(name) != value:
            logger.warning(
                "The run was saved with %s %s and goes on with %s: results may differ from the last digits on.",
                name, header["circumstances"].get(name), value,
            )  # fmt: skip


def start_or_continue(config: Config, state: State, written: list[str]) -> None:
    """Make the directory ready: a run that was saved finds all as it was; one that was not starts anew.

    Raises
    ------
    OutputError
        The directory cannot be written to.
    """
    if state == "saved":
        return
    if state == "unsaved":
        remove_results(config.output.output_dir, written)
    start_output_directory(config, written)


def refuse_saved_network(config: Config, state: State) -> None:
    """Let the kernel head not go on where a network was trained.

    Raises
    ------
    CheckpointError
        One was.
    """
    if state in ("saved", "failed"):
        _refuse(config, ["the run trains the network, and these options and this study ask for the kernel head"])


def _options_of_run(config: Config) -> dict[str, Any]:
    path = config.output.output_dir / OPTIONS
    try:
        saved = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}, the options of the run, cannot be read: {error}.") from None
    return saved if isinstance(saved, dict) else {}


def _refuse(config: Config, found: list[str]) -> None:
    if found:
        output = config.output.output_dir
        raise CheckpointError(
            f"--output-dir {output} holds a run that cannot be continued as asked: {'; '.join(found)}. Pass what the run was "
            f"started with (--config {output / OPTIONS} gives its options), or name a new --output-dir."
        )


def identity_of(config: Config, digest: str) -> Identity:
    """Say what a run on a study of that digest is a function of."""
    settings = _settings(config) | {"precision": resolve_precision(config.training.precision)}
    contents = {
        flag.removeprefix("--"): _content_of(path)
        for flag, path in input_paths(config)
        if flag not in _OF_STUDY and path.exists()
    }
    return Identity(settings, contents, digest)


def _settings(config: Config) -> dict[str, Any]:
    """Give the options that a run is a function of, but for paths."""
    left_out = {*CHANGEABLE, *(flag.removeprefix("--") for flag, _ in input_paths(config))}
    if config.training.max_memory_gb is None:
        left_out |= set(SAVES_MEMORY)
    return {flag: value for flag, value in flatten(config).items() if flag not in left_out}


def _content_of(path: Path) -> str:
    """Hash a file, or the weights of a model."""
    if not path.is_dir():
        return digest_of(path)
    directory = path if (path / CONFIG).is_file() else path / "model"
    return digest_of(*(file for file in (directory / WEIGHTS, directory / BASE) if file.is_file()))


@contextmanager
def saving_elsewhere_on_failure(model: nn.Module, description: ModelDescription) -> Iterator[None]:
    """Write results; if they cannot be written, keep the model among the temporary files, and say where.

    Raises
    ------
    OutputError
        A result cannot be written; the message names the model's new place, if it found one.
    """
    try:
        yield
    except OutputError as error:
        directory = Path(tempfile.mkdtemp(prefix="aam-model-"))
        try:
            save_model(directory, model, description)
        except OutputError:
            shutil.rmtree(directory, ignore_errors=True)
            raise error from None
        raise OutputError(f"{error} The trained model is kept in {directory}: move it to a safe place.") from error
