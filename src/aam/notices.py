"""What a command has to say: each warning once, with the fold that it is of, and the progress of folds left out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Notices(logging.Filter):
    """A filter of the command line's log: it drops warnings that were given before, by message and arguments.

    Within a place, such as a fold, progress (below a warning) is left out and warnings end in the name of the place, so that
    nothing that matters is hidden and nothing is said once for each fold.
    """

    def __init__(self) -> None:
        super().__init__()
        self._given: set[tuple[str, str]] = set()
        self._place: str | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be shown; a warning within a place gets the place's name."""
        if record.levelno > logging.WARNING:
            return True
        if record.levelno < logging.WARNING:
            return self._place is None
        key = (str(record.msg), repr(record.args))
        if key in self._given:
            return False
        self._given.add(key)
        if self._place is not None:
            record.msg, record.args = f"{record.getMessage()} ({self._place})", None
        return True

    def forget(self) -> None:
        """Begin a command, for which no warning was given yet."""
        self._given.clear()

    @contextmanager
    def within(self, place: str) -> Iterator[None]:
        """Name a place, such as ``fold 3``, in the warnings of a block, and leave its progress out."""
        outer, self._place = self._place, place
        try:
            yield
        finally:
            self._place = outer


NOTICES = Notices()
"""The one of this process; the command line puts it into its log."""
