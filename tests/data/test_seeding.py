"""Random streams depend on what they are for and on nothing else."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aam.data.rarefaction import generator

KEYS = st.tuples(st.integers(0, 2**40), st.sampled_from(["order", "split"]), st.integers(0, 99), st.sampled_from("ABC"))


def draw(*key):
    return generator(*key).random(4).tolist()


@settings(max_examples=50, deadline=None)
@given(first=KEYS, second=KEYS)
def test_two_streams_are_equal_exactly_if_their_keys_are(first, second):
    assert (draw(*first) == draw(*second)) == (first == second)


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, "a", "bc"), (0, "ab", "c")), ((1, "1"), (11, "")), ((0, "a", "b"), (0, "a", "b", "")), ((0, "a", 1, 2), (0, "a", 2, 1))],
)  # fmt: skip
def test_keys_that_look_alike_when_joined_are_told_apart(first, second):
    assert draw(*first) != draw(*second)


def test_a_stream_does_not_depend_on_the_global_one_or_on_what_was_drawn_before():
    expected = draw(0, "test")
    generator(0, "test").random(1000)
    np.random.default_rng(0).random(7)

    assert draw(0, "test") == expected


def test_another_process_with_another_hash_seed_draws_the_same():
    code = "from aam.data.rarefaction import generator; print(generator(3, 'rarefaction', 5, 'S1').integers(0, 2**60, 3).tolist())"
    shown = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip

    here = generator(3, "rarefaction", 5, "S1").integers(0, 2**60, 3).tolist()
    assert shown == [f"{here}\n"] * 2


def test_first_draws_of_many_streams_are_uniform_and_neighbours_unrelated():
    first = np.array([generator(0, "rarefaction", epoch, "S1").random() for epoch in range(2000)])

    assert stats.kstest(first, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.05
