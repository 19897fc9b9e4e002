"""Names that say that a sample is a blank, a control, a mock community or a pool of samples, and not of its own."""

import re
from collections.abc import Sequence

import numpy as np

from aam.errors import count_of, name_some

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_PARTS = re.compile(r"\d+")

SURE = frozenset(
    {
        "blank", "blanks", "blk", "ntc", "mock", "mocks", "zymo", "zymomock", "negctrl", "negcontrol", "negativecontrol",
        "negativectrl", "posctrl", "poscontrol", "positivecontrol", "positivectrl", "extractioncontrol", "extractionblank",
        "extractionctrl", "pcrcontrol", "pcrblank", "pcrctrl", "pcrneg", "kitcontrol", "kitblank", "notemplate",
        "notemplatecontrol", "emptywell", "libraryblank", "samplingblank", "fieldblank", "processblank", "reagentcontrol",
        "reagentblank", "watercontrol", "waterblank", "controlwater", "controlblank", "blankcontrol", "mockcommunity",
        "pooled", "poolsample", "samplepool",
    }
)  # fmt: skip
"""Words, and neighbouring words joined, that name such a sample."""

PERHAPS = frozenset(
    {
        "control", "controls", "ctrl", "neg", "negative", "nc", "pos", "positive", "pc", "water", "pbs", "buffer",
        "empty", "kit", "reagent", "swab", "pcr", "extraction", "pool", "failed", "undetermined",
    }
)  # fmt: skip
"""Words that name such a sample if it has few reads; else they may mean healthy people, or waters."""

FEW = 0.1
"""Fraction of the median depth below which a sample has few enough."""

MOST = 0.2
"""Largest share of the samples; more are of an experiment whose groups have such names."""


def words_of(name: str) -> set[str]:
    """Return the lower-case words of a name, and each two or three joined between which there is no digit.

    Examples
    --------
    >>> sorted(words_of("NegCtrl-2"))
    ['ctrl', 'neg', 'negctrl']
    """
    words = set()
    for part in _PARTS.split(name):
        found = [word.lower() for word in _WORDS.findall(part)]
        words |= {"".join(found[start : start + n]) for n in (1, 2, 3) for start in range(len(found) - n + 1)}
    return {word for word in words if len(word) > 1}


def are_named_controls(names: Sequence[str], depths: np.ndarray) -> np.ndarray:
    """Return whether each sample is a blank, control or pool by its name, and its reads where the name alone does not tell.

    Parameters
    ----------
    names
        Name of each sample, or what metadata say of it, [S].
    depths
        Reads of each sample, [S].

    Returns
    -------
    np.ndarray
        True for such samples, bool [S]; False for all if they are too many to be exceptions.
    """
    has_few = depths < FEW * float(np.median(depths)) if len(depths) else np.zeros(0, dtype=bool)
    found: dict[str, tuple[bool, bool]] = {}
    for name in names:
        if name not in found:
            words = words_of(name)
            found[name] = bool(words & SURE), bool(words & PERHAPS)
    is_sure, may_be = (np.array([found[name][k] for name in names], dtype=bool) for k in (0, 1))
    if is_sure.mean() > MOST:
        is_sure[:] = False
    is_control = is_sure | (may_be & has_few)
    return is_control if len(names) and is_control.mean() <= MOST else np.zeros(len(names), dtype=bool)


def control_remarks(sample_ids: Sequence[str], is_control: np.ndarray) -> list[str]:
    """Return a remark on the samples that are blanks, controls or pools by their name or metadata.

    Parameters
    ----------
    sample_ids, is_control
        Names of the samples, and whether each is one, [S].
    """
    if not is_control.any():
        return []
    names = [sample_ids[index] for index in np.flatnonzero(is_control).tolist()]
    return [
        f"{len(names):,} of {count_of(len(is_control), 'sample')} are blanks, controls, mock communities or pools by their name or "
        f"metadata: {name_some(names)}. They are read like any other: take them out of the table, unless they are what you study."
    ]
