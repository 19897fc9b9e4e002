"""Code that a table names, imported when it is needed."""

import importlib
from typing import Any


def load(path: str) -> Any:
    """Import ``module:name``.

    Examples
    --------
    >>> load("math:sqrt")(9)
    3.0
    """
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
