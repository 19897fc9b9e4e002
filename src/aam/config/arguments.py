"""Check what the user typed, before a config is built of it: no empty value, options that exist, values of their types."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from aam.config.base import input_paths
from aam.config.options import POSITIONAL_NAME, type_of
from aam.errors import ConfigError, InputError

_MAY_BE_EMPTY = "--missing-values"

_IS_VALUE = "\0"  # before a value that looks like an option; no argument can hold it

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "literal_error": "{expected}",
}
"""What an option takes, in words, by pydantic's name of the mistake."""

_NONE = "None"


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


def check_options(
    command: str, arguments: Sequence[str], options: Mapping[str, dataclasses.Field], source: str = ""
) -> None:
    """Check that the options exist, and that each value is of the option's type.

    Parameters
    ----------
    command
        Name of the command, for messages.
    arguments
        What the user typed after it, or what a file of options stands for.
    options
        Field of each option of the command, by its name without dashes.
    source
        Where the arguments are from, for messages: ``--config FILE: ``; nothing for the command line.

    Raises
    ------
    ConfigError
        An option does not exist, or a value is a word where a number is needed, or none of the choices.
    """
    for flag, values in _given(arguments):
        name = flag.removeprefix("--").replace("_", "-")
        if name not in options:
            raise ConfigError(
                f"{source}there is no option {flag}{did_you_mean(name, options, '--')} aam {command} --help all lists them."
            )
        wrong = _explain_wrong_value(options[name], values)
        if wrong:
            raise ConfigError(f"{source}--{name} {wrong}")


def check_inputs_exist(config: Any) -> None:
    """Check that the files and folders which a command reads are there, before any of them is read.

    Raises
    ------
    InputError
        One is not. Files that are given without a flag may be missing: their command reports each.
    """
    for flag, path in input_paths(config):
        with suppress(OSError):  # whoever reads a path that cannot be looked up has a better message
            if flag != POSITIONAL_NAME and not path.exists():
                raise InputError(f"{flag} {path} does not exist. Check the path.")


def did_you_mean(name: str, known: Iterable[str], before: str = "") -> str:
    """Return the end of a sentence about a name that does not exist: a question about the one most like it, or a full stop.

    Examples
    --------
    >>> did_you_mean("trian", ["train", "predict"]), did_you_mean("xyz", ["train"])
    ('; did you mean train?', '.')
    """
    meant = get_close_matches(name, list(known), n=1)
    return f"; did you mean {before}{meant[0]}?" if meant else "."


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option and what follows it, up to the next."""
    flag, values = "", []
    for argument in arguments:
        if not argument.startswith("--") or argument == "--":
            values.append(argument)
            continue
        if flag:
            yield flag, values
        flag, has_value, value = argument.partition("=")
        values = [value] if has_value else []
    if flag:
        yield flag, values


def _explain_wrong_value(field: dataclasses.Field, values: list[str]) -> str:
    """Return what is wrong with the values of an option; empty if nothing is, or if its config says it better."""
    takes_several = _takes_several(type_of(field))
    if type_of(field) is bool or values == [_NONE] or not (takes_several or len(values) == 1):
        return ""
    try:
        TypeAdapter(cast(Any, field.type)).validate_python(tuple(values) if takes_several else values[0])
    except ValidationError as error:
        problems = [problem for problem in error.errors() if problem["type"] in _EXPECTED]
        expected = [_EXPECTED[problem["type"]].format(**problem.get("ctx", {})) for problem in problems]
        if len(problems) == error.error_count():
            return f"{problems[0]['input']}: expected {' or '.join(dict.fromkeys(expected))}."
    return ""


def _takes_several(kind: Any) -> bool:
    return get_origin(kind) is tuple or any(get_origin(item) is tuple for item in get_args(kind))
