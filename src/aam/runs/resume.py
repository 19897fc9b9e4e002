"""State of a training run in its output directory: new, to be resumed, finished or failed."""

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
from aam.runs.pretrained import Pretrained, load_pretrained, model_config_of
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
"""``unsaved``: begun, without a checkpoint; ``saved``: with one; ``failed``: ended because its loss was not finite."""

_STUDY_FLAGS = ("--table", "--sequences")  # the study's digest stands for the content of these files

_READING_FLAGS = ("sequence-ids", "orient", "truncate")  # and for what these make of it


def state_of_run(config: Config) -> State:
    """Check the output directory and return the state of the run in it.

    Without ``--resume`` and ``--replay`` an existing run is an error or overwritten, so that the state is ``new``.

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
    if any((directory / LAST_CHECKPOINT).exists() for directory in run_directories(config)):
        return "saved"
    saved, current = ({"ensemble": n} for n in (_options_of_run(config).get("ensemble"), _members_of(config)))
    if saved != current:  # its networks have other directories, whose checkpoints must not be lost
        _refuse(config, differences(asdict(Identity(saved, {}, "")), Identity(current, {}, "")))
    return "unsaved"


def run_directories(config: PretrainConfig | LearningConfig) -> list[Path]:
    """Return the directories that networks are trained in: that of the run, or one for each member of an ensemble."""
    output, n_members = config.output.output_dir, _members_of(config)
    return [output] if n_members is None else [output / MEMBERS / str(number + 1) for number in range(n_members)]


def _members_of(config: PretrainConfig | LearningConfig) -> int | None:
    return config.head.ensemble if isinstance(config, LearningConfig) else None


def failed_directory(config: Config) -> Path | None:
    """Return the directory of the network whose training ended because its loss was not finite; None without one."""
    for directory in run_directories(config):
        if all((directory / name).is_file() for name in (REPORT, NONFINITE_WEIGHTS)):
            return directory
    return None


def _check_failed(config: Config) -> None:
    has_run = check_continued_directory(config)
    if not has_run or failed_directory(config) is None:
        missing = [name for name in (REPORT, NONFINITE_WEIGHTS) if not (run_directories(config)[0] / name).is_file()]
        raise OutputError(
            f"--replay: --output-dir {config.output.output_dir} holds no run that ended because its loss was not finite: "
            f"{missing[0]} is missing. Name the directory of such a run."
        )


@dataclass(frozen=True)
class Run(Generic[RunConfig]):
    """A training run and its output directory, in one of its processes.

    Attributes
    ----------
    user_config
        Options as the user passed them, with the batch size that was chosen when the run began.
    config
        The same options with the shape of the pre-trained model.
    state
        State of the run in the directory, before this process continues it.
    ranks
        The processes that train together.
    pretrained
        Pre-trained model that training begins with, if any.
    """

    user_config: RunConfig
    config: RunConfig
    state: State
    ranks: Ranks
    pretrained: Pretrained | None

    @property
    def options(self) -> dict[str, Any]:
        """Options as the user passed them, by flag, for the record of the trained model."""
        return flatten(self.user_config)

    @property
    def directory(self) -> Path:
        """Output directory."""
        return self.config.output.output_dir

    def with_training(self, training: TrainingConfig) -> "Run[RunConfig]":
        """Return the run with options of training that were chosen for it, such as the batch size."""
        return replace(self, config=replace(self.config, training=training))

    def begin(self, split: SampleSplit, results: Sequence[str]) -> None:
        """Prepare the output directory and write the split; only the first process does.

        Parameters
        ----------
        split
            Split of the samples.
        results
            Names of files that an earlier run may have left.

        Raises
        ------
        OutputError
            The directory cannot be written to.
        """
        if self.ranks.is_first:
            start_or_continue(self.config, self.state, [*WRITTEN, *results])
            write_splits(self.directory / "splits.tsv", split)


def open_run(config: RunConfig, pretrained: Path | None, ranks: Ranks) -> Run[RunConfig]:
    """Determine the state of a run and load the pre-trained model that it begins with; log it if the run is finished.

    Parameters
    ----------
    config
        Options of the command.
    pretrained
        Directory of the pre-trained model, if any.
    ranks
        The processes that train together; the first one looks at the directory, and all raise its errors.

    Returns
    -------
    Run[RunConfig]
        The run.

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
        user_config = config = with_saved_batch_size(config, state)
        model = load_pretrained(pretrained)
        if model is not None:
            config = replace(config, model=model_config_of(model[0], config.model))
        if state == "finished" and ranks.is_first:
            log_finished(config)
    return Run(user_config, config, state, ranks, model)


def with_saved_batch_size(config: RunConfig, state: State) -> RunConfig:
    """Return the options with the batch size that ``--batch-size auto`` chose when a run that is resumed began.

    Raises
    ------
    CheckpointError
        The options of the run cannot be read.
    """
    if config.training.batch_size != "auto" or state not in ("saved", "finished", "failed"):
        return config
    batch_size = _options_of_run(config).get("batch-size")
    return replace(config, training=replace(config.training, batch_size=batch_size))


def log_finished(config: Config) -> None:
    """Log that a run is finished and nothing is left to do.

    Raises
    ------
    CheckpointError
        The finished run has other settings.
    """
    output, saved, current = config.output.output_dir, _options_of_run(config), _settings(config)
    common = [flag for flag in current if flag in saved]
    finished, now = (Identity({flag: options[flag] for flag in common}, {}, "") for options in (saved, current))
    _refuse(config, differences(asdict(finished), now))
    logger.info("The run in %s is finished; nothing was done. Model: %s", output, output / "model")


def saving_plan(config: Config, state: State, digest: str, directory: Path | None = None) -> SavingPlan:
    """Plan how the training of a network is saved, and read where it is resumed.

    Parameters
    ----------
    config
        Options of the command, with the shape of the pre-trained model.
    state
        State of the run.
    digest
        Digest of the study, with the samples in use.
    directory
        Directory of the network; None for that of the run.

    Returns
    -------
    SavingPlan
        The plan, with the progress of a saved run.

    Raises
    ------
    CheckpointError
        The checkpoint is damaged, or of a run with other settings or files.
    """
    identity = identity_of(config, digest)
    if state != "saved":
        return SavingPlan(identity, None if config.devices.sharded_checkpoints else config.saving)
    path = (directory or config.output.output_dir) / LAST_CHECKPOINT
    content = read_checkpoint(path)
    check_same_run(config, identity, content[HEADER])
    progress = Progress(**content[PROGRESS])
    logger.info("Continuing %s after %s.", path, progress)
    return SavingPlan(identity, config.saving, progress)


def check_same_run(config: Config, identity: Identity, header: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of this run, by its header; warn of other versions of libraries and such circumstances.

    Raises
    ------
    CheckpointError
        The checkpoint is of a run with other settings or files.
    """
    _refuse(config, differences(header["identity"], identity))
    for name, value in circumstances().items():
        if header["circumstances"].get(name) != value:
            logger.warning(
                "The run was saved with %s %s and goes on with %s: results may differ from the last digits on.",
                name, header["circumstances"].get(name), value,
            )  # fmt: skip


def start_or_continue(config: Config, state: State, written: list[str]) -> None:
    """Prepare the output directory: that of a saved run stays as it is, any other is started anew.

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
    """Refuse to train a kernel head in the directory of a saved or failed network.

    Raises
    ------
    CheckpointError
        The directory holds a network.
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


def _refuse(config: Config, problems: list[str]) -> None:
    """Raise if there are reasons why the run in the output directory cannot be continued."""
    if problems:
        output = config.output.output_dir
        raise CheckpointError(
            f"--output-dir {output} holds a run that cannot be continued as asked: {'; '.join(problems)}. Pass what the run was "
            f"started with (--config {output / OPTIONS} gives its options), or name a new --output-dir."
        )


def identity_of(config: Config, digest: str) -> Identity:
    """Return what determines a run on a study with this digest: its settings and the content of its files."""
    settings = _settings(config) | {"precision": resolve_precision(config.training.precision)}
    contents = {
        flag.removeprefix("--"): _content_of(path)
        for flag, path in input_paths(config)
        if flag not in _STUDY_FLAGS and path.exists()
    }
    return Identity(settings, contents, digest)


def _settings(config: Config) -> dict[str, Any]:
    """Return the options that determine a run, except for paths."""
    left_out = {*CHANGEABLE, *_READING_FLAGS, *(flag.removeprefix("--") for flag, _ in input_paths(config))}
    if config.training.max_memory_gb is None:
        left_out |= set(SAVES_MEMORY)
    return {flag: value for flag, value in flatten(config).items() if flag not in left_out}


def _content_of(path: Path) -> str:
    """Return the digest of a file, or of the weights in a model directory."""
    if not path.is_dir():
        return digest_of(path)
    directory = path if (path / CONFIG).is_file() else path / "model"
    return digest_of(*(file for file in (directory / WEIGHTS, directory / BASE) if file.is_file()))


@contextmanager
def saving_elsewhere_on_failure(model: nn.Module, description: ModelDescription) -> Iterator[None]:
    """Save the model among the temporary files if a result cannot be written within the block.

    Raises
    ------
    OutputError
        A result cannot be written; the message names the directory in which the model was saved instead, if it could be.
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
