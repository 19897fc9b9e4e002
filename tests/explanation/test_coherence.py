"""What is reported of nested sets."""

import numpy as np

from aam.explanation.clades import Clades
from aam.explanation.coherence import coherence, select

PAIRS = Clades.of_intervals(np.arange(4), np.array([0, 2]), np.array([2, 4]))
"""All, two pairs, four single features."""


def of_pair(members):
    return next(n for n in range(len(PAIRS)) if sorted(PAIRS.members(n)) == members)


def test_coherence_is_the_share_of_occurrences_that_point_the_sets_way():
    z, direction, n_samples = np.zeros(7), np.ones(7), np.ones(7)
    for feature, (strength, way, held) in enumerate([(3.0, 1, 30), (0.2, 1, 10), (3.0, -1, 5), (2.0, 1, 15)]):
        single = of_pair([feature])
        z[single], direction[single], n_samples[single] = strength, way, held

    found = coherence(PAIRS, z, direction, n_samples)

    assert found[of_pair([0, 1])] == 30 / 40
    assert found[of_pair([2, 3])] == 15 / 20
    assert found[0] == 45 / 60
    assert found[of_pair([2])] == 1  # alone, its own direction


def test_a_set_that_lowers_is_coherent_with_members_that_lower():
    z, direction = np.full(7, 5.0), np.full(7, -1.0)

    np.testing.assert_array_equal(coherence(PAIRS, z, direction, np.ones(7)), 1)


def test_the_outermost_coherent_set_is_reported_and_nothing_inside_it():
    q, coherent = np.full(7, 0.01), np.ones(7)
    coherent[of_pair([0, 1])] = 0.5

    found = select(PAIRS, q, coherent)

    chosen = sorted(tuple(sorted(PAIRS.members(n))) for n in np.flatnonzero(found))
    assert chosen == [(0,), (1,), (2, 3)]


def test_nothing_is_reported_that_is_not_found():
    assert not select(PAIRS, np.full(7, 0.2), np.ones(7)).any()
