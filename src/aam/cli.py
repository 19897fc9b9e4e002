"""The command line: a table of commands; every flag comes from a config."""

import dataclasses
import io
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aam
from aam.errors import AamError, ConfigError, StopRequested, name_some
from aam.notices import NOTICES


@dataclass(frozen=True)
class Command:
    """One row of the table: where the config and the function are, and a line of help.

    They are named, not imported, so that ``aam --help`` answers at once.

    Attributes
    ----------
    config, function
        As ``module:name``.
    summary
        A line of help.
    other
        Another form of the command with options of its own, if it has one.
    """

    config: str
    function: str
    summary: str
    other: "OtherForm | None" = None


@dataclass(frozen=True)
class OtherForm:
    """A second form of a command; exactly one of `usual_flag` and `flags` is given.

    Attributes
    ----------
    flags
        Any of these asks for it.
    usual_flag
        Asks for the usual form.
    command
        Name of the command whose other spelling it is.
    hint
        What either form does, for whoever gave both or neither.
    """

    flags: tuple[str, ...]
    usual_flag: str
    command: str
    hint: str


ONEDNN_CACHE_CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32"
"""Half-precision products of a CPU are compiled for each shape, and 1,024 kept by default: 0.4 GB more in a run of many shapes."""

HELP_FLAGS = ("-h", "--help")

LEAST_WIDTH = 40
"""Columns that the help is wrapped to where the terminal has fewer."""

COMMANDS = {
    "demo": Command("aam.config.tools:DemoConfig", "aam.commands.demo:demo", "the whole of aam on a simulated study"),
    "simulate": Command(
        "aam.config.tools:SimulateConfig",
        "aam.commands.simulate:simulate",
        "make a study with a known truth",
    ),
    "inspect": Command(
        "aam.config.tools:InspectConfig",
        "aam.commands.inspect:inspect",
        "say what files are and which commands fit them",
    ),
    "prepare": Command(
        "aam.config.tools:PrepareConfig", "aam.commands.cache:prepare", "build the study on disk ahead of time"
    ),
    "pretrain": Command(
        "aam.config.commands:PretrainConfig",
        "aam.commands.pretrain:pretrain",
        "learn from a study without labels",
    ),
    "train": Command(
        "aam.config.commands:TrainConfig", "aam.commands.train:train", "learn to predict a metadata column"
    ),
    "predict": Command(
        "aam.config.commands:PredictConfig",
        "aam.commands.predict:predict",
        "predict that column for other samples",
    ),
    "embed": Command("aam.config.commands:EmbedConfig", "aam.commands.predict:embed", "write one vector per sample"),
    "evaluate": Command(
        "aam.config.commands:EvaluateConfig",
        "aam.commands.predict:evaluate",
        "score a trained model against metadata",
        OtherForm(
            flags=("--folds", "--fold-file"),
            usual_flag="--model",
            command="crossval",
            hint="--model scores a trained model; --folds (or --fold-file) trains and scores anew in each fold",
        ),
    ),
    "crossval": Command(
        "aam.config.crossval:CrossvalConfig",
        "aam.commands.crossval:crossval",
        "train and score aam and classical models anew in each of several folds",
    ),
    "explain": Command(
        "aam.config.explain:ExplainConfig",
        "aam.commands.explain:explain",
        "say which organisms drive a model's predictions",
    ),
    "cache": Command(
        "aam.config.tools:CacheConfig", "aam.commands.cache:cache", "list, limit or clear what is kept on disk"
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run aam.

    Parameters
    ----------
    arguments
        What follows ``aam`` on the command line; None for that of this process.

    Returns
    -------
    int
        Exit code: 0, 2 for a mistake of the user, or 128 and the number of the signal that stopped it.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in HELP_FLAGS:
        sys.stdout.write(overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        sys.stdout.write(f"aam {aam.__version__}\n")
        return 0
    name, *options = arguments
    with _termination_as_exception():
        return _run(name, options)


def _run(name: str, options: list[str]) -> int:
    from aam.config.arguments import check_inputs_exist, did_you_mean
    from aam.config.base import load
    from aam.distributed.process import (
        is_first_process,
        is_secondary_process,
        refuse_launched,
        wait_for_first_process,
    )

    config = None
    try:
        if name not in COMMANDS:
            raise AamError(
                f"there is no command {name!r}{did_you_mean(name, COMMANDS)} Commands: {', '.join(COMMANDS)}. See aam --help."
            )
        options = _with_config_files(name, options)
        config = parse(name, options)
        check_inputs_exist(config)
        if not hasattr(config, "devices"):
            refuse_launched(os.environ)
        _set_up_output()
        os.environ.setdefault(*ONEDNN_CACHE_CAPACITY)
        load(COMMANDS[form_of(name, options)].function)(config)
    except AamError as error:
        if not (is_secondary_process(os.environ) and wait_for_first_process()):
            sys.stderr.write(f"aam {name}: {error}\n" if name in COMMANDS else f"aam: {error}\n")
        return 2
    except BrokenPipeError:  # who read the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # what no reader or writer foresaw, such as a disk that is gone
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(
            f"aam {name}: {where}{error.strerror or error}. Check that the place exists, can be used and has space.\n"
        )
        return 2
    except KeyboardInterrupt as stop:
        code = stop.number if isinstance(stop, StopRequested) else signal.SIGINT
        who = "the user" if code == signal.SIGINT else signal.Signals(code).name
        line_end = "\n" if sys.stderr.isatty() else ""  # of the bar
        if is_first_process(os.environ):
            sys.stderr.write(f"{line_end}aam: stopped by {who}.{_what_is_left(config)}\n")
        return 128 + code
    return 0


@contextmanager
def _termination_as_exception() -> Iterator[None]:
    """Stop a run on SIGTERM as on Ctrl-C, so that nothing half-written stays."""

    def stop(number: int, _: Any) -> None:
        raise StopRequested(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can
        return
    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _what_is_left(config: Any) -> str:
    """Return a sentence on what a run that was stopped leaves in its directory; nothing where it leaves nothing."""
    from aam.config.saving import LAST_CHECKPOINT, MEMBERS

    directory = getattr(getattr(config, "output", None), "output_dir", None)
    if not directory or not directory.is_dir() or not any(directory.iterdir()):
        return ""
    content = sorted(item.name for item in directory.iterdir())
    is_saved = any(any(directory.glob(saved)) for saved in (LAST_CHECKPOINT, f"{MEMBERS}/*/{LAST_CHECKPOINT}"))
    goes_on = "--resume continues the run, with " if is_saved else ""
    return f" {directory} holds {name_some(content, 10)}. The same command with {goes_on}--overwrite starts anew."


def parse(name: str, options: list[str]) -> Any:
    """Turn a command's options, and those of a ``--config`` file before them, into its config.

    Returns
    -------
    Any
        The config that the table names for the command.

    Raises
    ------
    ConfigError
        An option is out of range or contradicts another, or the file is malformed.
    SystemExit
        With code 2 for a mistyped option, 0 after ``--help``.
    """
    from aam.config.arguments import check_arguments, check_options, mark_dashes
    from aam.config.base import load, options_by_name

    options = _with_config_files(name, options)
    check_arguments(options)
    form = form_of(name, options)
    config = load(COMMANDS[form].config)
    _show_help_if_asked(form, config, options)
    options = mark_dashes(options)
    check_options(form, options, options_by_name(config))
    import tyro  # after the help, which does without it

    try:
        return tyro.cli(config, prog=f"aam {form}", args=options, config=(tyro.conf.OmitArgPrefixes,))
    except SystemExit:
        sys.stderr.write(f"All options, with their whole texts: aam {form} --help all\n")
        raise


def _show_help_if_asked(name: str, config: Any, options: list[str]) -> None:
    """Print the help and leave, if ``--help``, ``--help TOPIC`` or ``-h`` is among the options."""
    for number, option in enumerate(options):
        flag, _, topic = option.partition("=")
        if flag not in HELP_FLAGS:
            continue
        from aam.config.help_text import help_of

        following = [word for word in options[number + 1 : number + 2] if not word.startswith("-")]
        _allow_all_characters()
        width = max(LEAST_WIDTH, shutil.get_terminal_size().columns)
        sys.stdout.write(help_of(name, config, topic or next(iter(following), None), width))
        raise SystemExit(0)


def form_of(name: str, options: list[str]) -> str:
    """Return the name of the command that is run: another one where the options ask for its other spelling.

    Raises
    ------
    ConfigError
        They ask for both forms, or for none.
    """
    other = COMMANDS[name].other
    if other is None:
        return name
    flags = {option.split("=")[0].replace("_", "-") for option in options}
    of_other = [flag for flag in other.flags if flag in flags]
    if of_other and other.usual_flag in flags:
        raise ConfigError(f"{other.usual_flag} and {of_other[0]} exclude each other: {other.hint}.")
    if not of_other and not flags & {other.usual_flag, *HELP_FLAGS}:
        raise ConfigError(f"pass either {other.usual_flag} or {other.flags[0]}: {other.hint}.")
    return other.command if of_other else name


def _with_config_files(name: str, options: list[str]) -> list[str]:
    """Put the options of ``--config`` files before the others."""
    paths, options = _take_config_files(options)
    if not paths:
        return options
    import tyro

    from aam.config.arguments import check_options
    from aam.config.base import command_that_wrote, flags_from_yaml, load, options_by_name

    usual, other = load(COMMANDS[name].config), COMMANDS[name].other
    for path in paths:
        writer = command_that_wrote(path) if path.is_file() else None
        if writer not in (None, usual.command):
            raise ConfigError(f"--config {path} holds the options of aam {writer}: run that, or copy what both have.")
    allowed = options_by_name(usual) | (options_by_name(load(COMMANDS[other.command].config)) if other else {})
    without_flag = [
        field.name
        for field in dataclasses.fields(usual)
        if tyro.conf.Positional in getattr(field.type, "__metadata__", ())
    ]
    from_files = {path: flags_from_yaml(path, without_flag, allowed) for path in paths}
    for path, flags in (
        from_files.items() if other is None else ()
    ):  # one flag of two forms may take other values in each
        check_options(name, flags, allowed, f"--config {path}: ")
    return [*(flag for flags in from_files.values() for flag in flags), *options]


def overview() -> str:
    """Return the list of commands, as ``aam --help`` shows it."""
    rows = "\n".join(f"  {name:<10} {command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: aam COMMAND [OPTIONS]\n\n"
        "Attention All Microbes: learn from microbiome amplicon data, from nucleotides to samples.\n\n"
        f"commands:\n{rows}\n\n"
        "Every command explains its options: aam COMMAND --help, with --help all every one of them.\n"
        "Options may also come from a file: --config FILE.yaml, with lines such as 'batch-size: 16';\n"
        "options on the command line go first.\n"
        f"Version {aam.__version__}.\n"
    )


def _take_config_files(options: list[str]) -> tuple[list[Path], list[str]]:
    paths, rest = [], []
    remaining = iter(options)
    for option in remaining:
        if option == "--config":
            path = next(remaining, None)
            if path is None:
                raise AamError("--config needs the path of a YAML file.")
            paths.append(Path(path))
        elif option.startswith("--config="):
            paths.append(Path(option.removeprefix("--config=")))
        else:
            rest.append(option)
    return paths, rest


def _allow_all_characters() -> None:
    """Write characters that the encoding of the output lacks as escapes: names of files, and the help, may hold some."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _set_up_output() -> None:
    _allow_all_characters()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname_prefix)s%(message)s", defaults={"levelname_prefix": ""}))
    NOTICES.forget()
    handler.addFilter(NOTICES)
    root = logging.getLogger("aam")
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
