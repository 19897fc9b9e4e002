"""Metadata cells as vectors: parents, unknown cells, and what dropout hides."""

import dataclasses

import torch

from aam.batch import CATEGORIES, NUMBERS
from aam.nn.covariates import CovariateShape, CovariateVectors
from helpers.studies import make_batch, make_study

NO_STATISTICS = float("nan")
PLACES = CovariateShape(sizes=[2, 3, 2], parents=[-1, 0, -1], n_numbers=1)
"""Countries, cities in them, sexes, and an age."""


def batch_of(categories, numbers):
    targets = {CATEGORIES: torch.as_tensor(categories), NUMBERS: torch.as_tensor(numbers, dtype=torch.float64)}
    return dataclasses.replace(make_batch(make_study(n_samples=2)), targets=targets)


def vectors_of(dropout=0.0):
    torch.manual_seed(2)
    model = CovariateVectors(PLACES, 5, dropout)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    return model


def test_a_city_adds_to_its_country_and_an_unknown_one_is_its_country():
    model = vectors_of()

    some = model(batch_of([[1, 2, 0], [1, -1, 0], [-1, -1, -1]], [[2.0], [NO_STATISTICS], [0.0]]))

    countries, cities, sexes = model.tables
    assert some.shape == (3, 3, 5)  # the country is in the city's vector
    torch.testing.assert_close(some[0], torch.stack([countries[1] + cities[2], sexes[0], 2 * model.slopes[0]]))
    torch.testing.assert_close(some[1], torch.stack([countries[1], sexes[0], model.unknown_numbers[0]]))
    torch.testing.assert_close(some[2], torch.stack([countries[2], sexes[2], torch.zeros(5)]))


def test_a_new_city_begins_as_its_country():
    model = CovariateVectors(PLACES, 5, 0.0)

    known, unknown = model(batch_of([[1, 2, 0], [1, -1, 0]], [[0.0], [0.0]]))

    torch.testing.assert_close(known, unknown, rtol=0, atol=0)


def test_the_gradient_of_a_city_reaches_its_country():
    model = vectors_of()

    model(batch_of([[1, 2, 0]], [[1.0]]))[:, 0].sum().backward()

    assert model.tables[0].grad[1].all()
    assert model.tables[1].grad[2].all()
    assert not model.tables[0].grad[[0, 2]].any()


def test_dropout_hides_its_share_of_cells_and_children_with_their_parents_in_training_alone():
    model, n = vectors_of(dropout=0.2).train(), 4000
    batch = batch_of([[1, 2, 0]] * n, [[2.0]] * n)
    countries, cities, sexes = model.tables

    places, sex, age = model(batch).unbind(dim=1)

    def share(found, expected):
        return float((found - expected).abs().amax(dim=1).lt(1e-6).float().mean())

    assert abs(share(sex, sexes[2]) - 0.2) < 0.03
    assert abs(share(age, model.unknown_numbers[0]) - 0.2) < 0.03
    assert abs(share(places, countries[2]) - 0.2) < 0.03  # never an unknown country with a city
    assert abs(share(places, countries[1]) - 0.8 * 0.2) < 0.03
    assert abs(share(places, countries[1] + cities[2]) - 0.8 * 0.8) < 0.03
    kept = model.eval()(batch)
    torch.testing.assert_close(kept, kept[:1].expand(n, -1, -1), rtol=0, atol=0)


def test_hidden_cells_teach_what_is_unknown():
    model = vectors_of(dropout=0.5).train()

    model(batch_of([[1, 2, 0]] * 20, [[2.0]] * 20)).sum().backward()

    assert model.tables[0].grad[2].all()
    assert model.tables[2].grad[2].all()
    assert model.unknown_numbers[0].grad.all()
