"""Cells that hold numbers otherwise than aam reads them: with a unit, a decimal comma, a limit, or as a date."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from aam.errors import name_some
from aam.labels.columns import describe, is_number, is_probably_missing, missing_values_option

_NUMBER = r"[-+\u2212]?(?:\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d*[.,]?\d+)(?:[eE][-+]?\d+)?"

_NUMBERS = re.compile(_NUMBER, re.ASCII)

_UNIT_WORDS = """
    % ‰ pct percent kg g mg µg μg ug ng lb lbs oz kcal kj km m cm mm µm μm um nm ft in inch inches km2 m2 ha l dl ml µl μl ul
    y yr yrs year years yo mo mos mth month months w wk wks week weeks d day days h hr hrs hour hours min mins minute minutes
    sec secs second seconds °c °f °k ° deg degrees celsius fahrenheit kelvin c f ppm ppb ppt psu bp kb mol mmol µmol μmol
    umol nmol pmol iu units mmhg kpa pa hpa bar mbar atm mv cells copies cfu reads times fold lux
"""

_UNITS = frozenset(_UNIT_WORDS.split())

_SINGLE = frozenset("ymwdhgclf")
"""Units of one letter, which may as well be the letter of a plate or a group: all cells of a column must have the same."""

_WITH_UNIT = re.compile(rf"({_NUMBER})\s*(\D.*)", re.ASCII)

_COMPOUND = re.compile(rf"{_NUMBER}\s*[^\W\d_]+\.?,?", re.ASCII)
"""One of several numbers with units."""

_LIMIT = re.compile(rf"(?:[<>≤≥~≈]=?|ca\.?|c\.|approx\.?|about)\s*({_NUMBER}.*)", re.ASCII)

_LIMIT_WORDS = re.compile(
    r"(?:[<>\u2264\u2265]=?|below|under|b)?\s*(?:the\s+)?(?:ll?o[dq]|lld|mdl|[dlq]l|lq|limit of (?:detection|quantification)"
    r"|detection(?: limit)?)|n\.?d\.?|nq|blo?[dq]|traces?|tntc|undetect(?:ed|able)|not (?:detect(?:ed|able)|quantifiable)",
    re.ASCII | re.IGNORECASE,
)
"""Limits in words, which are limits beside numbers only: ND may be a diet."""

_RANGE = re.compile(rf"{_NUMBER}\s*(?:-|\u2013|to|\.\.\.?)\s*{_NUMBER}(?:\s*(\D.*))?", re.ASCII)

_WITH_WORDS = re.compile(rf"({_NUMBER})\s+([^\W\d_]{{3,}}(?:[ /][^\W\d_]+)*)", re.ASCII)
"""A number and words behind it, which are a unit where all cells have the same."""

_FEW_CELLS = 10
"""Most different cells that an option leaves out."""

_FEWEST_DATES, _FEWEST_NUMBERS = 4, 3
"""Least distinct dates among numbers, and least distinct numbers beside which words may be limits."""

_OTHERWISE = re.compile(
    rf"[$€£]\s*{_NUMBER}|{_NUMBER}\s*(?:[$€£*+?]|\(?est\.?\)?)|\({_NUMBER}\)|{_NUMBER}\s*(?:±|\+/-)\s*{_NUMBER}"
    rf"|(?:{_NUMBER}\s*[x×*]\s*)?10\s*\^\s*{_NUMBER}|{_NUMBER}\s*[x×*]\s*10[-+]?\d+",
    re.ASCII,
)
"""Numbers with a currency, a remark, an error or a power."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)

_DATE = re.compile(
    r"(?:(?:19|20)\d\d(?P<by>[-/.])\d{1,2}(?:(?P=by)\d{1,2})?|\d{1,2}(?P<by2>[-/.])\d{1,2}(?P=by2)(?:\d{4}|\d\d)"
    rf"|\d{{1,2}}[-/. ]?{_MONTH}[-/., ]*\d{{2,4}}|{_MONTH}[-/. ]?\d{{1,2}}[-/., ]+\d{{2,4}}|{_MONTH}[-/., ]+(?:\d{{4}}|\d\d))"
    r"(?:[T ]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d(?::\d\d)?(?:\s*[ap]m)?|\d{1,2}\s*[ap]m",
    re.ASCII | re.IGNORECASE,
)

MOST = 0.8
"""Share of a column's cells from which on the column holds such numbers, and not a few of them among classes."""

UNITS, LIMITS, DATES, SPELLING, RANGES = "a unit", "a limit", "a date", "another spelling", "a range"


def kind_of(cell: str) -> str | None:
    """Return how a cell that is no number holds one; None if it holds none.

    Examples
    --------
    >>> [kind_of(cell) for cell in ("12 kg", "35%", "<5", "1,5", "2020-03-31", "3/4/21", "12:30", "gut", "16S")]
    ['a unit', 'a unit', 'a limit', 'another spelling', 'a date', 'a date', 'a date', None, None]
    """
    text = cell.strip()
    if is_number(text):
        return None
    if _DATE.fullmatch(text):
        return DATES
    if _NUMBERS.fullmatch(text):
        return SPELLING
    if _OTHERWISE.fullmatch(text):
        return SPELLING
    limit = _LIMIT.fullmatch(text)
    if limit is not None and (_NUMBERS.fullmatch(limit[1]) or _unit(limit[1]) is not None):
        return LIMITS
    return UNITS if _unit(text) is not None else None


def _unit(text: str) -> str | None:
    """Return the unit behind the number of a cell, in lower case; None where there is none. Several follow as in 3 y 2 mo."""
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return None
    unit = match[2].strip().rstrip(".").lower().replace("º", "°").replace("˚", "°")
    several = [_WITH_UNIT.fullmatch(part) for part in _COMPOUND.findall(text)]
    if len(several) > 1 and _COMPOUND.sub("", text).replace("and", "").strip(" ,") == "":
        units = [part[2].strip().rstrip(".,").lower() for part in several if part is not None]
        return unit if set(units) <= _UNITS else None
    parts = [re.sub(r"\^?[-0-9²³⁻¹]+$", "", part) for part in re.split(r"\s*/\s*|\s+per\s+|\s+", unit)]
    return (
        unit if parts and parts[0] in _UNITS and all(part in _UNITS | {"old", "of", "age"} for part in parts) else None
    )


def numbers_by_kind(values: Iterable[object]) -> dict[str, dict[str, int]]:
    """Count the cells that hold numbers otherwise, by kind and cell; empty if they are few among others that are none.

    Placeholders, such as ``NA``, count for neither side.

    Examples
    --------
    >>> numbers_by_kind(["5 days", "7 days", "7 days", "NA", "12"])
    {'a unit': {'7 days': 2, '5 days': 1}}
    >>> numbers_by_kind(["1A", "1B", "2A", "5 days"])
    {}
    """
    cells = pd.Series([str(value) for value in values], dtype=object).value_counts().to_dict()
    known = {str(cell): int(n) for cell, n in cells.items() if not is_probably_missing(str(cell))}
    n_numbers = sum(n for cell, n in known.items() if is_number(cell))
    kinds: dict[str, dict[str, int]] = {}
    for cell, n in known.items():
        kind = kind_of(cell)
        if kind is not None:
            kinds.setdefault(kind, {})[cell] = n
    if not kinds and not n_numbers:
        kinds = {UNITS: of_words} if (of_words := _with_same_words(known)) else {}
    words = _beside_numbers(cells, kinds, n_numbers)
    for kind, cells_of_kind in words.items():
        kinds[kind] = kinds.get(kind, {}) | cells_of_kind
    n_known = sum({**known, **words.get(LIMITS, {})}.values())
    n_held = sum(sum(counts.values()) for counts in kinds.values())
    if not n_held or n_held + n_numbers < MOST * n_known or _may_be_letters(kinds.get(UNITS, {}), known):
        return {}
    return kinds


def _with_same_words(known: Mapping[str, int]) -> dict[str, int]:
    """Return the cells of which nearly all are a number and the same words, such as 5 cups and 1 cup; empty for few numbers."""
    matches = {cell: _WITH_WORDS.fullmatch(cell.strip()) for cell in known}
    words = Counter(match[2].lower().rstrip("s") for match in matches.values() if match is not None)
    if not words:
        return {}
    (word, n_cells), *_ = words.most_common()
    held = {cell: known[cell] for cell, match in matches.items() if match and match[2].lower().rstrip("s") == word}
    return held if n_cells >= _FEWEST_NUMBERS and sum(held.values()) >= MOST * sum(known.values()) else {}


def _beside_numbers(
    cells: Mapping[str, int], kinds: Mapping[str, Mapping[str, int]], n_numbers: int
) -> dict[str, dict[str, int]]:
    """Return the limits in words beside several numbers, and the ranges beside more numbers, by kind."""
    numbers = [cell for cell in cells if is_number(cell)]
    with_unit = kinds.get(UNITS, {})
    words: dict[str, dict[str, int]] = {}
    if len(numbers) + len(with_unit) < _FEWEST_NUMBERS:
        return words
    n_ranges = sum(n for cell, n in cells.items() if _is_range(cell))
    for cell, n in cells.items():
        if _LIMIT_WORDS.fullmatch(cell.strip()):
            words.setdefault(LIMITS, {})[cell] = n
        elif _is_range(cell) and n_ranges < n_numbers + sum(with_unit.values()):
            words.setdefault(RANGES, {})[cell] = n
    return words


def _is_range(cell: str) -> bool:
    """Return whether a cell is two numbers, and nothing or a unit behind them."""
    match = _RANGE.fullmatch(cell.strip())
    return match is not None and kind_of(cell) is None and (not match[1] or _unit(f"1 {match[1]}") is not None)


def _may_be_letters(with_unit: Mapping[str, int], known: Mapping[str, int]) -> bool:
    """Return whether units are letters behind numbers, as in 1A and 2B, that name something."""
    units = {_unit(cell.strip()) for cell in with_unit}
    if not units & _SINGLE or len(units - _SINGLE) >= len(units & _SINGLE):
        return False
    return len(units) > 1 or len(with_unit) < len([cell for cell in known if not is_number(cell)])


def hold_one_number(cells: Iterable[str]) -> bool:
    """Return whether most cells hold a number of which each has its own, beside the same letters.

    Examples
    --------
    >>> hold_one_number(["day 1", "day 20", "day 33"]), hold_one_number(["S1 a", "T2 b", "gut"])
    (True, False)
    """
    texts = [str(cell) for cell in cells]
    beside = Counter(re.sub(r"\d+(?:[.,]\d+)?", "", text, count=1).strip() for text in texts if re.search(r"\d", text))
    return bool(beside) and beside.most_common(1)[0][1] >= MOST * len(texts)


def date_number_remarks(flag: str, values: pd.Series) -> Iterator[str]:
    """Yield a remark on numbers such as 20210131 and 202101, which are dates, and whose differences are no days or months.

    Parameters
    ----------
    flag
        Option that names the column.
    values
        Cells of the samples.
    """
    if values.dtype.kind != "f":
        return
    distinct = np.unique(values.dropna().to_numpy(dtype=np.float64))
    if len(distinct) < _FEWEST_DATES or (distinct % 1 != 0).any() or distinct[0] < 190001:
        return
    months, days = (distinct, None) if distinct[-1] < 1e6 else (distinct // 100, distinct % 100)
    are_months = (months >= 190001) & (months <= 210012) & (months % 100 >= 1) & (months % 100 <= 12)
    if are_months.all() and (days is None or ((days >= 1) & (days <= 31)).all()) and len(np.unique(months)) > 1:
        yield (
            f"{flag} {values.name} holds numbers such as {distinct[0]:.0f} and {distinct[-1]:.0f}, which look like dates: their "
            "differences are no lengths of time. Write dates as numbers, such as days since the first."
        )


_HOW = {
    UNITS: "the number alone, all in one unit and without it",
    LIMITS: "a number where there is a limit",
    DATES: "dates as numbers, such as days since the first",
    SPELLING: "numbers like 1234.5",
    RANGES: "one number in place of a range",
}


def how_to_write(values: pd.Series, counts: Mapping[str, int]) -> str:
    """Return what to do with cells that are no numbers, as a sentence without its full stop.

    Parameters
    ----------
    values
        All cells of the column.
    counts
        Number of samples of each cell that is no number.
    """
    kinds = numbers_by_kind(values.dropna())
    held = [cell for cells in kinds.values() for cell in cells if cell in counts]
    others = [cell for cell in counts if cell not in held]
    if not kinds:
        return f"Correct these cells, leave them out by {missing_values_option(counts)}"
    write = how_to_write_kinds(kinds)
    if others:
        return f"{write}, leave out {name_some(others)} by {missing_values_option(others)}"
    are_few = len(held) <= _FEW_CELLS and sum(counts.values()) < len(values) / 2
    return f"{write}, or leave such cells out by {missing_values_option(held)}" if are_few else write


def how_to_write_kinds(kinds: Iterable[str]) -> str:
    """Return how cells of some kinds are to be written, as a sentence without its full stop.

    Examples
    --------
    >>> how_to_write_kinds([LIMITS, DATES])
    'Write a number where there is a limit and dates as numbers, such as days since the first'
    """
    return f"Write {' and '.join(_HOW[kind] for kind in kinds)}"


def described(kinds: Mapping[str, Mapping[str, int]]) -> str:
    """Return the kinds with examples: ``numbers with a unit: '5 days', '7 days' (3 samples)``.

    Examples
    --------
    >>> described({"a date": {"2020-01-31": 2}})
    "dates: '2020-01-31' (2 samples)"
    """
    nouns = {
        UNITS: "numbers with a unit",
        LIMITS: "limits",
        DATES: "dates",
        SPELLING: "numbers spelt otherwise",
        RANGES: "ranges",
    }
    return "; ".join(f"{nouns[kind]}: {describe(cells)}" for kind, cells in kinds.items())
