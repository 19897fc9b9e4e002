"""How one of several numeric columns is learned, where a file says so."""

from typing import Annotated

from pydantic import Field

from aam.config._base import config
from aam.config.network_head import NumberConfig
from aam.config.target import Transform


@config
class ColumnLossConfig(NumberConfig):
    """What a file of ``--loss-config`` may say of a column: what the options of these names say, and its weight."""

    target_transform: Transform = "zscore"
    """Units in which it is learned."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How much its loss counts beside those of the other columns."""
