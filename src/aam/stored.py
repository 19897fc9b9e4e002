"""Dataclasses that a model directory holds: what a field may be is declared on it, and checked when it is read back.

Somebody may have edited the files, and a number out of range must not be computed with. What is fitted in memory is not checked.
"""

import re
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import ErrorDetails, PydanticCustomError

STORED = with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
"""Decorator of a stored dataclass: it has no other fields, and its numbers are finite."""

T = TypeVar("T")


def _refuse_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise PydanticCustomError("names", "Input should be different names")
    return names


PositiveNumber = Annotated[StrictFloat, Field(gt=0)]

Count = Annotated[StrictInt, Field(ge=1, lt=2**63)]

DistinctNames = Annotated[tuple[str, ...], AfterValidator(_refuse_repeats)]


def read_stored(cls: type[T], values: Any, name: str = "") -> T:
    """Build an instance of a stored class from plain values, as JSON has them.

    Parameters
    ----------
    cls
        A dataclass under `STORED`, or a pydantic model.
    values
        Values of its fields; lists for tuples, mappings for dataclasses in it.
    name
        What messages call the values as a whole.

    Returns
    -------
    The instance, which fulfils what is declared on its fields.

    Raises
    ------
    ValueError
        A value is missing, of another kind or out of range; the message names the first one.

    Examples
    --------
    >>> read_stored(PositiveNumber, -1, "scale")
    Traceback (most recent call last):
    ValueError: scale is -1, not greater than 0
    """
    try:
        return _adapter(cls).validate_python(values)
    except ValidationError as error:
        raise ValueError(_explain(error.errors(include_url=False)[0], name or cls.__name__)) from None


def expect(is_right: bool, name: str, value: Any, expected: str) -> None:
    """Raise unless a field fits the others of its class.

    Raises
    ------
    ValueError
        It does not; the message has its name, its value and what was expected.
    """
    if not is_right:
        raise ValueError(f"{name} is {list(value) if isinstance(value, tuple) else value!r:.80}, not {expected}")


def refuse_missing(cls: Any, values: Any) -> Any:
    """Return the values of a stored class if none is missing, though fields may have defaults for what is built in memory.

    Raises
    ------
    ValueError
        One is missing.
    """
    missing = [field.name for field in fields(cls) if isinstance(values, dict) and field.name not in values]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return values


_ALTERNATIVES = {"float", "str"}
"""What pydantic calls the alternatives of a field that may be a number or a text."""


@cache
def _adapter(cls: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(cls)


def _explain(problem: ErrorDetails, name: str) -> str:
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, Exception):
        return str(cause)
    for step in problem["loc"]:
        if isinstance(step, int):
            name += f"[{step}]"
        elif step not in _ALTERNATIVES:
            name = step
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{name} is not a known field"
    expected = re.sub(r"^Input should be | or (an )?instance of \w+$", "", problem["msg"]).replace("tuple", "list")
    return f"{name} is {problem['input']!r:.80}, not {expected}"
