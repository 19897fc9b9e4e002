"""Transforms of a target: exact inverses, alike for arrays and tensors, and what they do to values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aam.target_transform import TargetTransform, fit_transform

KINDS = ["none", "minmax", "zscore", "log-minmax", "log-zscore", "zscore-category"]
VALUES = st.lists(st.floats(0, 1e9), min_size=4, max_size=9, unique=True).filter(lambda values: np.ptp(values) > 1e-3)


def fitted(kind, values):
    category = np.arange(len(values)) % 2 if kind == "zscore-category" else None
    return fit_transform(kind, values, category), category


@pytest.mark.parametrize("kind", KINDS)
@given(values=VALUES)
def test_own_values_come_back(kind, values):
    values = np.array(values)
    transform, category = fitted(kind, values)

    back = transform.to_own(transform.to_learned(values, category), category)

    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-9 * values.max())


@pytest.mark.parametrize("kind", KINDS)
@given(values=VALUES)
def test_order_is_kept(kind, values):
    values = np.sort(values)
    transform, _ = fitted(kind, values)

    assert (np.diff(transform.to_learned(values)) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_tensors_are_transformed_alike(kind):
    values = np.array([3.0, 0.5, 200.0, 7.0, 31.0])
    transform, category = fitted(kind, values)
    number = None if category is None else torch.tensor([1, -1, 0, 1, -1])

    learned = transform.to_learned(torch.from_numpy(values), number)
    in_numpy = transform.to_learned(values, None if number is None else number.numpy())

    torch.testing.assert_close(learned, torch.from_numpy(in_numpy), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(transform.to_own(learned, number), torch.from_numpy(values))


@pytest.mark.parametrize(
    ("kind", "mean", "std", "low", "high"),
    [
        ("zscore", 0, 1, None, None), ("log-zscore", 0, 1, None, None), ("minmax", None, None, 0, 1),
        ("log-minmax", None, None, 0, 1),
    ],
)  # fmt: skip
def test_training_samples_get_the_sizes_that_the_name_promises(kind, mean, std, low, high):
    values = np.random.default_rng(0).lognormal(3, 2, size=200)

    learned = fit_transform(kind, values).to_learned(values)

    found = {mean: learned.mean(), std: learned.std(), low: learned.min(), high: learned.max()}
    assert all(value == pytest.approx(expected, abs=1e-12) for expected, value in found.items() if expected is not None)


def test_each_category_is_scaled_by_itself_and_strangers_by_all():
    values, category = np.array([1.0, 3.0, 10.0, 30.0, 6.0]), np.array([0, 0, 1, 1, -1])

    transform = fit_transform("zscore-category", values, category)

    assert transform.to_learned(values, category)[:4].tolist() == [-1, 1, -1, 1]
    assert transform.to_learned(values, category)[4] == (6.0 - values.mean()) / values.std()
    np.testing.assert_allclose(transform.to_learned(values), (values - values.mean()) / values.std())


def test_a_category_of_one_value_has_the_sizes_of_all():
    transform = fit_transform("zscore-category", np.array([1.0, 3.0, 8.0]), np.array([0, 0, 1]))

    assert transform.centres == (2.0, 4.0)
    assert transform.scales[1] == transform.scale


def test_several_outputs_of_a_sample_share_its_category():
    transform = TargetTransform(0.0, 1.0, centres=(10.0,), scales=(2.0,))

    own = transform.to_own(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, -1]))

    assert own.tolist() == [[10.0, 12.0], [0.0, 1.0]]


@pytest.mark.parametrize(("learned", "own"), [(-50.0, 0.0), (1e6, 1e20)])
def test_what_a_model_learns_of_a_logarithm_stays_a_number_from_0(learned, own):
    assert TargetTransform(is_log=True).to_own(np.array([learned]))[0] == pytest.approx(own)
