"""Integrated gradients (Sundararajan, Taly & Yan 2017) of one output, down to the ASVs of samples and the nucleotides of ASVs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from aam.batch import Batch
from aam.data.study import Study
from aam.explanation.network.attention import patches
from aam.explanation.network.output import Output
from aam.explanation.network.path_integral import Quadrature, gradient_of
from aam.inference.network import NetworkPredictor
from aam.labels.head_inputs import HeadInputs

logger = logging.getLogger(__name__)

QUADRATURE = Quadrature()


@dataclass(frozen=True)
class SampleGradients:
    """What each ASV of each sample adds to an output, against the mean ASV of the study.

    Attributes
    ----------
    features
        ASVs of the samples, one sample after the other, int64 [T].
    sample_offsets
        Sample ``i`` holds those from ``sample_offsets[i]`` to before ``sample_offsets[i + 1]``, int64 [S + 1].
    values
        Attribution of each, in units of the output, float64 [T].
    output, baseline
        Output of each sample, and that of as many mean ASVs with its abundances, float64 [S].
    error
        Difference of each sample's sum from output minus baseline, without sign, float64 [S].
    steps
        Points of the quadrature, int64 [S].
    """

    features: np.ndarray
    sample_offsets: np.ndarray
    values: np.ndarray
    output: np.ndarray
    baseline: np.ndarray
    error: np.ndarray
    steps: np.ndarray

    def table(self, study: Study) -> pd.DataFrame:
        """Return rows of sample-id, feature-id and attribution; the study is that of the samples."""
        samples = np.repeat(np.array(list(study.sample_ids), dtype=object), np.diff(self.sample_offsets))
        names = [study.feature_ids[feature] for feature in self.features.tolist()]
        return pd.DataFrame({"sample-id": samples, "feature-id": names, "attribution": self.values})


@dataclass(frozen=True)
class SequenceGradients:
    """What each patch of an ASV's sequence adds to an output, summed over the samples that hold the ASV.

    Attributes
    ----------
    feature
        Row of the ASV in the study.
    patches
        Nucleotides of each patch, [P].
    values
        Attribution of each, in units of the output, float64 [P].
    change
        Sum over the samples of their output minus that with the ASV read from mean patches.
    error, steps
        Difference of the sum from it, without sign, and points of the quadrature.
    n_samples
        Number of samples that hold the ASV.
    """

    feature: int
    patches: list[str]
    values: np.ndarray
    change: float
    error: float
    steps: int
    n_samples: int


def sample_gradients(
    network: NetworkPredictor,
    drawn: Study,
    head_inputs: HeadInputs,
    output: Output,
    quadrature: Quadrature = QUADRATURE,
) -> SampleGradients:
    """Compute what each ASV of each sample adds to an output.

    The path leads from the mean vector of the study's ASVs, for all ASVs at once, to the ASVs' own vectors. Abundances, the number
    of ASVs and covariates stay: what is explained is which ASVs these are. Tokens and reads of different samples never meet.

    Parameters
    ----------
    network
        Predictor of the network.
    drawn, head_inputs
        The samples, and what the head reads beside their ASVs, as `NetworkPredictor.drawn` and `head_inputs` return them.
    output
        The output.
    quadrature
        Tolerance and numbers of steps; in single precision sums are complete to about 1e-5 only.

    Returns
    -------
    SampleGradients
        Attributions, and how far they are complete.
    """
    mean = torch.from_numpy(np.asarray(network.asv_vectors(drawn)).mean(axis=0)).to(network.device)
    parts = []
    with tqdm(total=drawn.n_samples, desc="gradients", unit="sample", disable=None) as bar:
        for batch in network.batches(drawn, head_inputs):
            parts.append(_of_batch(network, batch, mean, output, quadrature))
            bar.update(batch.n_samples)
    lengths, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    features, values, at_end, at_begin, error, steps = columns
    _warn_of_incomplete(error, at_end - at_begin, quadrature)
    return SampleGradients(features, np.concatenate([[0], np.cumsum(lengths)]), values, at_end, at_begin, error, steps)


def _of_batch(
    network: NetworkPredictor, batch: Batch, mean: Tensor, output: Output, quadrature: Quadrature
) -> tuple[np.ndarray, ...]:
    """Return number of ASVs, ASVs, attributions, outputs at both ends, errors and steps of the samples of a batch."""
    assert batch.asv_vectors is not None, "vectors are computed beforehand"
    own = batch.asv_vectors[batch.asv_index]
    base, way = mean.to(own.dtype).expand_as(own), own - mean
    paired = replace(
        batch,
        asv_vectors=own,
        features=batch.features[batch.asv_index],
        tokens=batch.tokens[batch.asv_index],
        asv_index=torch.arange(len(own), device=own.device),
    )
    with torch.no_grad():
        at_end, at_begin = (output(network, replace(paired, asv_vectors=vectors)).double() for vectors in (own, base))

    def integrand(points: np.ndarray, weights: np.ndarray) -> Tensor:
        total = torch.zeros(len(own), dtype=torch.float64, device=own.device)
        for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
            vectors = (base + point * way).requires_grad_()
            gradient = gradient_of(output(network, replace(paired, asv_vectors=vectors)), vectors)
            total += weight * (gradient * way).sum(dim=1)
        return total

    def of_samples(values: Tensor) -> Tensor:
        return at_end.new_zeros(batch.n_samples).index_add(0, batch.sample_of_pair, values)

    values, error, steps = quadrature.solve(integrand, of_samples, at_end - at_begin)
    lengths, n_steps = batch.sample_offsets.diff(), torch.full((batch.n_samples,), steps)
    parts = (lengths, paired.features, values, at_end, at_begin, error, n_steps)
    return tuple(part.cpu().numpy() for part in parts)


def _warn_of_incomplete(error: np.ndarray, change: np.ndarray, quadrature: Quadrature) -> None:
    is_incomplete = error > quadrature.tolerance * np.maximum(np.abs(change), 1)
    if is_incomplete.any():
        logger.warning(
            "Integrated gradients of %d of %d samples or ASVs do not add up to the change of the output within %g after %d steps: "
            "they are off by up to %.2g.",
            is_incomplete.sum(), len(error), quadrature.tolerance, quadrature.most_steps, error.max(),
        )  # fmt: skip


def sequence_gradients(
    network: NetworkPredictor,
    drawn: Study,
    head_inputs: HeadInputs,
    output: Output,
    features: np.ndarray,
    quadrature: Quadrature = QUADRATURE,
) -> list[SequenceGradients]:
    """Compute what each patch of the sequences of some ASVs adds to an output, summed over the samples that hold the ASV.

    The path leads from the mean of the stem's outputs over the ASV's patches, in all its places, to the outputs themselves. The
    vectors of the samples' other ASVs stay.

    Parameters
    ----------
    network, drawn, head_inputs, output, quadrature
        As for `sample_gradients`.
    features
        Rows of the ASVs in the study, int64; each needs a pass over its samples for each step.

    Returns
    -------
    list of SequenceGradients
        One for each ASV that any sample holds, in the order given.
    """
    holders = _holders(drawn, features)
    found = []
    for feature in tqdm(features.tolist(), desc="sequences", unit="ASV", disable=None):
        rows = holders[feature]
        if len(rows):
            inputs = {name: values[rows] for name, values in head_inputs.items()}
            batches = list(network.batches(drawn.select_samples(rows), inputs))
            found.append(_of_sequence(_Sequence.of(network, drawn, batches, feature), output, quadrature))
    _warn_of_incomplete(np.array([one.error for one in found]), np.array([one.change for one in found]), quadrature)
    return found


def _holders(study: Study, features: np.ndarray) -> dict[int, np.ndarray]:
    held: dict[int, list[int]] = {feature: [] for feature in features.tolist()}
    for row in range(study.n_samples):
        for feature in np.intersect1d(study.sample(row)[0], features).tolist():
            held[feature].append(row)
    study.release()
    return {feature: np.array(rows, dtype=np.int64) for feature, rows in held.items()}


@dataclass(frozen=True)
class _Sequence:
    """One ASV: its tokens [1, L], the stem's outputs [P, D], and the batches of the samples that hold it."""

    network: NetworkPredictor
    feature: int
    tokens: Tensor
    embedded: Tensor
    batches: list[Batch]

    @classmethod
    def of(cls, network: NetworkPredictor, study: Study, batches: list[Batch], feature: int) -> "_Sequence":
        tokens = torch.from_numpy(study.tokens[np.array([feature])].astype(np.int64)).to(network.device)
        with torch.no_grad():
            embedded = network.base.asv_encoder.stem(tokens)[0]
        return cls(network, feature, tokens, embedded, batches)

    def vectors(self, embedded: Tensor) -> Tensor:
        """Encode the ASV from other outputs of the stem, [K, P, D]; returns [K, D]."""
        encoder = self.network.base.asv_encoder
        with _stem_gives(encoder.stem, embedded), self.network.arithmetic():
            return encoder(self.tokens.expand(len(embedded), -1))

    def output(self, output: Output, batch: Batch, vector: Tensor) -> Tensor:
        """Compute an output of the samples of a batch in which the ASV has another vector, [D]."""
        assert batch.asv_vectors is not None, "vectors are computed beforehand"
        place = torch.nonzero(batch.features == self.feature)[:, 0]
        vectors = batch.asv_vectors.index_copy(0, place, vector.to(batch.asv_vectors.dtype)[None])
        return output(self.network, replace(batch, asv_vectors=vectors))


@contextmanager
def _stem_gives(stem: nn.Module, embedded: Tensor) -> Iterator[None]:
    """Let a stem return rows of ``embedded``, [K, P, D], in place of its outputs, as many as it is asked for each time."""
    waiting = [embedded]

    def give(module: nn.Module, arguments: Any, computed: Tensor) -> Tensor:
        given, waiting[0] = waiting[0].split([len(computed), len(waiting[0]) - len(computed)])
        return given

    handle = stem.register_forward_hook(give)
    try:
        yield
    finally:
        handle.remove()


def _of_sequence(sequence: _Sequence, output: Output, quadrature: Quadrature) -> SequenceGradients:
    own = sequence.embedded
    base, way = own.mean(dim=0).expand_as(own), own - own.mean(dim=0)

    def total_output(vector: Tensor) -> Tensor:
        return torch.stack([sequence.output(output, batch, vector).sum() for batch in sequence.batches]).sum().double()

    def integrand(points: np.ndarray, weights: np.ndarray) -> Tensor:
        steps = torch.from_numpy(points).to(own)[:, None, None]
        embedded = (base + steps * way).requires_grad_()
        vectors = sequence.vectors(embedded)
        gradients = torch.zeros_like(vectors)
        for number, weight in enumerate(weights.tolist()):
            vector = vectors[number].detach().requires_grad_()
            for batch in sequence.batches:
                gradients[number] += weight * gradient_of(sequence.output(output, batch, vector), vector)
        return (gradient_of(vectors * gradients.detach(), embedded).sum(dim=0) * way).sum(dim=1)

    with torch.no_grad():
        end, begin = sequence.vectors(torch.stack([own, base]))
        change = (total_output(end) - total_output(begin))[None]
    values, error, steps = quadrature.solve(integrand, lambda values: values.sum()[None], change)
    names = patches(sequence.tokens[0].cpu().numpy(), sequence.network.base.config.patch_size)
    return SequenceGradients(
        feature=sequence.feature,
        patches=names,
        values=values.cpu().numpy(),
        change=float(change),
        error=float(error),
        steps=steps,
        n_samples=sum(batch.n_samples for batch in sequence.batches),
    )
