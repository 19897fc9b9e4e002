"""Options of the network's head: which go together."""

import pytest

from aam.config.target import NumberConfig
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantiles": (0.1, 0.5, 0.9)}, "--quantiles has no effect without --loss-type quantile"),
        ({"loss_type": "asymmetric"}, "asymmetric with equal penalties is huber"),
        ({"over_penalty": 2.0}, "--over-penalty and --under-penalty have no effect without --loss-type asymmetric"),
        (
            {"loss_type": "quantile", "quantiles": (0.1, 0.9)},
            "--quantiles 0.1 0.9: they must increase, with 0.5 among them",
        ),
        ({"loss_type": "quantile", "quantiles": (0.5, 0.9)}, "at least one on either side"),
        ({"loss_type": "quantile", "quantiles": (0.9, 0.5, 0.1)}, "must increase"),
        ({"loss_type": "quantile", "quantiles": (0.0, 0.5, 1.0)}, "--quantiles 0.0: input should be greater than 0"),
        ({"loss_type": "hubert"}, "--loss-type hubert"),
    ],
)
def test_options_that_do_not_fit_name_their_flags(options, message):
    with pytest.raises(ConfigError, match=message):
        NumberConfig(**options)
