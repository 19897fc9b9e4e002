"""Parts of a command that would say again what was said."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out lines of progress, and warnings; errors stay."""
    aam_logger = logging.getLogger("aam")
    earlier = aam_logger.level
    aam_logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        aam_logger.setLevel(earlier)
