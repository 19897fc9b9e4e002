"""Covariates as vectors, and the features of samples changed by them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from aam.batch import CATEGORIES, NUMBERS, Batch, SampleEncoding
from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.nn.abundance import Standardise
from aam.nn.attention import gather_rows
from aam.nn.fusion import FUSIONS


@dataclass(frozen=True)
class CovariateShape:
    """Numbers of categories and of columns among the covariates.

    Attributes
    ----------
    sizes
        Number of categories in each categorical column; parents before their children.
    parents
        Index of each column's parent among these columns, −1 for none.
    n_numbers
        Number of numeric columns.
    """

    sizes: Sequence[int]
    parents: Sequence[int]
    n_numbers: int

    @property
    def ends(self) -> list[int]:
        """Categorical columns that are no column's parent: each has one vector, which includes those of the columns above it."""
        return [column for column in range(len(self.sizes)) if column not in self.parents]

    @property
    def n_vectors(self) -> int:
        """Number of vectors per sample, M."""
        return len(self.ends) + self.n_numbers


class CovariateVectors(nn.Module):
    """Embed covariates, one vector per column.

    The vector of a category is learned; so is that of an unknown one. With a parent it is the parent's vector plus an offset that
    starts at zero, so that an unknown child has its parent's vector. A number is multiplied by a learned vector; an unknown number
    has a learned vector of its own.

    Parameters
    ----------
    shape
        Numbers of categories and columns.
    width
        Width of the vectors, W.
    dropout
        Probability that a cell is made unknown in training; the children of such a cell are made unknown, too.
    """

    def __init__(self, shape: CovariateShape, width: int, dropout: float) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.tables = nn.ParameterList(
            torch.zeros(size, width) if parent >= 0 else torch.cat([torch.randn(size, width), torch.zeros(1, width)])
            for size, parent in zip(shape.sizes, shape.parents, strict=True)
        )
        self.slopes = nn.ParameterList(torch.randn(width) for _ in range(shape.n_numbers))
        self.unknown_numbers = nn.ParameterList(torch.zeros(width) for _ in range(shape.n_numbers))

    def forward(self, batch: Batch) -> Float[Tensor, "B M W"]:
        """Compute the vectors of a batch's samples, [B, M, W]."""
        categories, numbers = batch.targets[CATEGORIES], batch.targets[NUMBERS]
        if self.training and self.dropout:
            categories = torch.where(self._with_children(self._hidden(categories)), -1, categories)
            numbers = torch.where(self._hidden(numbers), torch.nan, numbers)
        return torch.stack([*self._of_categories(categories), *self._of_numbers(numbers)], dim=1)

    def _hidden(self, cells: Tensor) -> Tensor:
        return torch.rand(cells.shape, device=cells.device) < self.dropout

    def _with_children(self, hidden: Bool[Tensor, "B E"]) -> Bool[Tensor, "B E"]:
        """Hide the cells below a hidden parent, in place."""
        for column, parent in enumerate(self.shape.parents):
            if parent >= 0:
                hidden[:, column] |= hidden[:, parent]
        return hidden

    def _of_categories(self, categories: Int[Tensor, "B E"]) -> list[Tensor]:
        vectors: list[Tensor] = []
        for number, table, parent in zip(categories.unbind(dim=1), self.tables, self.shape.parents, strict=True):
            of_unknown = F.pad(table, (0, 0, 0, 1)) if parent >= 0 else table  # an unknown child adds nothing
            vector = gather_rows(of_unknown, number % len(of_unknown))  # the last row is that of -1
            vectors.append(vector if parent < 0 else vectors[parent] + vector)
        return [vectors[column] for column in self.shape.ends]

    def _of_numbers(self, numbers: Float[Tensor, "B N"]) -> list[Tensor]:
        return [
            torch.where(number.isnan()[:, None], unknown, number.nan_to_num().to(slope.dtype)[:, None] * slope)
            for number, slope, unknown in zip(numbers.unbind(dim=1), self.slopes, self.unknown_numbers, strict=True)
        ]


class CovariateConditioning(nn.Module):
    """Standardise the features, so that they and the vectors of covariates are of one size, and fuse both.

    Parameters
    ----------
    config
        Shape of the model.
    width
        Width of the features, F.
    shape
        Numbers of categories and columns.
    options
        Kind of fusion, and dropout of cells.
    """

    def __init__(self, config: ModelConfig, width: int, shape: CovariateShape, options: CovariatesConfig) -> None:
        super().__init__()
        kind = FUSIONS[options.categorical_fusion]
        self.standardise = Standardise(width)
        self.vectors = CovariateVectors(shape, kind.vector_width(config, width), options.category_dropout)
        self.fusion = kind(config, width, shape.n_vectors)

    def forward(self, features: Float[Tensor, "B F"], samples: SampleEncoding, batch: Batch) -> Float[Tensor, "B F"]:
        """Compute the input of the target's heads from microbial features and covariates, [B, F]."""
        return self.fusion(self.standardise(features), self.vectors(batch), samples)
