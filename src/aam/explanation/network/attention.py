"""Attention of a network, on request: weights of every layer and head among ASVs and nucleotides, and rollout over the layers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from aam import vocabulary
from aam.data.study import Study
from aam.errors import ModelError
from aam.explanation.network.members import networks_of
from aam.inference.network import NetworkPredictor
from aam.inference.predictor import Predictor
from aam.models.sequence_predictor import SequencePredictor
from aam.nn.attention_weights import AnyAttention, AttentionWatch
from aam.nn.transformer import Transformer

POOLING, TARGET_POOLING, ROLLOUT = "pooling", "target-pooling", "rollout"
"""Layers that read a set into one vector: the base's, and that of the target's head, and rollout down to the first."""

MEAN = "mean"
"""In place of the number of a head."""

_LETTERS = {token: letter for letter, token in reversed(vocabulary.TOKEN_OF_LETTER.items())} | {
    vocabulary.AMBIGUOUS: "N",
    vocabulary.PAD: "",
}


@dataclass(frozen=True)
class Attention:
    """Attention inside one set: among the ASVs of a sample, or the patches of an ASV.

    Attributes
    ----------
    name
        Name of the sample or of the ASV.
    positions
        Names of the ASVs of the sample, or nucleotides of each patch, [A].
    weights
        Weights by layer, in the order in which the layers are run, float64 [H, Q, A]: Q is A, or 1 for layers that pool. Rows add
        up to 1.
    """

    name: str
    positions: Sequence[str]
    weights: Mapping[str, np.ndarray]

    def received(self, layer: str) -> np.ndarray:
        """Return the weight that each position gets on average over the positions that attend, float64 [H, A]; adds up to 1."""
        return self.weights[layer].mean(axis=1)

    def rollout(self) -> np.ndarray:
        """Compute attention rollout (Abnar & Zuidema 2020) from the pooled vector down to the positions, float64 [A].

        The product of the layers' mean weights over heads, each averaged with the identity for the residual connection, from the
        pooling down: how much of each position would be in the pooled vector if values did not matter. Adds up to 1. Needs all
        layers.
        """
        flow = self.weights[POOLING].mean(axis=0)
        for layer in reversed(list(self.weights)):
            if layer not in (POOLING, TARGET_POOLING):
                flow = (flow @ self.weights[layer].mean(axis=0) + flow) / 2
        return flow[0]


def sample_layers(network: NetworkPredictor) -> dict[str, AnyAttention]:
    """Return the attention among the ASVs of samples, by name: both transformers, the pooling, and that of the target's head."""
    base, model = network.base, network.model
    layers = {
        **_blocks("sample-encoder", base.sample_encoder.transformer),
        **_blocks("encoder", base.encoder),
        POOLING: base.pooling,
    }
    return {**layers, TARGET_POOLING: model.pooling} if isinstance(model, SequencePredictor) else layers


def asv_layers(network: NetworkPredictor) -> dict[str, AnyAttention]:
    """Return the attention among the patches of ASVs, by name: the transformer over nucleotides, and its pooling."""
    encoder = network.base.asv_encoder
    return {**_blocks("asv-encoder", encoder.transformer), POOLING: encoder.pooling}


def _blocks(name: str, transformer: Transformer) -> dict[str, AnyAttention]:
    return {f"{name}-{number}": block.attention for number, block in enumerate(transformer.blocks, 1)}  # type: ignore[misc]


def sample_attention(
    network: NetworkPredictor, drawn: Study, layers: Sequence[str] | None = None
) -> Iterator[Attention]:
    """Yield the attention among the ASVs of each sample, a batch at a time in memory.

    Parameters
    ----------
    network
        Predictor of the network.
    drawn
        The samples, as `NetworkPredictor.drawn` returns them.
    layers
        Names among `sample_layers`; None for all, which rollout needs. All of a sample of A ASVs hold 8 · H · A² bytes a layer.

    Raises
    ------
    ModelError
        The network has no such layer.
    """
    watch = AttentionWatch(_chosen(sample_layers(network), layers))
    for batch in network.batches(drawn):
        with watch, torch.inference_mode():
            samples = network.encode(batch)
            if isinstance(network.model, SequencePredictor):
                network.model.microbial_features(samples)
        seen = _numbers(watch)
        features, offsets = batch.features[batch.asv_index].tolist(), batch.sample_offsets.tolist()
        for number, sample in enumerate(batch.sample_index.tolist()):
            names = [drawn.feature_ids[feature] for feature in features[offsets[number] : offsets[number + 1]]]
            yield Attention(
                drawn.sample_ids[sample], names, {layer: weights[number] for layer, weights in seen.items()}
            )


def asv_attention(
    network: NetworkPredictor, study: Study, features: np.ndarray, layers: Sequence[str] | None = None
) -> list[Attention]:
    """Return the attention among the patches of some ASVs, in their order.

    Parameters
    ----------
    network
        Predictor of the network.
    study
        Study of the ASVs.
    features
        Their rows in the study, int64 [U].
    layers
        Names among `asv_layers`; None for all, which rollout needs.

    Raises
    ------
    ModelError
        The network has no such layer.
    """
    encoder, study = network.base.asv_encoder, study.cut(network.description.model.max_bp)
    watch = AttentionWatch(_chosen(asv_layers(network), layers))
    by_length = features[np.argsort(study.tokens.lengths[features], kind="stable")]  # the order that the encoder keeps
    found = {}
    for start in range(0, len(features), encoder.config.asv_chunk_size):
        chunk = by_length[start : start + encoder.config.asv_chunk_size]
        tokens = study.tokens[chunk].astype(np.int64)
        with watch, torch.inference_mode(), network.arithmetic():
            encoder(torch.from_numpy(tokens).to(network.device))
        seen = _numbers(watch)
        for number, feature in enumerate(chunk.tolist()):
            weights = {layer: of_layer[number] for layer, of_layer in seen.items()}
            found[feature] = Attention(
                study.feature_ids[feature], patches(tokens[number], encoder.config.patch_size), weights
            )
    study.release()
    return [found[feature] for feature in features.tolist()]


def patches(tokens: np.ndarray, size: int) -> list[str]:
    """Return the nucleotides of a sequence, int64 [L], in patches of ``size``; ambiguous ones as N, and no padding.

    Examples
    --------
    >>> patches(np.array([1, 2, 3, 4, 5, 0]), 2)
    ['AC', 'GT', 'N']
    """
    letters = "".join(_LETTERS[token] for token in tokens.tolist())
    return [letters[start : start + size] for start in range(0, len(letters), size)] or [""]


def _chosen(all_layers: Mapping[str, AnyAttention], layers: Sequence[str] | None) -> dict[str, AnyAttention]:
    unknown = [name for name in layers or () if name not in all_layers]
    if unknown:
        raise ModelError(f"The network has no layer {unknown[0]!r}: choose from {', '.join(all_layers)}.")
    return {name: module for name, module in all_layers.items() if layers is None or name in layers}


def _numbers(watch: AttentionWatch) -> dict[str, list[np.ndarray]]:
    return {name: [part.double().cpu().numpy() for part in parts] for name, parts in watch.take().items()}


def attention_table(predictor: Predictor, study: Study, layers: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the weight that each ASV of each sample gets in each layer and head.

    Parameters
    ----------
    predictor
        A network, an ensemble, or a kernel head with a pre-trained encoder.
    study
        The samples.
    layers
        Names among `sample_layers`; None for all, and rollout.

    Returns
    -------
    pd.DataFrame
        Rows of ``sample-id``, ``feature-id``, ``layer``, ``head`` (from 1, and ``mean``) and ``weight``; of an ensemble ``member``
        (from 1) as well. Weights of a sample, layer and head add up to 1. Those of self-attention are means over the ASVs that
        attend.

    Raises
    ------
    ModelError
        The model has no attention, or not such a layer.
    """
    networks = networks_of(predictor, "attention")
    drawn = networks[0].drawn(study)
    tables = []
    for number, network in enumerate(networks, 1):
        table = table_of(sample_attention(network, drawn, layers), ("sample-id", "feature-id"), layers is None)
        if len(networks) > 1:
            table.insert(0, "member", number)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def table_of(attentions: Iterable[Attention], names: tuple[str, str], has_rollout: bool = True) -> pd.DataFrame:
    """Return weights as a table.

    Parameters
    ----------
    attentions
        Attention in each set.
    names
        Names of the columns of the sets and of their positions, such as ``("feature-id", "nucleotides")``.
    has_rollout
        Whether all layers are there, so that rollout can be computed.
    """
    columns: dict[str, list[np.ndarray]] = {key: [] for key in (*names, "layer", "head", "weight")}
    for attention in attentions:
        positions = np.array(attention.positions, dtype=object)
        for layer, head, weights in _rows(attention, has_rollout):
            same = (np.full(len(weights), text, dtype=object) for text in (attention.name, layer, head))
            of_set, of_layer, of_head = same
            for parts, part in zip(columns.values(), (of_set, positions, of_layer, of_head, weights), strict=True):
                parts.append(part)
    return pd.DataFrame({key: np.concatenate(parts) if parts else [] for key, parts in columns.items()})


def _rows(attention: Attention, has_rollout: bool) -> Iterator[tuple[str, str, np.ndarray]]:
    for layer in attention.weights:
        received = attention.received(layer)
        for head, weights in enumerate(received, 1):
            yield layer, str(head), weights
        yield layer, MEAN, received.mean(axis=0)
    if has_rollout:
        yield ROLLOUT, MEAN, attention.rollout()


def mean_attention(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean weight of each ASV over the samples that hold it.

    Parameters
    ----------
    table
        As `attention_table` returns it.

    Returns
    -------
    pd.DataFrame
        Rows of ``feature-id``, ``layer``, ``head``, ``weight`` and ``n_samples``, the largest weight of a layer and head first.
    """
    keys = [key for key in ("member", "layer", "head") if key in table]
    grouped = table.groupby([*keys, "feature-id"], sort=False)["weight"].agg(["mean", "size"]).reset_index()
    means = grouped.rename(columns={"mean": "weight", "size": "n_samples"})
    means = means.sort_values([*keys, "weight"], ascending=[*[True] * len(keys), False], kind="stable")
    return means.loc[:, [*keys[:-2], "feature-id", "layer", "head", "weight", "n_samples"]].reset_index(drop=True)
