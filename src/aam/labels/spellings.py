"""Classes and categories that are one but for how they are written: case, white space, Unicode form, or form of a number."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from aam.errors import count_of, name_some
from aam.labels.columns import class_names, is_number

_SAME = str.maketrans(
    {**dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4", "'"), **dict.fromkeys("\u201c\u201d", '"')}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", "")
)
"""Quotes and dashes that look alike, and letters that have no width."""

_SHOWN = 5

_WITHIN = re.compile(r"(?<=[^\W\d_])_(?=[^\W_])|(?<=[^\W\d_])-(?=[^\W\d_])|(?<=\d)_(?=[^\W\d_])")
"""Underscores and hyphens beside letters; not those of numbers, nor of T-1 and HIV-, which mean something else without them."""

_COMMA = re.compile(r"[-+]?\d+,(?!\d{3}$)\d+", re.ASCII)


def spelling_key(name: str) -> str:
    r"""Return what is left of a name without its case, white space, quotes, Unicode form and form of a number.

    Examples
    --------
    >>> spelling_key("Type  1"), spelling_key("type\u00a01"), spelling_key("Ⅱ")
    ('type1', 'type1', 'ii')
    >>> [spelling_key(name) for name in ("high-fat", "High_fat", '"high fat"', "high fat.", "HIV-", "T-1")]
    ['highfat', 'highfat', 'highfat', 'highfat', 'hiv-', 't-1']
    >>> [spelling_key(name) for name in ("0", "0.0", "-0", "0e0", "1.50", "1,5", "١")]
    ['0', '0', '0', '0', '1.5', '1.5', '1']
    """
    text = "".join(unicodedata.normalize("NFKC", name.translate(_SAME)).translate(_SAME).split())
    text = text.rstrip(".;,").strip("\"'") or text
    number = text.replace(",", ".") if _COMMA.fullmatch(text) else text
    if is_number(number):
        return f"{float(number) + 0.0:.12g}"
    text = _WITHIN.sub("", text)
    return unicodedata.normalize("NFKC", text.casefold())


def look_alikes(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Return the groups of names that are one but for their spelling, each with how often each name occurs.

    Parameters
    ----------
    counts
        How often each name occurs.

    Examples
    --------
    >>> look_alikes({"sick": 12, "Sick": 2, "well": 9})
    [{'sick': 12, 'Sick': 2}]
    """
    groups: dict[str, dict[str, int]] = {}
    for name, n in counts.items():
        groups.setdefault(spelling_key(name), {})[name] = n
    return [dict(sorted(group.items(), key=lambda item: -item[1])) for group in groups.values() if len(group) > 1]


def look_alike_remarks(flag: str, values: pd.Series) -> Iterator[str]:
    """Yield a remark on classes of a column that look alike; ``flag`` is the option that names the column."""
    groups = look_alikes(Counter(class_names(values.dropna())))
    if not groups:
        return
    shown = "; ".join(
        ", ".join(f"{name_some([name])} ({count_of(n, 'sample')})" for name, n in group.items())
        for group in groups[:_SHOWN]
    )
    more = f"; and {len(groups) - _SHOWN:,} more" if len(groups) > _SHOWN else ""
    yield (
        f"{flag} {values.name}: these differ only in how they are written, and count as different: {shown}{more}. If they are "
        "one, write them alike in --metadata."
    )


def matched(names: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Return the known name of each name that is spelt otherwise, if exactly one known name is spelt like it.

    Of several known spellings of a number, the plain one is meant.

    Parameters
    ----------
    names
        Names in new metadata.
    known
        Names that training had.

    Examples
    --------
    >>> matched(["1.0", "0", "Sick", "ill"], ["0", "1", "sick"])
    {'1.0': '1', 'Sick': 'sick'}
    >>> matched(["SICK"], ["sick", "Sick"])
    {}
    """
    exact = set(known)
    others = [name for name in dict.fromkeys(names) if name not in exact]
    if not others:
        return {}
    by_key: dict[str, list[str]] = {}
    for name in known:
        by_key.setdefault(spelling_key(name), []).append(name)
    renamed = {}
    for name in others:
        key = spelling_key(name)
        found = by_key.get(key, [])
        if len(found) == 1 or (key in found and is_number(key)):
            renamed[name] = key if key in found else found[0]
    return renamed


def respelling_remarks(column: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Yield a remark on which names of new samples are read as which of those that training had, and in how many samples.

    Parameters
    ----------
    column
        Name of the column, for the remark.
    names
        Name of each sample that has one.
    known
        Names that training had.
    """
    renamed = matched(names, known)
    if not renamed:
        return
    n_samples = sum(name in renamed for name in names)
    shown = ", ".join(f"{old!r} is read as {new!r}" for old, new in list(renamed.items())[:_SHOWN])
    more = f", and {len(renamed) - _SHOWN:,} more" if len(renamed) > _SHOWN else ""
    yield f"{column} is written otherwise than in training in {count_of(n_samples, 'sample')}: {shown}{more}."


def as_known(values: pd.Series, known: Sequence[str]) -> pd.Series:
    """Return the class names of a column, those that are spelt otherwise as training has them; none is missing."""
    names = class_names(values)
    renamed = matched(names, known)
    return pd.Series([renamed.get(name, name) for name in names], index=values.index, name=values.name, dtype=object)
