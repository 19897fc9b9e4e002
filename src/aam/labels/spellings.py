"""Classes and categories that are one but for how they are written: case, white space, Unicode form, or form of a number."""

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from aam.errors import count_of, name_some
from aam.labels.classes.one_class import letters_of_other_scripts, meaning_keys, misspellings
from aam.labels.columns import class_names, is_number

_SAME = str.maketrans(
    {**dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4", "'"), **dict.fromkeys("\u201c\u201d", '"')}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", "")
)
"""Quotes and dashes that look alike, and letters that have no width."""

_SHOWN = 5

TARGET_FLAG = "--metadata-column"
"""Option of the column that is learned, whose classes ``--merge-classes`` merges."""

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
    return _grouped(counts, {name: spelling_key(name) for name in counts})


def probably_one(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Return the groups of names that probably mean one class, such as yes and Y, or a rare one that is misspelt.

    Groups that `look_alikes` returns as they are here are not among them.

    Parameters
    ----------
    counts
        How often each name occurs.

    Examples
    --------
    >>> probably_one({"yes": 12, "Y": 2, "no": 9, "No": 1})
    [{'yes': 12, 'Y': 2}]
    >>> probably_one({"sick": 30, "sikc": 1})
    [{'sick': 30, 'sikc': 1}]
    """
    spelling = {name: spelling_key(name) for name in counts}
    meaning_of = meaning_keys(spelling.values())
    key_of = {name: meaning_of[key] for name, key in spelling.items()}
    for name, meant in misspellings(counts).items():
        key_of[name] = key_of[meant]
    alike = look_alikes(counts)
    return [group for group in _grouped(counts, key_of) if group not in alike]


def _grouped(counts: Mapping[str, int], key_of: Mapping[str, str]) -> list[dict[str, int]]:
    """Return the groups of several names of one key, the most frequent name first."""
    groups: dict[str, dict[str, int]] = {}
    for name, n in counts.items():
        groups.setdefault(key_of[name], {})[name] = n
    return [dict(sorted(group.items(), key=lambda item: -item[1])) for group in groups.values() if len(group) > 1]


def look_alike_remarks(flag: str, values: pd.Series, how: str = "pass") -> Iterator[str]:
    """Yield remarks on classes of a column that look alike or mean the same.

    Parameters
    ----------
    flag
        Option that names the column.
    values
        Cells of the samples.
    how
        What is to be done with the option that merges classes of the column that is learned.
    """
    counts = Counter(class_names(values.dropna()))
    may_be_one = probably_one(counts)
    grouped = {name for group in may_be_one for name in group}
    alike = [group for group in look_alikes(counts) if grouped.isdisjoint(group)]
    for what, groups in (("differ only in how they are written, and", alike), ("may be one class, and", may_be_one)):
        if groups:
            option = f", or {how} {merge_option(groups)}" if flag == TARGET_FLAG else ""
            yield (
                f"{flag} {values.name}: these {what} count as different: {_shown(groups)}. If they are one, write them alike in "
                f"--metadata{option}."
            )


def merge_option(groups: Iterable[Mapping[str, int]]) -> str:
    """Write the option that merges each group into its most frequent name, as a shell reads it; of the first five groups.

    Examples
    --------
    >>> merge_option([{"high fat": 12, "HF": 2, "fat": 1}, {"a,b": 3, "a b": 1}, {"c": 2, "c,": 1}])
    "--merge-classes 'high fat=HF,fat' 'a,b=a b' c=c,"
    """
    pairs = []
    for name, *others in list(groups)[:_SHOWN]:
        has_comma = any("," in other for other in others)
        pairs += [f"{name}={other}" for other in others] if has_comma else [f"{name}={','.join(others)}"]
    return f"--merge-classes {shlex.join(pairs)}"


def _shown(groups: Sequence[Mapping[str, int]]) -> str:
    """Name up to five groups, with the samples of each name."""
    shown = "; ".join(
        ", ".join(
            f"{name_some([name])} ({count_of(n, 'sample')}{letters_of_other_scripts(name)})"
            for name, n in group.items()
        )
        for group in groups[:_SHOWN]
    )
    return f"{shown}; and {len(groups) - _SHOWN:,} more" if len(groups) > _SHOWN else shown


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
    >>> matched(["M", "Female", "other"], ["male", "female"])
    {'M': 'male', 'Female': 'female'}
    >>> matched(["SICK"], ["sick", "Sick"])
    {}
    """
    exact = set(known)
    others = [name for name in dict.fromkeys(names) if name not in exact]
    if not others:
        return {}
    spelling = {name: spelling_key(name) for name in [*known, *others]}
    by_key = _names_by_key(known, spelling)
    is_new = any(spelling[name] not in by_key for name in others)
    meaning_of = meaning_keys(spelling.values()) if is_new else {}
    by_meaning = _names_by_key(known, {name: meaning_of[spelling[name]] for name in known}) if is_new else {}
    renamed = {}
    for name in others:
        key = spelling[name]
        found = by_key.get(key) or by_meaning.get(meaning_of.get(key, key), [])
        if len(found) == 1 or (key in found and is_number(key)):
            renamed[name] = key if key in found else found[0]
    return renamed


def _names_by_key(names: Iterable[str], key_of: Mapping[str, str]) -> dict[str, list[str]]:
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(key_of[name], []).append(name)
    return by_key


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
