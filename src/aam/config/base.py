"""What every config shares: a frozen, validated dataclass whose errors name the flag."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

import yaml
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

import aam
from aam.config.options import POSITIONAL_NAME, flag_of, refuse_without_effect, type_of
from aam.errors import ConfigError, name_some

NOT_INPUTS = ("output", "output-dir", "cache-dir")
"""Flags whose paths a command writes to; it reads from all others."""

OF_ONE_CALL = ("overwrite", "resume", "replay")
"""Flags that a file of options does not repeat: nobody should replace a run who did not ask for it this time."""

_NOTHING = object()

_MAY_BE_EMPTY = "--missing-values"

_IS_VALUE = "\0"  # before a value that looks like an option; no argument can hold it

DELETED = {"size-window": 1}
"""Keys of options that aam no longer has, which files of earlier runs hold, and their defaults, which change nothing."""

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def config(cls: type[T]) -> type[T]:
    """Make a class a frozen pydantic dataclass that raises `ConfigError`, naming flags, when a value is out of range or idle."""
    cls.__post_init__ = refuse_without_effect  # type: ignore[attr-defined]
    built = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(allow_inf_nan=False))(cls)
    validate = built.__init__

    def __init__(self: Any, **values: Any) -> None:  # noqa: N807
        try:
            validate(self, **values)
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None

    __init__.__wrapped__ = validate  # type: ignore[attr-defined]
    built.__init__ = __init__  # type: ignore[method-assign]
    return built  # type: ignore[return-value]


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, Exception):
            problems.append(str(cause))
            continue
        flag = flag_of(str(problem["loc"][0])) if problem["loc"] else "options"
        problems.append(f"{flag} {problem['input']}: {problem['msg'][0].lower()}{problem['msg'][1:]}.")
    return " ".join(dict.fromkeys(problems))


_WRITTEN_AFTER = "written_after"


def written_after(name: str) -> dict[str, str]:
    """Return metadata of a field that stands after another in files of options: one that an inherited field would precede."""
    return {_WRITTEN_AFTER: name}


def fields_as_written(cls: Any) -> list[dataclasses.Field]:
    """Return the fields of a config, class or instance, in the order that files of options have."""
    ordered: list[dataclasses.Field] = []
    for field in dataclasses.fields(cls):
        names = [earlier.name for earlier in ordered]
        earlier = field.metadata.get(_WRITTEN_AFTER)
        ordered.insert(len(ordered) if earlier is None else names.index(earlier) + 1, field)
    return ordered


def flatten(instance: Any) -> dict[str, Any]:
    """Flatten a config and the configs in it.

    Returns
    -------
    dict of str to Any
        Value of each option by its key in files, ``ffn-ratio``: numbers, strings, lists of these, or None.
    """
    flat: dict[str, Any] = {}
    for field in fields_as_written(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            flat |= flatten(value)
        else:
            flat[field.name.replace("_", "-")] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def input_paths(instance: Any) -> Iterator[tuple[str, Path]]:
    """Yield the flag and the path of each input of a command; no outputs and no cache."""
    for field in fields_as_written(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            yield from input_paths(value)
        elif flag_of(field.name).removeprefix("--") not in NOT_INPUTS:
            paths = value if isinstance(value, list | tuple) else [value]
            yield from ((flag_of(field.name), path) for path in paths if isinstance(path, Path))


def command_of(instance: Any) -> str:
    """Return the name of the command in the mark of its files, which each command's config declares as ``command``."""
    return instance.command


def write_yaml(instance: Any) -> str:
    """Return a config as YAML that ``--config`` reads back; the first line is the mark of the command and of its version."""
    mark = f"# aam {command_of(instance)}, version {aam.__version__}\n"
    lasting = {flag: value for flag, value in flatten(instance).items() if flag not in OF_ONE_CALL}
    return mark + yaml.safe_dump(lasting, sort_keys=False, allow_unicode=True)


def command_that_wrote(path: Path) -> str | None:
    """Read the name of the command in the mark of `write_yaml`; None for a file that is missing or that aam did not write."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            words = file.readline(200).split()
    except OSError:
        return None
    has_mark = len(words) == 5 and words[:2] == ["#", "aam"] and words[3] == "version"
    return words[2].removesuffix(",") if has_mark else None


def option_names(cls: Any) -> Iterator[str]:
    """Yield the keys that a file of options may have for a config: ``ffn-ratio``, and of switches also ``no-aam``."""
    for field in fields_as_written(cls):
        if dataclasses.is_dataclass(field.type):
            yield from option_names(field.type)
            continue
        name, flag = field.name.replace("_", "-"), flag_of(field.name).removeprefix("--")
        yield from dict.fromkeys((name, flag if flag != POSITIONAL_NAME else name))
        if type_of(field) is bool:
            yield f"no-{name}"


def flags_from_yaml(path: Path, without_flag: Sequence[str] = (), allowed: Sequence[str] | None = None) -> list[str]:
    """Turn a YAML file of ``flag: value`` into command-line arguments, those that are given without a flag first.

    Parameters
    ----------
    path
        The file.
    without_flag
        Keys whose values are given without a flag.
    allowed
        All keys that the command has; None for any.

    Returns
    -------
    list of str
        Arguments in the order of the file.

    Raises
    ------
    ConfigError
        The file is missing, is not YAML, is not one flat mapping, or has a key that is not allowed.
    """
    arguments: list[str] = []
    for key, value in without_deleted(_read_flat_yaml(path)).items():
        name = str(key).removeprefix("--").replace("_", "-")
        if name in DELETED:
            raise ConfigError(
                f"--config {path}: {name} {value} is of an option that aam no longer has: take it out; training is then that of "
                f"{name} {DELETED[name]}."
            )
        if allowed is not None and name not in allowed:
            meant = get_close_matches(name, allowed, n=1)
            hint = f"did you mean {meant[0]!r}?" if meant else "take it out."
            raise ConfigError(f"--config {path}: the command has no option {name_some([key])}; {hint}")
        if isinstance(value, bool):
            arguments.append(f"--{name}" if value else f"--no-{name}")
        elif name in without_flag:
            arguments = [*map(str, value), *arguments]
        elif isinstance(value, list):
            arguments += [f"--{name}", *map(str, value)]
        else:
            arguments += [f"--{name}", str(value)]
    return arguments


def _read_flat_yaml(path: Path) -> dict[Any, Any]:
    """Read a file of options, one flat mapping."""
    if path.is_fifo():  # opening one waits, perhaps for ever
        raise ConfigError(f"--config {path} is a named pipe: save the options to a file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or any(map(_is_nested, values.values())):
        raise ConfigError(f"--config {path}: expected lines of the form 'flag-name: value', without nesting.")
    return values


def without_deleted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out options that aam no longer has, where they are at the defaults that they had."""
    names = {key: str(key).removeprefix("--").replace("_", "-") for key in settings}
    return {key: value for key, value in settings.items() if DELETED.get(names[key], _NOTHING) != value}


def _is_nested(value: Any) -> bool:
    """Return whether a value is a mapping, or a list of mappings or lists."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse options with nothing in them, which would name the current directory, and characters that no path can hold.

    Raises
    ------
    ConfigError
        There is one.
    """
    flag = POSITIONAL_NAME
    for argument in arguments:
        value = argument
        if argument.startswith("--"):
            flag, has_value, value = argument.partition("=")
            value = value if has_value else flag
        if not value and flag != _MAY_BE_EMPTY:
            raise ConfigError(
                f"{flag} is empty: give it a value. If it comes from a variable of the shell, that is not set."
            )
        if "\0" in argument:
            raise ConfigError(f"{flag} holds a NUL character: correct it.")


def mark_dashes(arguments: Sequence[str]) -> list[str]:
    r"""Mark the values of ``--missing-values`` that begin with a dash, such as ``--``, so that none is taken for an option.

    Examples
    --------
    >>> mark_dashes(["--missing-values", "NA", "--", "-", "-999", "--overwrite"])
    ['--missing-values', 'NA', '\x00--', '\x00-', '\x00-999', '--overwrite']
    """
    marked, is_value = [], False
    for argument in arguments:
        is_option = argument.startswith("--") and argument[2:3].isalpha() and " " not in argument.partition("=")[0]
        is_value = is_value if not is_option else argument.replace("_", "-") == _MAY_BE_EMPTY
        marked.append(_IS_VALUE + argument if is_value and not is_option and argument.startswith("-") else argument)
    return marked


def without_marks(values: Sequence[str]) -> tuple[str, ...]:
    """Return the values that `mark_dashes` marked as the user wrote them."""
    return tuple(value.removeprefix(_IS_VALUE) for value in values)


def rebuild(cls: type[T], values: dict[str, Any]) -> T:
    """Build a nested config from what `dataclasses.asdict` made of one.

    Raises
    ------
    ConfigError
        The values do not fit the class.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(values.keys() - fields.keys())
    if unknown:
        raise ConfigError(f"{cls.__name__} has no setting {', '.join(unknown)}: was it written by another version?")
    arguments = {}
    for name, value in values.items():
        kind = fields[name].type
        arguments[name] = rebuild(kind, value) if dataclasses.is_dataclass(kind) else value  # type: ignore[arg-type]
    return cls(**arguments)


def load(path: str) -> Any:
    """Import ``module:name``.

    Examples
    --------
    >>> load("math:sqrt")(9)
    3.0
    """
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def changed_flags(section: object, passed_over: tuple[str, ...]) -> list[str]:
    """Return the flags of a config that differ from their defaults, but for fields that are passed over."""
    assert dataclasses.is_dataclass(section)
    default = type(section)()
    changed = []
    for field in fields_as_written(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            changed += changed_flags(value, passed_over)
        elif field.name not in passed_over and value != getattr(default, field.name):
            changed.append(flag_of(field.name))
    return changed
