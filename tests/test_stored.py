"""What is read back from a model directory is what its fields say, or an error that names the field."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pytest
from pydantic import StrictBool, StrictFloat, model_validator

from aam.stored import STORED, Count, DistinctNames, PositiveNumber, expect, read_stored, refuse_missing


@STORED
@dataclass(frozen=True)
class Range:
    low: StrictFloat = 0.0
    is_open: StrictBool = False

    _refuse_missing = model_validator(mode="before")(refuse_missing)


@STORED
@dataclass(frozen=True)
class Column:
    kind: Literal["a", "b"]
    n: Count | None
    start: StrictFloat | str
    names: DistinctNames = ()
    scales: tuple[PositiveNumber, ...] = ()
    ends: tuple[StrictFloat, StrictFloat] | None = None
    inner: Range = Range()

    @model_validator(mode="after")
    def _check_scales(self) -> "Column":
        expect(len(self.scales) == len(self.names), "scales", self.scales, "one for each name")
        return self


GOOD = {"kind": "a", "n": None, "start": 1.5}


def test_lists_become_tuples_and_whole_numbers_numbers():
    values = {**GOOD, "n": 3, "names": ["x"], "scales": [2], "ends": [1, 2.5], "inner": {"low": -1, "is_open": True}}

    read = read_stored(Column, values)

    assert read == Column("a", 3, 1.5, ("x",), (2.0,), (1.0, 2.5), Range(-1.0, True))
    assert [type(number) for number in (*read.scales, *(read.ends or ()), read.inner.low)] == [float] * 4
    assert read_stored(Column, asdict(read)) == read


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "c"}, "kind is 'c', not 'a' or 'b'"),
        ({"n": 0}, "n is 0, not greater than or equal to 1"),
        ({"n": 2**63}, f"n is {2**63}, not less than {2**63}"),
        ({"n": True}, "n is True, not a valid integer"),
        ({"n": 1.0}, "n is 1.0, not a valid integer"),
        ({"start": None}, "start is None, not a valid number"),
        ({"start": float("nan")}, "start is nan, not a finite number"),
        ({"start": 10**400}, f"start is {'1' + '0' * 79}, not a valid number"),
        ({"names": ["x", "x"], "scales": [1, 1]}, "names is ['x', 'x'], not different names"),
        ({"names": "xy", "scales": [1, 1]}, "names is 'xy', not a valid list"),
        ({"names": ["x", 3]}, "names[1] is 3, not a valid string"),
        ({"names": ["x"], "scales": [0]}, "scales[0] is 0, not greater than 0"),
        ({"names": ["x"], "scales": ["1"]}, "scales[0] is '1', not a valid number"),
        ({"names": ["x"], "scales": [float("inf")]}, "scales[0] is inf, not a finite number"),
        ({"scales": [1]}, "scales is [1.0], not one for each name"),
        ({"ends": [1]}, "ends[1] is missing"),
        ({"inner": 3}, "inner is 3, not a dictionary"),
        ({"inner": {"low": 1}}, "is_open is missing"),
        ({"inner": {"low": 1, "is_open": 1}}, "is_open is 1, not a valid boolean"),
        ({"other": 3}, "other is not a known field"),
    ],
)
def test_what_does_not_fit_is_named_with_its_value(changes, message):
    with pytest.raises(ValueError, match="is") as raised:
        read_stored(Column, GOOD | changes)

    assert str(raised.value) == message


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"^kind is missing$"):
        read_stored(Column, {"n": 3})


@pytest.mark.parametrize("values", [[], 3, None])
def test_what_is_no_mapping_has_the_name_that_was_given(values):
    with pytest.raises(ValueError, match=r"^state\.json is (\[\]|3|None), not a dictionary$"):
        read_stored(Column, values, "state.json")


def test_what_is_fitted_in_memory_is_not_checked():
    scales = (np.float64(-1.0),)

    assert Column("c", 0, "x", scales=scales).scales is scales  # type: ignore[arg-type]
