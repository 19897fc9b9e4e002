"""Effect curves of functions whose effects are known."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.explanation.effects import effect_curve, effects_table, with_share
from helpers.explanation import samples_of

TABLE = np.random.default_rng(0).integers(1, 200, (80, 5)).astype(float)
TABLE[:8, 1] = 0


def shares(dense):
    return dense / dense.sum(axis=1, keepdims=True)


def curve_of(compute, members):
    return effect_curve(samples_of(TABLE, np.arange(80.0), compute, models=2).parts(), np.array(members), 0, seed=0)


def test_a_linear_function_has_its_slope():
    curve = curve_of(lambda dense: 7 * shares(dense)[:, 1], [1])

    np.testing.assert_allclose(np.diff(curve.effect), 7 * np.diff(curve.share), rtol=1e-9)
    assert (curve.low <= curve.effect + 1e-9).all()
    assert (curve.effect <= curve.high + 1e-9).all()


def test_a_clade_is_changed_as_a_whole():
    curve = curve_of(lambda dense: -3 * shares(dense)[:, [1, 2]].sum(axis=1), [1, 2])

    np.testing.assert_allclose(np.diff(curve.effect), -3 * np.diff(curve.share), rtol=1e-9)


def test_what_is_not_read_has_no_effect():
    curve = curve_of(lambda dense: dense[:, 0] / dense[:, 3], [1])

    np.testing.assert_allclose(curve.effect, 0, atol=1e-9)


def test_a_bend_is_seen_where_it_is():
    curve = curve_of(lambda dense: np.maximum(shares(dense)[:, 2] - 0.2, 0), [2])

    below = curve.share[1:] <= 0.2
    np.testing.assert_allclose(np.diff(curve.effect)[below], 0, atol=1e-9)
    assert (np.diff(curve.effect)[curve.share[:-1] >= 0.2] > 0).all()


def test_effects_are_zero_on_average():
    curve = curve_of(lambda dense: 5 * shares(dense)[:, 0] + 100, [0])

    assert curve.effect.min() < 0 < curve.effect.max()


@pytest.mark.parametrize("members", [[0, 1, 2, 3, 4]])
def test_a_share_that_never_differs_has_no_curve(members):
    assert curve_of(lambda dense: dense[:, 0], members) is None


def test_other_shares_keep_depth_and_ratios():
    is_member = np.array([False, True, True, False, False])
    pattern = np.array([0, 0.25, 0.75, 0, 0])
    table = TABLE[[0, 10]].copy()
    table[0, 1:3] = 0

    changed = with_share(csr_array(table), is_member, np.array([0.4, 0.1]), pattern).toarray()

    np.testing.assert_allclose(changed.sum(axis=1), table.sum(axis=1))
    np.testing.assert_allclose(shares(changed)[:, 1:3].sum(axis=1), [0.4, 0.1])
    np.testing.assert_allclose(changed[0, 1] / changed[0, 2], 1 / 3)
    np.testing.assert_allclose(changed[1, 1] / changed[1, 2], table[1, 1] / table[1, 2])
    np.testing.assert_allclose(changed[:, 0] / changed[:, 3], table[:, 0] / table[:, 3])


def test_curves_are_rows_by_name():
    curve = curve_of(lambda dense: shares(dense)[:, 1], [1])

    table = effects_table({"a": curve, "b": curve})

    assert table["name"].tolist() == ["a"] * len(curve.share) + ["b"] * len(curve.share)
    np.testing.assert_allclose(table.loc[table["name"] == "a", "effect"], curve.effect)
