"""Names of columns and rows that people put beside the samples and features of a table: totals, means and other statistics."""

from collections.abc import Iterable

from aam.errors import name_some

TOTALS = frozenset({"total", "totals", "sum", "sums", "total reads", "total counts", "grand total", "sum of reads"})
"""Names, in lower case, of a row of totals."""

_STATISTICS = {
    "means": ("mean", "means", "average", "averages", "avg", "ave", "row mean", "row means", "grand mean"),
    "medians": ("median", "medians"),
    "maxima": ("max", "maximum", "maxima"),
    "minima": ("min", "minimum", "minima"),
    "standard deviations": ("sd", "std", "stdev", "stddev", "std dev", "st dev", "standard deviation", "sdev", "se", "sem"),
}  # fmt: skip


def statistic_of(name: str) -> str | None:
    """Return what a name says that a column or row holds, in the plural; None for most names.

    Examples
    --------
    >>> [statistic_of(name) for name in ("Mean", "st.dev", "Grand Total", "S1")]
    ['means', 'standard deviations', 'totals', None]
    """
    plain = " ".join(name.lower().replace("_", " ").replace(".", " ").split())
    if plain in TOTALS:
        return "totals"
    return next((kind for kind, names in _STATISTICS.items() if plain in names), None)


def hint_of_statistics(names: Iterable[str], place: str = "row") -> str:
    """Return a sentence, after a space, on names of a row or column of statistics; empty if there are none.

    Examples
    --------
    >>> hint_of_statistics(["ACGT", "Total"])
    " 'Total' may be a row of totals: take it out of the table."
    """
    found = [(name, kind) for name in names if (kind := statistic_of(name)) is not None]
    kinds = " or ".join(dict.fromkeys(kind for _, kind in found))
    return (
        f" {name_some([name for name, _ in found])} may be a {place} of {kinds}: take it out of the table."
        if found
        else ""
    )
