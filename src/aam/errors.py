"""Mistakes a user can make, as exceptions whose messages tell what to do; the command line turns them into exit code 2."""

from collections.abc import Sequence

_LONGEST = 100  # letters of a name


class AamError(Exception):
    """A mistake in the user's input or options; the message tells what is wrong, where, and what to do."""


class ConfigError(AamError):
    """An option is mistyped, out of range or contradicts another."""


class InputError(AamError):
    """A file is missing, unreadable or not what its flag expects."""


class TableError(InputError):
    """A feature table cannot be used."""


class SequenceError(InputError):
    """The sequences of the features are missing or malformed."""


class TreeError(InputError):
    """A phylogenetic tree is malformed or does not match the table."""


class TaxonomyError(InputError):
    """A taxonomy is malformed."""


class MetadataError(InputError):
    """Sample metadata is malformed, or does not match the table or the task."""


class SplitError(InputError):
    """Samples cannot be divided into training and validation samples as asked."""


class DistanceError(InputError):
    """A distance matrix is malformed or does not match the table."""


class ModelError(InputError):
    """A model directory is malformed, or cannot do what the command asks."""


class OutputError(AamError):
    """An output cannot be written where the user asked."""


class StopRequested(KeyboardInterrupt):
    """A signal asked to stop; libraries clean up as they do for Ctrl-C.

    Parameters
    ----------
    number
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def name_some(names: Sequence[object], limit: int = 5) -> str:
    """Return up to ``limit`` quoted names for a message, long ones cut off, and the number of further names.

    Examples
    --------
    >>> name_some(["S1", "S2", "S3"], limit=2)
    "'S1', 'S2' and 1 more"
    """
    texts = [str(name) for name in names[:limit]]
    shown = ", ".join(repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") for text in texts)
    more = len(names) - limit
    return f"{shown} and {more:,} more" if more > 0 else shown


def count_of(number: int, thing: str) -> str:
    """Return a number of things as text for a message.

    Examples
    --------
    >>> count_of(1, "group"), count_of(2000, "group")
    ('1 group', '2,000 groups')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
