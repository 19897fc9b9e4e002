"""Categories of samples, such as sites, by a metadata column: which there are in training, and which a sample is of."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from aam.data.cells import class_names, is_number

UNKNOWN = -1
"""Number of a sample whose category is missing, or that training did not see."""


@dataclass(frozen=True)
class Categories:
    """Those of the training samples.

    Attributes
    ----------
    column
        Metadata column that names them.
    names
        Sorted; a category's number is its place.
    """

    column: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: pd.Series) -> "Categories":
        """Collect those of the training samples."""
        return cls(str(values.name), tuple(sorted(set(class_names(values.dropna())))))

    def numbers(self, values: pd.Series) -> np.ndarray:
        """Number the category of each sample, `UNKNOWN` where it has none of these; int64 [S].

        A number is known however it is written: a column of numbers becomes text as soon as one cell is none.

        Examples
        --------
        >>> Categories("site", ("gut", "skin")).numbers(pd.Series(["skin", None, "tongue"])).tolist()
        [1, -1, -1]
        >>> Categories("clinic", ("1", "18")).numbers(pd.Series(["18.0", "NA"])).tolist()
        [1, -1]
        """
        number = {name: place for place, name in enumerate(self.names)}
        found = np.full(len(values), UNKNOWN, dtype=np.int64)
        found[values.notna()] = [
            number.get(name, number.get(_as_number(name), UNKNOWN)) for name in class_names(values.dropna())
        ]
        return found


def _as_number(name: str) -> str:
    return f"{float(name):.12g}" if is_number(name) else name
