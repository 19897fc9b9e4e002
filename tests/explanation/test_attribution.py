"""Parts of predictions against brute force and closed forms."""

from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.explanation import attribution
from aam.explanation.attribution import attribute
from aam.explanation.clades import Clades
from aam.inference.count_function import CountFunction

SETS = [np.array([0, 1]), np.array([3]), np.array([4])]
REST = np.array([2, 5])
CLADES = Clades.of_intervals(np.arange(6), np.array([3]), np.array([5]))


def counts(n=6, seed=0):
    return np.random.default_rng(seed).integers(1, 40, (n, 6)).astype(float)


def as_function(table, compute):
    return CountFunction(csr_array(table), np.ones(6, dtype=bool), lambda changed, rows: compute(changed.toarray()))


def additive(dense):
    return dense / dense.sum(axis=1, keepdims=True) @ np.array([3.0, -1, 2, 5, -4, 1])


def interacting(dense):
    share = dense / dense.sum(axis=1, keepdims=True)
    return additive(dense) + 20 * share[:, 0] * share[:, 3] + np.log(share[:, 4] + 0.1)


GROUPS = np.array(list("aabbcc"))


@pytest.mark.parametrize("compute", [additive, interacting])
def test_parts_add_up_to_prediction_minus_reference(compute):
    function = as_function(counts(), compute)

    found = attribute(function, SETS, CLADES, GROUPS, is_regression=True)

    assert found.incompleteness < 1e-9
    np.testing.assert_allclose(found.values.sum(axis=1), found.prediction - found.reference, atol=1e-9)
    np.testing.assert_allclose(found.prediction[:, 0], compute(counts()))


def test_parts_of_sums_are_exact():
    table = counts()
    table *= 100 / table.sum(axis=1, keepdims=True)  # so that shares of mixtures hardly depend on the others

    def reads(dense):
        return dense @ np.array([3.0, -1, 2, 0, 0, 1])

    table[:, 3:5] = 30.0, 40.0
    table[:, :3] = table[:, :3] / table[:, :3].sum(axis=1, keepdims=True) * 20
    table[:, 5] = 10.0
    found = attribute(
        as_function(table, reads), [np.array([0, 1, 2]), np.array([3]), np.array([4])], CLADES, GROUPS, True
    )

    expected = (found.prediction - found.reference)[:, 0]
    np.testing.assert_allclose(found.values[:, 0, 0], expected, atol=1e-9)
    np.testing.assert_allclose(found.values[:, 1:, 0], 0, atol=1e-9)


def test_a_set_that_nothing_depends_on_has_no_part():
    found = attribute(as_function(counts(), lambda dense: dense[:, 0] / dense[:, 1]), SETS, CLADES, GROUPS, True)

    np.testing.assert_allclose(found.values[:, 1:, 0], 0, atol=1e-9)


def brute_force(table, sample, donor, compute, orders):
    """Average what each set changes over all given orders, from the definition."""
    owner = np.array([0, 0, 3, 1, 2, 3])
    depth = table[sample].sum()
    given = table[donor] * depth / table[donor].sum()
    parts = np.zeros(4)
    for order in orders:
        is_own = np.zeros(4, dtype=bool)
        before = compute(given[None])[0]
        for number in order:
            is_own[number] = True
            mixed = np.where(is_own[owner], table[sample], given)
            after = compute((mixed * depth / mixed.sum())[None])[0]
            parts[number] += (after - before) / len(orders)
            before = after
    return parts


def kept_together(order):
    """Whether sets 1 and 2, which are one clade, are neighbours."""
    return abs(order.index(1) - order.index(2)) == 1


def test_many_orderings_approach_owen_values(monkeypatch):
    table = counts(2, seed=3)
    orders = [order for order in permutations(range(4)) if kept_together(order)]
    expected = brute_force(table, 0, 1, interacting, orders)
    drawn = np.zeros(4)
    walks = 300
    function = as_function(table, interacting)
    paths = attribution._paths(SETS, CLADES)
    monkeypatch.setattr(attribution, "DONORS", 1)
    rng = np.random.default_rng(0)
    for _ in range(walks):
        key, own = rng.random(len(CLADES)), rng.random(4)
        ranks = [(*(key[node] for node in path), own[number]) for number, path in enumerate(paths)]
        order = np.array(sorted(range(4), key=ranks.__getitem__))
        assert kept_together(order.tolist())
        owner = np.array([0, 0, 3, 1, 2, 3])
        (along,) = attribution._outputs_along(function, [attribution._Walk(0, 1, order)], owner, True)
        drawn[order] += np.diff(along[:, 0]) / walks

    np.testing.assert_allclose(drawn, expected, atol=0.05)
    np.testing.assert_allclose(drawn.sum(), expected.sum(), atol=1e-9)


def test_parts_do_not_depend_on_the_place_of_a_sample(monkeypatch):
    monkeypatch.setattr(attribution, "DONORS", 5)
    table, groups = counts(6), np.arange(6).astype(str)

    found = attribute(as_function(table, additive), SETS, CLADES, groups, True)
    turned = attribute(as_function(table[::-1], additive), SETS, CLADES, groups, True)

    np.testing.assert_allclose(found.reference, turned.reference[::-1], atol=1e-9)
    np.testing.assert_allclose(found.values, turned.values[::-1], atol=0.1)


def test_classes_are_explained_in_log_odds():
    def probabilities(dense):
        first = 1 / (1 + np.exp(additive(dense)))
        return np.stack([first, 1 - first], axis=1)

    found = attribute(as_function(counts(), probabilities), SETS, CLADES, GROUPS, is_regression=False)

    np.testing.assert_allclose(found.prediction[:, 0], additive(counts()), atol=1e-9)
    assert found.values.shape == (6, 4, 1)
