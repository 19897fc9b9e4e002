"""Examples in docstrings run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import aam

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(aam.__path__, "aam.") if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name, tmp_path):
    module = importlib.import_module(name)

    found = doctest.testmod(module, extraglobs={"getfixture": {"tmp_path": tmp_path}.get})

    assert found.failed == 0
