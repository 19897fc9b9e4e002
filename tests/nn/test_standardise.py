"""Standardisation that starts from data."""

import torch

from aam.nn.abundance import Standardise


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
