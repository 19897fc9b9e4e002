"""Trivial predictions that objectives are compared with: means of numbers, and the usual nucleotides of a position."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from aam import vocabulary
from aam.batch import IGNORED, Batch
from aam.objectives.objective import Baseline

Score = Callable[[Tensor, Tensor], Tensor]
"""Computes one number for each row that counts, from predictions and truths."""


class MeanScore(Metric):
    """Average a score, of which a larger value is better, over all rows of all batches; nan while there are none.

    Parameters
    ----------
    score
        Computes one number for each row that counts, from predictions and truths.
    """

    higher_is_better = True
    total: Tensor
    n: Tensor

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add the scores of a batch's rows."""
        scores = self.score(preds, target)
        self.total = self.total + scores.double().sum()
        self.n = self.n + len(scores)

    def compute(self) -> Tensor:
        """Return the mean score, a scalar."""
        return self.total / self.n


class MeanError(MeanScore):
    """Average an error, of which a smaller value is better, in the same way."""

    higher_is_better = False


class MeanBaseline(Baseline):
    """Predict the mean of the true numbers of training batches.

    Parameters
    ----------
    truth
        Returns the true numbers of a batch, [n].
    """

    def __init__(self, truth: Callable[[Batch], Tensor]) -> None:
        self.truth = truth
        self.total, self.n = 0.0, 0
        self.errors: list[Tensor] = []

    def learn(self, batch: Batch) -> None:
        """Add a training batch to the mean."""
        truth = self.truth(batch)
        self.total += float(truth.sum())
        self.n += len(truth)

    def score(self, batch: Batch) -> None:
        """Compute the absolute errors of the mean on a validation batch."""
        self.errors.append((self.truth(batch) - self.total / max(1, self.n)).abs())

    def scores(self) -> dict[str, float]:
        """Return the mean absolute error; nothing if no number was scored."""
        errors = torch.cat(self.errors) if self.errors else torch.empty(0)
        return {"mae": float(errors.double().mean())} if len(errors) else {}


LONGEST_CONTEXT = 6
"""Most nucleotides before a masked one that the Markov chain reads."""

PSEUDO_COUNT = 0.5
"""Added to the count of each nucleotide."""

N_LETTERS = len(vocabulary.NUCLEOTIDES)


class NucleotideBaselines(Baseline):
    """Predict masked nucleotides in two ways from the sequences of training batches; each distinct ASV of a batch counts once.

    ``position`` counts how often each nucleotide occurs at the position. ``markov`` counts how often it follows the nucleotides
    before it, at any position: as many of them, up to `LONGEST_CONTEXT`, as are neither masked, ambiguous nor before the start, and
    were seen in training; with none, how often it occurs at all. Both use a pseudo-count of 1/2, and are scored on the same
    positions as the model.
    """

    def __init__(self) -> None:
        self.at_position = np.zeros((0, N_LETTERS))
        self.after = [np.zeros((N_LETTERS**k, N_LETTERS)) for k in range(LONGEST_CONTEXT + 1)]
        self._scores: dict[str, list[np.ndarray]] = {"position": [], "markov": []}
        self._labels: list[np.ndarray] = []

    def learn(self, batch: Batch) -> None:
        """Count the nucleotides of the batch's distinct ASVs."""
        tokens = batch.tokens.cpu().numpy()
        letters = tokens - vocabulary.FIRST_NUCLEOTIDE
        is_letter = (letters >= 0) & (letters < N_LETTERS)
        missing = tokens.shape[1] - len(self.at_position)
        self.at_position = np.pad(self.at_position, ((0, max(0, missing)), (0, 0)))
        row, column = np.nonzero(is_letter)
        np.add.at(self.at_position, (column, letters[row, column]), 1)
        for k, counts in enumerate(self.after):
            context, is_known = contexts(letters, is_letter, k)
            used = is_known & is_letter
            np.add.at(counts, (context[used], letters[used]), 1)

    def score(self, batch: Batch) -> None:
        """Predict the masked nucleotides of a validation batch."""
        assert batch.masked is not None, "the batch holds no masked nucleotides"
        tokens, columns, labels = (
            part.cpu().numpy() for part in (batch.masked.tokens, batch.masked.columns, batch.masked.labels)
        )
        row, masked = np.nonzero(labels != IGNORED)
        column = columns[row, masked]
        hidden = tokens.copy()
        np.put_along_axis(hidden, columns, vocabulary.MASK, axis=1)  # also those that are read as something else
        letters = hidden - vocabulary.FIRST_NUCLEOTIDE
        self._labels.append(labels[row, masked])
        reach = np.minimum(column, max(0, len(self.at_position) - 1))
        self._scores["position"].append(
            self.at_position[reach] if len(self.at_position) else np.zeros((len(row), N_LETTERS))
        )
        self._scores["markov"].append(self._following(letters, row, column))

    def scores(self) -> dict[str, float]:
        """Return accuracy and perplexity of both predictions; nothing if no nucleotide was scored."""
        labels = np.concatenate([np.zeros(0, dtype=np.int64), *self._labels])
        if not len(labels):
            return {}
        metrics = {}
        for name, parts in self._scores.items():
            counts = np.concatenate(parts) + PSEUDO_COUNT
            share = counts / counts.sum(axis=1, keepdims=True)
            metrics[f"{name}_accuracy"] = float((share.argmax(axis=1) == labels).mean())
            metrics[f"{name}_perplexity"] = float(np.exp(-np.log(share[np.arange(len(labels)), labels]).mean()))
        return metrics

    def _following(self, letters: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the counts of nucleotides after the longest context that is known, for each masked nucleotide, [M, 4]."""
        is_letter = (letters >= 0) & (letters < N_LETTERS)
        counts = np.broadcast_to(self.after[0][0], (len(row), N_LETTERS)).copy()
        for k in range(1, LONGEST_CONTEXT + 1):
            context, is_known = contexts(letters, is_letter, k)
            is_complete = is_known[row, column]
            longer_counts = self.after[k][context[row, column]]
            used = is_complete & (longer_counts.sum(axis=1) > 0)
            counts[used] = longer_counts[used]
        return counts


def contexts(letters: np.ndarray, is_letter: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Encode the ``k`` letters before each position as a number.

    Returns
    -------
    number
        The letters as digits in base 4, int64 [R, L].
    is_known
        Whether all of them are known, bool [R, L].
    """
    number = np.zeros(letters.shape, dtype=np.int64)
    is_known = np.ones(letters.shape, dtype=bool)
    for back in range(1, k + 1):
        before = np.zeros_like(number)
        before[:, back:] = letters[:, : letters.shape[1] - back]
        is_shown = np.zeros_like(is_known)
        is_shown[:, back:] = is_letter[:, : letters.shape[1] - back]
        number += np.where(is_shown, before, 0) * N_LETTERS ** (back - 1)
        is_known &= is_shown
    return number, is_known
