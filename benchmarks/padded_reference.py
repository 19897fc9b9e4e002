"""The model as published implementations compute it, with the same weights: the reference that benchmarks compare with.

Every sample's ASVs are read anew, none is shared, and the whole graph of the ASV encoder is kept for the backward pass; samples are
padded to the token limit; attention drops weights in training, which keeps PyTorch from its fused kernels; nucleotides are
predicted at every position of every ASV; distances come from a dense matrix. In evaluation mode its numbers are those of the model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aam import vocabulary
from aam.batch import IGNORED, Batch
from aam.config.model import ModelConfig
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.nn.abundance import log_abundance, standardise
from aam.nn.patches import patch_mask
from aam.nn.transformer import AttentionPooling, SelfAttention, Transformer
from aam.objectives.masked_nucleotides import MaskedNucleotides
from aam.objectives.sample_distance import SAMPLE_DISTANCE, SampleDistance
from aam.objectives.target import TargetObjective


@dataclass(frozen=True)
class PaddedEncoding:
    """Vectors of the reference for a batch.

    Attributes
    ----------
    context, mask
        ASVs in the context of their sample, [B, limit, D], and which of them are real.
    sample_vectors
        One vector per sample, [B, D].
    nucleotides
        Vectors of the patches of every pair's ASV, [T, P, D].
    """

    context: Tensor
    mask: Tensor
    sample_vectors: Tensor
    nucleotides: Tensor


class PaddedReference(nn.Module):
    """Runs the weights of a model in the published way.

    Parameters
    ----------
    model
        Model with the weights, which are shared, not copied.
    token_limit
        ASVs that every sample is padded to.
    attention_dropout
        Fraction of the attention weights that is dropped in training.
    """

    def __init__(self, model: SequenceEncoder, token_limit: int = 1024, attention_dropout: float = 0.1) -> None:
        super().__init__()
        self.model, self.token_limit, self.attention_dropout = model, token_limit, attention_dropout

    def forward(self, tokens: Tensor, batch: Batch) -> PaddedEncoding:
        """Encode samples; ``tokens`` [T, L] are the sequences of all pairs."""
        vectors, nucleotides = self.read_asvs(tokens)
        context, mask = self._padded(vectors, batch)
        context = self._transform(self.model.sample_encoder.transformer, context, mask)
        context = self._transform(self.model.encoder, context, mask)
        pooled = self._pool(self.model.pooling, context, mask) * self.model.scale
        return PaddedEncoding(context, mask, pooled, nucleotides)

    def read_asvs(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vector of every ASV, and those of its patches."""
        encoder = self.model.asv_encoder
        mask = patch_mask(tokens, encoder.config.patch_size)
        patches = self._transform(encoder.transformer, encoder.stem(tokens), mask)
        return self._pool(encoder.pooling, patches, mask), patches

    def nucleotide_logits(self, patches: Tensor) -> Tensor:
        """Compute the logits of the four nucleotides at every position of every ASV, [T, P × patch size, 4]."""
        objective = self.model.active_objectives()["nucleotides"]
        assert isinstance(objective, MaskedNucleotides)
        positions = patches[:, :, None] + objective.place_in_patch.weight  # T P S D
        return objective.head(positions.flatten(1, 2))

    def loss(self, tokens: Tensor, labels: Tensor, distances: Tensor, batch: Batch) -> Tensor:
        """Sum the losses of distances and of masked nucleotides; ``labels`` [T, L] are ignored where nothing is masked."""
        encoding = self(tokens, batch)
        logits = self.nucleotide_logits(encoding.nucleotides)[:, : labels.shape[1]]
        nucleotides = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED)
        return nucleotides + self.distance_loss(encoding.sample_vectors, distances)

    def distance_loss(self, vectors: Tensor, distances: Tensor) -> Tensor:
        """Compute the mean squared error over all pairs of different samples."""
        differences = vectors[:, None] - vectors[None]
        objective = self.model.active_objectives()[SAMPLE_DISTANCE]
        assert isinstance(objective, SampleDistance)
        own = F.softplus(objective.unshared(vectors))
        predicted = (differences.square().mean(dim=2) + (own + own.T) / 2).sqrt()
        is_pair = ~torch.eye(len(vectors), dtype=torch.bool)
        return F.mse_loss(predicted[is_pair], distances.to(predicted.dtype)[is_pair])

    def predict(self, predictor: SequencePredictor, batch: Batch) -> Tensor:
        """Predict the target of the samples of a batch with a predictor whose base is the model."""
        encoding = self(pair_tokens(batch), batch)
        own = self._pool(predictor.pooling, encoding.context, encoding.mask)
        features = torch.cat([encoding.sample_vectors, own], dim=1)
        target = predictor.target
        assert isinstance(target, TargetObjective), "the head is of one column"
        assert target.linear is not None, "the head has its linear map"
        standardised = target.standardise(features)
        return target.in_own_units(target.linear(standardised) + target.hidden(standardised), batch)

    def _padded(self, vectors: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        encoder = self.model.sample_encoder
        abundance = encoder.counts.embedding(standardise(log_abundance(batch)).to(vectors.dtype)[:, None])
        gain, shift = abundance.chunk(2, dim=1)
        mask = torch.arange(self.token_limit) < batch.sample_offsets.diff()[:, None]
        padded = vectors.new_zeros(*mask.shape, vectors.shape[1])
        padded[mask] = encoder.standardise(vectors) * (1 + gain) + shift
        return padded, mask

    def _transform(self, stack: Transformer, x: Tensor, mask: Tensor) -> Tensor:
        for block in stack.blocks:
            x = x + self._attend(block.attention, block.attention_norm(x), mask)  # type: ignore[operator, arg-type]
            x = x + block.feed_forward(x)  # type: ignore[operator]
        return stack.norm(x)

    def _attend(self, layer: SelfAttention, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = layer.project_in(x).unflatten(-1, (3, layer.heads, -1)).permute(2, 0, 3, 1, 4)
        return layer.project_out(self._attention(query, key, value, mask).transpose(1, 2).flatten(2))

    def _pool(self, layer: AttentionPooling, x: Tensor, mask: Tensor) -> Tensor:
        key, value = layer.key_and_value(x).unflatten(-1, (2, layer.heads, -1)).permute(2, 0, 3, 1, 4)
        query = layer.query[None, :, None].expand(len(x), -1, -1, -1)
        return layer.project_out(self._attention(query, key, value, mask).flatten(1))

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        dropped = self.attention_dropout if self.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, mask[:, None, None], dropout_p=dropped)


def pair_tokens(batch: Batch) -> Tensor:
    """Return the sequence of every (sample, ASV) pair, [T, L]."""
    return batch.tokens[batch.asv_index]


def mask_everywhere(tokens: Tensor, share: float, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mask some nucleotides of every pair's ASV; return the tokens to read, and labels that are ignored elsewhere."""
    is_nucleotide = (tokens >= vocabulary.FIRST_NUCLEOTIDE) & (tokens < vocabulary.AMBIGUOUS)
    is_masked = is_nucleotide & (torch.rand(tokens.shape, generator=stream) < share)
    labels = torch.where(is_masked, tokens - vocabulary.FIRST_NUCLEOTIDE, IGNORED)
    return tokens.masked_fill(is_masked, vocabulary.MASK), labels


def estimated_bytes(config: ModelConfig, n_pairs: int, n_positions: int, n_samples: int, token_limit: int) -> float:
    """Estimate the bytes that a step of the reference holds for its backward pass, in float32, to skip what would not fit.

    A position of a block keeps 8 D + 2 hidden layers; attention with dropout keeps the weights, the dropped weights and a mask, and
    holds two more while it computes; the head at every position keeps 5 D.
    """
    dim, layers, heads = config.embedding_dim, config.attention_layers, config.attention_heads
    per_position = dim * (8 + 2 * config.ffn_ratio)
    n_patches = -(-n_positions // config.patch_size)

    def stacks(n_layers: int, n_sets: int, size: int) -> float:
        return n_layers * n_sets * size * (per_position + 2.25 * heads * size) + 2 * heads * n_sets * size**2

    above, asvs = stacks(2 * layers, n_samples, token_limit), stacks(layers, n_pairs, n_patches)
    return 4 * (above + asvs + n_pairs * n_patches * config.patch_size * 5 * dim)
