"""The rules of options for columns beside the microbes."""

import pytest

from aam.config.covariates import CovariatesConfig, check_covariates
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categorical_columns": ("sex", "sex")}, "name sex twice"),
        ({"categorical_columns": ("age",), "numeric_columns": ("age",)}, "name age twice"),
        ({"categorical_fusion": "add", "category_dropout": 0.3},
         "--categorical-fusion and --category-dropout have no effect without --categorical-columns or --numeric-columns"),
        ({"categorical_columns": ("city",), "category_parents": ("city",)}, "--category-parents city: write CHILD=PARENT"),
        ({"categorical_columns": ("city",), "category_parents": ("city=",)}, "--category-parents city=: write CHILD=PARENT"),
        ({"categorical_columns": ("sex",), "category_parents": ("city=country",)}, "city is not one of --categorical-columns"),
        ({"categorical_columns": ("city",), "category_parents": ("city=country", "city=state")}, "gives city two parents"),
        ({"categorical_columns": ("city",), "category_parents": ("city=country", "country=city")}, "from city back to city"),
        ({"categorical_columns": ("city",), "category_parents": ("city=city",)}, "from city back to city"),
        ({"categorical_columns": ("city",), "numeric_columns": ("zip",), "category_parents": ("city=zip",)},
         "zip is one of --numeric-columns, and has no categories"),
        ({"categorical_columns": ("city",), "category_dropout": 1.0}, "--category-dropout 1.0: input should be less than 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_explained(options, message):
    with pytest.raises(ConfigError, match=message):
        CovariatesConfig(**options)


def test_columns_hold_parents_that_nothing_else_names():
    config = CovariatesConfig(
        categorical_columns=("city", "sex"), numeric_columns=("age",), category_parents=("city=state", "state=country")
    )

    assert config.columns == ("city", "sex", "age", "state", "country")


SEX = CovariatesConfig(categorical_columns=("sex",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SEX, "kernel", None), "--head kernel reads microbes alone: leave out --categorical-columns, or pass --head"),
        ((SEX, "auto", 0.2), "--mixup-alpha mixes samples, and there is nothing between the cells of --categorical-columns"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_columns_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_covariates(*arguments)


def test_what_goes_with_columns_is_taken():
    check_covariates(SEX, "auto", None)
    check_covariates(CovariatesConfig(), "kernel", 0.2)
