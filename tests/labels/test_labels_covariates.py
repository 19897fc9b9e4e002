"""Columns beside the microbes: what is fitted on training samples, and what cells of other samples are."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from aam.config.covariates import CovariatesConfig
from aam.errors import MetadataError
from aam.labels.covariates import NO_COVARIATES, Covariates, Unknown, fit_covariates
from aam.stored import read_stored

PLACES = CovariatesConfig(
    categorical_columns=("street", "sex"), numeric_columns=("age",), category_parents=("street=city", "city=country")
)
TRAINING = {
    "street": ["Rue A", "Rue B", "Via C", "Rue A", None],
    "city": ["Paris", "Paris", "Rome", "Paris", "Lyon"],
    "country": ["France", "France", "Italy", None, "France"],
    "sex": ["f", "m", None, "f", "m"],
    "age": [1.0, 3.0, np.nan, 5.0, 7.0],
}


def columns(table):
    return {name: pd.Series(values, name=name) for name, values in table.items()}


@pytest.fixture
def conditions():
    return fit_covariates(PLACES, columns(TRAINING))


def read(conditions, **cells):
    """Give the names that a sample is read as, by column."""
    found = conditions.cells(columns({name: [cells.get(name)] for name in TRAINING}))
    numbers = dict(zip([one.column for one in conditions.categories], found.categories[0], strict=True))
    names = {
        one.column: one.known.names[numbers[one.column]] for one in conditions.categories if numbers[one.column] >= 0
    }
    return names, found.numbers[0, 0]


def test_parents_come_first_and_are_known_by_the_training_samples(conditions):
    assert conditions.columns == ("sex", "country", "city", "street", "age")
    by_name = {one.column: one for one in conditions.categories}
    assert by_name["city"].known.names == ("Lyon", "Paris", "Rome")
    assert by_name["city"].parents == (0, 0, 1)
    assert by_name["street"].parents == (1, 1, 2)
    assert (conditions.numbers[0].mean, conditions.numbers[0].std) == (4.0, pytest.approx(np.sqrt(5)))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            {"street": "Rue A", "city": "Paris", "country": "France"},
            {"street": "Rue A", "city": "Paris", "country": "France"},
        ),
        ({"street": "Rue A"}, {"street": "Rue A", "city": "Paris", "country": "France"}),
        ({"street": "Rue Z", "city": "Paris"}, {"city": "Paris", "country": "France"}),
        ({"city": "Nice", "country": "France"}, {"country": "France"}),
        ({"city": "Paris", "country": "Texas"}, {}),
        ({"street": "Rue A", "country": "Italy"}, {"country": "Italy"}),
        ({"street": "Rue A", "city": "Rome"}, {"city": "Rome", "country": "Italy"}),
        ({"sex": "x"}, {}),
    ],
)
def test_children_bring_their_parents_and_are_unknown_under_others(conditions, cells, expected):
    assert read(conditions, **cells)[0] == expected


def test_numbers_are_in_deviations_of_the_training_samples_and_limited(conditions):
    assert read(conditions, age=4.0 + np.sqrt(5))[1] == pytest.approx(1.0)
    assert read(conditions, age=1e300)[1] == 10.0
    assert np.isnan(read(conditions, age="unheard of")[1])


def test_what_is_unknown_is_counted_by_its_reason(conditions):
    table = {
        "street": ["Rue A", "Rue Z", None], "city": [None, "Paris", "Nice"], "country": ["Italy", None, "France"],
        "sex": ["f", "other", None], "age": ["2", "NA", None],
    }  # fmt: skip

    unknown = conditions.unknown(columns(table))

    assert unknown["street"] == Unknown(1, ("Rue A", "Rue Z"))
    assert unknown["city"] == Unknown(1, ("Nice",))  # that of Rue A is not in Italy
    assert unknown["country"] == Unknown(0, ())
    assert unknown["sex"] == Unknown(1, ("other",))
    assert unknown["age"] == Unknown(1, ("NA",))


def test_plain_values_say_all_of_it(conditions):
    stored = json.loads(json.dumps(dataclasses.asdict(conditions)))

    assert read_stored(Covariates, stored) == conditions
    assert read_stored(Covariates, {}) == NO_COVARIATES


def test_a_child_with_two_parents_is_refused():
    table = TRAINING | {"country": ["France", "Texas", "Italy", None, "France"]}

    with pytest.raises(
        MetadataError,
        match=r"--category-parents city=country: 1 of 3 .*'Paris' of 'France', 'Texas'",
    ):
        fit_covariates(PLACES, columns(table))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"sex": ["f"] * 5}, "sex f: "),
        ({"age": [2.0] * 5}, "age 2: "),
        ({"age": [np.nan] * 5}, "value of age: "),
        ({"age": [1e308, -1e308, 1.0, 2.0, 3.0]}, "--numeric-columns age .*too large"),
    ],
)
def test_a_column_that_says_nothing_or_too_much_is_refused(cells, message):
    with pytest.raises(MetadataError, match=message):
        fit_covariates(PLACES, columns(TRAINING | cells))


def test_that_a_number_is_there_may_say_something():
    conditions = fit_covariates(PLACES, columns(TRAINING | {"age": [2.0, np.nan, 2.0, 2.0, 2.0]}))

    assert (read(conditions, age=2.0)[1], np.isnan(read(conditions)[1])) == (0.0, True)
