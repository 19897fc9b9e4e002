"""Trivial predictions that objectives are scored beside: means of numbers, and the usual nucleotides of a position."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from aam import vocabulary
from aam.batch import IGNORED, Batch
from aam.objectives.objective import Baseline

Score = Callable[[Tensor, Tensor], Tensor]


class MeanScore(Metric):
    """Average a score, of which more is better, over all rows of all batches; nan while there are none.

    Parameters
    ----------
    score
        Gives a number for each row that counts, from predictions and truths.
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
        """Add the rows of a batch."""
        scores = self.score(preds, target)
        self.total = self.total + scores.double().sum()
        self.n = self.n + len(scores)

    def compute(self) -> Tensor:
        """Give the mean."""
        return self.total / self.n


class MeanError(MeanScore):
    """The same of an error."""

    higher_is_better = False


class MeanBaseline(Baseline):
    """Predict the mean of what training batches hold.

    Parameters
    ----------
    truth
        Gives the true numbers of a batch, [n].
    """

    def __init__(self, truth: Callable[[Batch], Tensor]) -> None:
        self.truth = truth
        self.total, self.n = 0.0, 0
        self.errors: list[Tensor] = []

    def learn(self, batch: Batch) -> None:
        """Add to the mean."""
        truth = self.truth(batch)
        self.total += float(truth.sum())
        self.n += len(truth)

    def score(self, batch: Batch) -> None:
        """Measure how far the mean is off."""
        self.errors.append((self.truth(batch) - self.total / max(1, self.n)).abs())

    def scores(self) -> dict[str, float]:
        """Give the mean absolute error."""
        errors = torch.cat(self.errors) if self.errors else torch.empty(0)
        return {"mae": float(errors.double().mean())} if len(errors) else {}


LONGEST_CONTEXT = 6
"""Nucleotides before a masked one that the Markov chain knows, at most."""

PSEUDO_COUNT = 0.5

N_LETTERS = len(vocabulary.NUCLEOTIDES)


class NucleotideBaselines(Baseline):
    """Accuracy and perplexity of two predictions from the sequences of training batches, each distinct ASV of a batch counted once.

    ``position``: how often each nucleotide stands at this position. ``markov``: how often it follows the nucleotides before it, at
    any position: as many of them, up to `LONGEST_CONTEXT`, as are neither masked, ambiguous nor before the start, and were seen in
    training; with none, how often it is seen at all. Both with a pseudo-count of 1/2, scored on the positions that the model is.
    """

    def __init__(self) -> None:
        self.at_position = np.zeros((0, N_LETTERS))
        self.after = [np.zeros((N_LETTERS**k, N_LETTERS)) for k in range(LONGEST_CONTEXT + 1)]
        self._scores: dict[str, list[np.ndarray]] = {"position": [], "markov": []}
        self._labels: list[np.ndarray] = []

    def learn(self, batch: Batch) -> None:
        """Count the sequences of the batch's ASVs."""
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
        """Predict the batch's masked nucleotides."""
        assert batch.masked is not None, "the batch holds no masked nucleotides"
        tokens, columns, labels = (
            part.cpu().numpy() for part in (batch.masked.tokens, batch.masked.columns, batch.masked.labels)
        )
        row, place = np.nonzero(labels != IGNORED)
        column = columns[row, place]
        hidden = tokens.copy()
        np.put_along_axis(hidden, columns, vocabulary.MASK, axis=1)  # also those that are read as something else
        letters = hidden - vocabulary.FIRST_NUCLEOTIDE
        self._labels.append(labels[row, place])
        reach = np.minimum(column, max(0, len(self.at_position) - 1))
        self._scores["position"].append(
            self.at_position[reach] if len(self.at_position) else np.zeros((len(row), N_LETTERS))
        )
        self._scores["markov"].append(self._following(letters, row, column))

    def scores(self) -> dict[str, float]:
        """Give accuracy and perplexity of both."""
        labels = np.concatenate([np.zeros(0, dtype=np.int64), *self._labels])
        if not len(labels):
            return {}
        found = {}
        for name, parts in self._scores.items():
            counts = np.concatenate(parts) + PSEUDO_COUNT
            share = counts / counts.sum(axis=1, keepdims=True)
            found[f"{name}_accuracy"] = float((share.argmax(axis=1) == labels).mean())
            found[f"{name}_perplexity"] = float(np.exp(-np.log(share[np.arange(len(labels)), labels]).mean()))
        return found

    def _following(self, letters: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Count what follows the longest context that is known, for each masked nucleotide."""
        is_letter = (letters >= 0) & (letters < N_LETTERS)
        counts = np.broadcast_to(self.after[0][0], (len(row), N_LETTERS)).copy()
        for k in range(1, LONGEST_CONTEXT + 1):
            context, is_known = contexts(letters, is_letter, k)
            known = is_known[row, column]
            seen = self.after[k][context[row, column]]
            used = known & (seen.sum(axis=1) > 0)
            counts[used] = seen[used]
        return counts


def contexts(letters: np.ndarray, is_letter: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the ``k`` letters before each position, in base 4, and tell where all of them are known; both [R, L]."""
    number = np.zeros(letters.shape, dtype=np.int64)
    is_known = np.ones(letters.shape, dtype=bool)
    for back in range(1, k + 1):
        before = np.zeros_like(number)
        before[:, back:] = letters[:, : letters.shape[1] - back]
        known = np.zeros_like(is_known)
        known[:, back:] = is_letter[:, : letters.shape[1] - back]
        number += np.where(known, before, 0) * N_LETTERS ** (back - 1)
        is_known &= known
    return number, is_known
