"""Packed batches against a plain padded reference, and invariance, in float64."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from aam import vocabulary
from aam.config.model import tiny
from aam.data.batching.batches import Masking
from aam.data.rarefaction import EVALUATION
from aam.models.build import build_encoder
from helpers.studies import dense, make_batch, make_study, store_study

SHAPES = [False, True]


def encoder(objectives=(), **changes):
    config = dataclasses.replace(tiny(), **{"max_bp": 11, "patch_size": 3, "attention_layers": 2, **changes})
    torch.manual_seed(1)
    return build_encoder(config, objectives).double().eval()


def attention(layer, x, mask):
    """Plain softmax attention with an explicit mask."""
    heads, (gather_rows, length, dim) = layer.heads, x.shape
    query, key, value = layer.project_in(x).reshape(gather_rows, length, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-1, -2) / (dim // heads) ** 0.5
    weights = scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(-1)
    return layer.project_out((weights @ value).transpose(1, 2).reshape(gather_rows, length, dim))


def transformer(stack, x, mask):
    for block in stack.blocks:
        x = x + attention(block.attention, block.attention_norm(x), mask)
        x = x + block.feed_forward(x)
    return stack.norm(x)


def pooling(layer, x, mask):
    gather_rows, length, dim = x.shape
    key, value = (
        layer.key_and_value(x).reshape(gather_rows, length, 2, layer.heads, dim // layer.heads).permute(2, 0, 3, 1, 4)
    )
    scores = (layer.query[:, None] * key).sum(-1) / (dim // layer.heads) ** 0.5
    weights = scores.masked_fill(~mask[:, None, :], -torch.inf).softmax(-1)
    return layer.project_out((weights[..., None] * value).sum(2).reshape(gather_rows, dim))


def padded_reference(model, study):
    """Encode each sample by itself, its ASVs padded to the study's size and every ASV read anew."""
    vectors = []
    for row in range(study.n_samples):
        features, counts = study.sample(row)
        n_pad = len(study.feature_ids) - len(features)
        tokens = torch.tensor(study.tokens[features].astype(np.int64))
        asv, size = model.asv_encoder, model.config.patch_size
        tokens = F.pad(tokens, (0, 12, 0, n_pad), value=vocabulary.PAD)[:, :12]
        stem, n_patches = asv.stem, 12 // size
        tables = stem.in_sequence.view(n_patches, size, vocabulary.SIZE, -1) + stem.in_patch.view(
            size, vocabulary.SIZE, -1
        )
        patches = tokens.view(len(tokens), n_patches, size)
        x = stem.place.expand(len(tokens), -1, -1)
        for place in range(n_patches):
            for offset in range(size):
                here = tables[place, offset][patches[:, place, offset]]
                x = x + here[:, None] * (torch.arange(n_patches) == place)[None, :, None]
        token_mask = (patches != vocabulary.PAD).any(dim=2)
        token_mask[:, 0] = True
        asv_vectors = pooling(asv.pooling, transformer(asv.transformer, x, token_mask), token_mask)
        share = torch.tensor(np.concatenate([counts / counts.sum(), np.ones(n_pad)]))
        sample = model.sample_encoder
        abundance = sample.counts.embedding(((share.log() + 6.0) / 2.0)[:, None])
        mask = torch.arange(len(share))[None] < len(features)
        gain, shift = abundance.chunk(2, dim=1)
        x = transformer(sample.transformer, (sample.standardise(asv_vectors) * (1 + gain) + shift)[None], mask)
        x = transformer(model.encoder, x, mask)
        vectors.append(model.scale * pooling(model.pooling, x, mask)[0])
    return torch.stack(vectors)


@pytest.mark.parametrize("is_ragged", SHAPES)
def test_packed_batches_equal_a_plain_padded_reference(is_ragged):
    study = make_study(is_ragged=is_ragged)
    model = encoder()

    packed = model(make_batch(study)).samples.sample_vectors

    torch.testing.assert_close(packed, padded_reference(model, study), rtol=0, atol=1e-12)


@pytest.mark.parametrize("is_ragged", SHAPES)
def test_neighbours_in_the_batch_do_not_change_a_sample(is_ragged):
    study = make_study(is_ragged=is_ragged)
    model = encoder()
    together = model(make_batch(study)).samples.sample_vectors

    alone = torch.cat([model(make_batch(study, [row])).samples.sample_vectors for row in range(study.n_samples)])

    torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)


def test_order_of_samples_does_not_change_them():
    study = make_study()
    model = encoder()
    order = [4, 0, 5, 2, 1, 3]

    permuted = model(make_batch(study, order)).samples.sample_vectors

    torch.testing.assert_close(permuted, model(make_batch(study)).samples.sample_vectors[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", [None, 30])
def test_order_of_features_in_the_table_does_not_change_a_sample(depth):
    study = make_study()
    order = np.random.default_rng(3).permutation(len(study.feature_ids))
    letters = np.array(list("?ACGT"))
    permuted = store_study(
        list(study.sample_ids),
        [study.feature_ids[i] for i in order],
        ["".join(letters[tokens]) for tokens in study.tokens[order]],
        dense(study)[:, order],
    )
    model = encoder()

    same, other = (model(make_batch(s, depth=depth)).samples.sample_vectors for s in (study, permuted))

    torch.testing.assert_close(same, other, rtol=0, atol=0)


def test_order_of_asvs_inside_the_batch_does_not_change_a_sample():
    batch = make_batch(make_study())
    model = encoder()
    pieces = [
        torch.arange(int(a), int(b)).flip(0)
        for a, b in zip(batch.sample_offsets, batch.sample_offsets[1:], strict=False)
    ]
    order = torch.cat(pieces)

    flipped = dataclasses.replace(batch, asv_index=batch.asv_index[order], counts=batch.counts[order])

    torch.testing.assert_close(
        model(flipped).samples.sample_vectors, model(batch).samples.sample_vectors, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("changes", [{"asv_chunk_size": 5}, {"asv_chunk_size": 1}, {"gradient_checkpointing": False}])
def test_chunks_and_recomputation_change_neither_outputs_nor_gradients(changes):
    study = make_study()
    masking = Masking(nuc_mask_ratio=0.3, nuc_asv_fraction=0.5, count_mask_ratio=0.3)
    targets = {"distance": lambda packed: np.random.default_rng(0).random((6, 6))}
    batch = make_batch(study, masking=masking, targets=targets)
    results = []
    for model in (
        encoder(["distance", "nucleotides", "counts"]),
        encoder(["distance", "nucleotides", "counts"], **changes),
    ):
        encoding = model(batch)
        loss = sum(objective.loss(objective(encoding, batch), batch) for objective in model.objectives.values())
        loss.backward()
        results.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])

    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-12)


def test_masked_positions_see_no_trace_of_what_they_hide():
    study = make_study()
    model = encoder(["nucleotides"])
    batch = make_batch(study, masking=Masking(nuc_mask_ratio=0.3), epoch=EVALUATION)
    masked = batch.masked
    hidden = torch.gather(masked.tokens, 1, masked.columns)

    assert (hidden == vocabulary.MASK).all()
    assert model(batch).masked_nucleotides.shape == (*masked.columns.shape, model.config.embedding_dim)


def test_a_hidden_abundance_does_not_reach_its_prediction():
    batch = make_batch(make_study(), masking=Masking(count_mask_ratio=0.5))
    model = encoder(["counts"])
    first, second = batch.hidden[:2].tolist()
    swapped = batch.counts.clone()
    swapped[[first, second]] = batch.counts[[second, first]]

    before, after = (model(dataclasses.replace(batch, counts=c)).hidden_context for c in (batch.counts, swapped))

    assert batch.sample_of_pair[first] == batch.sample_of_pair[second]
    assert batch.counts[first] != batch.counts[second]
    torch.testing.assert_close(before, after, rtol=0, atol=1e-12)
