"""A trained model is not lost because its directory cannot take it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from aam.errors import OutputError
from aam.inference.model_description import ModelDescription
from aam.inference.model_directory import save_model


@contextmanager
def rescued(model: nn.Module, description: ModelDescription) -> Iterator[None]:
    """Write results; if they cannot be written, keep the model among the temporary files, and say where.

    Raises
    ------
    OutputError
        A result cannot be written; the message names the model's new place, if it found one.
    """
    try:
        yield
    except OutputError as error:
        directory = Path(tempfile.mkdtemp(prefix="aam-model-"))
        try:
            save_model(directory, model, description)
        except OutputError:
            shutil.rmtree(directory, ignore_errors=True)
            raise error from None
        raise OutputError(f"{error} The trained model is kept in {directory}: move it to a safe place.") from error
