"""Logarithms of relative abundance against NumPy, and standardisation that starts from data."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from aam.config.model import ModelConfig
from aam.nn.abundance import CountEmbedding, Standardise, log_abundance, standardise, unstandardise
from helpers.studies import make_batch, make_study


@pytest.fixture
def batch():
    return make_batch(make_study(n_samples=3, n_features=5))


def test_log_abundances_are_those_of_each_sample_by_itself(batch):
    bounds = batch.sample_offsets.tolist()
    samples = [batch.counts[a:b].numpy() for a, b in pairwise(bounds)]

    expected = np.concatenate([np.log(counts / counts.sum()) for counts in samples])

    computed = log_abundance(batch)
    assert computed.dtype == torch.float64
    np.testing.assert_allclose(computed.numpy(), expected, rtol=0, atol=1e-14)


def test_a_deeper_sample_of_the_same_composition_reads_the_same(batch):
    factor = torch.tensor([1, 7, 1000])[batch.sample_of_pair]

    deeper = dataclasses.replace(batch, counts=batch.counts * factor)

    torch.testing.assert_close(log_abundance(deeper), log_abundance(batch), rtol=0, atol=1e-12)


def test_abundances_of_a_sample_sum_to_one(batch):
    shares = torch.zeros(3, dtype=torch.float64).index_add(0, batch.sample_of_pair, log_abundance(batch).exp())

    torch.testing.assert_close(shares, torch.ones(3, dtype=torch.float64))


def test_a_large_count_loses_no_read():
    batch = make_batch(make_study(n_samples=2, n_features=3))
    counts = batch.counts.clone()
    counts[0] = 2**31 + 1  # more than a 32-bit float or integer holds

    share = log_abundance(dataclasses.replace(batch, counts=counts))[0].exp().item()

    end = int(batch.sample_offsets[1])
    assert share == pytest.approx((2**31 + 1) / int(counts[:end].sum()), rel=1e-14)


def test_standardisation_is_undone_and_brings_usual_abundances_near_zero():
    usual = torch.tensor([0.05, 0.002, 0.0001], dtype=torch.float64).log()

    assert standardise(usual).abs().max() < 2
    torch.testing.assert_close(unstandardise(standardise(usual)), usual, rtol=0, atol=1e-15)


def joined(way, batch, vectors, hidden=None):
    torch.manual_seed(2)
    shape = ModelConfig(embedding_dim=4, attention_heads=1, attention_layers=1, count_embedding=way)
    module = CountEmbedding(shape).double()
    return module, module(vectors, batch, hidden)


@pytest.fixture
def vectors(batch):
    return torch.randn(len(batch.counts), 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_without_counts_the_vectors_are_left_alone(batch, vectors):
    module, found = joined("none", batch, vectors)

    assert torch.equal(found, vectors)
    assert not list(module.parameters())


def test_adding_shifts_all_vectors_of_one_abundance_alike(batch, vectors):
    _, found = joined("add", batch, vectors)
    _, of_others = joined("add", batch, vectors * 3)

    torch.testing.assert_close(found - vectors, of_others - 3 * vectors, rtol=0, atol=1e-12)


def test_film_scales_what_adding_cannot(batch, vectors):
    _, found = joined("film", batch, vectors)
    _, of_others = joined("film", batch, vectors * 3)

    assert not torch.allclose(found - vectors, of_others - 3 * vectors)


@pytest.mark.parametrize("way", ["film", "add", "concat"])
def test_abundance_is_seen_but_where_it_is_hidden(way, batch, vectors):
    doubled = batch.counts.clone()
    doubled[:2] *= 50
    hidden = torch.arange(len(doubled))

    _, before = joined(way, batch, vectors)
    _, after = joined(way, dataclasses.replace(batch, counts=doubled), vectors)
    _, blind = joined(way, batch, vectors, hidden)
    _, still_blind = joined(way, dataclasses.replace(batch, counts=doubled), vectors, hidden)

    assert not torch.allclose(before, after)
    assert torch.equal(blind, still_blind)


def test_fitted_rows_have_mean_zero_and_variance_one():
    x = torch.randn(50, 3, dtype=torch.float64) * torch.tensor([0.1, 5.0, 40.0]) + 7
    layer = Standardise(3).double()

    layer.fit(x)

    torch.testing.assert_close(layer(x).mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-10, rtol=0)
    torch.testing.assert_close(layer(x).std(0, correction=0), torch.ones(3, dtype=torch.float64))


def test_a_feature_that_does_not_vary_is_only_shifted():
    x = torch.tensor([[4.0, 1.0], [4.0, 3.0]])
    layer = Standardise(2)

    layer.fit(x)

    torch.testing.assert_close(layer(x), torch.tensor([[0.0, -1.0], [0.0, 1.0]]))
