"""Whether memory holds a step: found by running it, with one answer on all ranks."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from aam.errors import AamError
from aam.nn.collective import OutOfMemoryElsewhereError, meet

logger = logging.getLogger(__name__)

ADVICE = (
    "For a new run, pass a smaller --batch-size (auto finds one; --target-effective-batch-size keeps the steps of the optimiser as "
    "large), --token-limit or --rarefy-depth. To continue this one, pass --resume with more --devices or, unless it has "
    "--max-memory-gb, with a smaller --asv-chunk-size or --gradient-checkpointing: they change no more than the last digits."
)
"""What the user can do."""
_OF_A_CPU = "can't allocate memory"


class StepTooLargeError(AamError):
    """Memory does not hold a step."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, of a GPU or of this machine."""
    is_named = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_named or (isinstance(error, RuntimeError) and _OF_A_CPU in str(error))


def fits(step: Callable[[], object], has_others: bool = False) -> bool:
    """Run a step; say whether memory held it, and if not, let go of all that it allocated.

    Parameters
    ----------
    step
        What to run. What it has changed before its end, such as gradients, the caller undoes.
    has_others
        Whether other ranks run it, too: then the answer is no on all of them if it is no on one.
    """
    try:
        step()
        if has_others:
            meet()
        return True
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if has_others and not isinstance(error, OutOfMemoryElsewhereError):
            meet(is_out_of_memory=True)
    gc.collect()  # the error, and through it the step's tensors, are let go of only here
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


@contextmanager
def memory_is_explained(is_first: bool) -> Iterator[None]:
    """Say what to do if memory runs out in a block for which nothing else is left to try.

    Parameters
    ----------
    is_first
        Whether this rank speaks for all. Another one speaks for itself here: the others end because it did, without knowing why.

    Raises
    ------
    StepTooLargeError
        It did.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        explained = StepTooLargeError(f"Memory does not hold a step. {ADVICE}")
        if not is_first:
            logger.error("aam: %s", explained)
        raise explained from None
