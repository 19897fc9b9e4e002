"""Integrated gradients of networks: complete, equal to captum's, and messages for what has none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients

from aam.errors import ModelError
from aam.explanation.network.attention import patches
from aam.explanation.network.gradients import sample_gradients, sequence_gradients
from aam.explanation.network.members import differentiable_networks, networks_of
from aam.explanation.network.output import output_of
from aam.explanation.network.path_integral import Quadrature, points_of
from inference.test_predictor import metadata, opened, study  # noqa: F401


@pytest.fixture(scope="module", params=["network", "ensemble"])
def case(request, study, metadata):  # noqa: F811
    """A regression and a classification, each in double precision as all predictions are."""
    network = differentiable_networks(opened(request.param, depth=None))[0]
    output = output_of(network, network.description.target.classes[-1] if network.description.target.classes else None)
    return network, network.drawn(study), network.head_inputs(study, metadata), output


def test_parts_of_samples_add_up_to_the_change_of_the_output(case):
    network, drawn, inputs, output = case

    found = sample_gradients(network, drawn, inputs, output)

    sums = np.add.reduceat(found.values, found.sample_offsets[:-1])
    np.testing.assert_allclose(sums, found.output - found.baseline, atol=1e-5 * np.maximum(1, np.abs(sums)).max())
    assert (found.error <= 1e-5 * np.maximum(1, np.abs(found.output - found.baseline))).all()


def test_outputs_are_the_predictions(case, study, metadata):  # noqa: F811
    network, drawn, inputs, output = case

    found = sample_gradients(network, drawn, inputs, output)

    predicted = network.as_function(study, metadata).predictions()
    expected = predicted[:, 0]
    if predicted.shape[1] > 1:
        share = predicted[:, list(network.description.target.classes).index(output.name)]
        expected = np.log(share) - np.log1p(-share)
    np.testing.assert_allclose(found.output, expected, rtol=1e-5)


def test_captum_finds_the_same(case):
    network, drawn, inputs, output = case
    one = drawn.select_samples(np.array([2]))
    of_one = {name: values[[2]] for name, values in inputs.items()}
    (batch,) = network.batches(one, of_one)
    own = batch.asv_vectors[batch.asv_index]
    mean = torch.from_numpy(np.asarray(network.asv_vectors(one)).mean(axis=0)).to(own)
    paired = replace(
        batch, asv_vectors=own, features=batch.features[batch.asv_index], tokens=batch.tokens[batch.asv_index],
        asv_index=torch.arange(len(own)),
    )  # fmt: skip

    def of_steps(vectors):
        return torch.cat([output(network, replace(paired, asv_vectors=step)) for step in vectors])

    captum = IntegratedGradients(of_steps).attribute(
        own[None], mean.expand_as(own)[None], n_steps=64, method="gausslegendre"
    )

    found = sample_gradients(network, one, of_one, output, Quadrature(steps=64))
    np.testing.assert_allclose(found.values, captum[0].sum(dim=1).detach().numpy(), rtol=1e-4, atol=1e-7)


def test_samples_do_not_depend_on_their_batch(case):
    network, drawn, inputs, output = case
    some = np.array([3, 1])
    # the path begins at the mean ASV of the study, which has to be the same
    whole = sample_gradients(network, drawn, inputs, output)

    turned = drawn.select_samples(np.arange(drawn.n_samples)[::-1].copy())
    again = sample_gradients(network, turned, {name: values[::-1] for name, values in inputs.items()}, output)

    for sample in some.tolist():
        place = drawn.n_samples - 1 - sample
        first = whole.values[whole.sample_offsets[sample] : whole.sample_offsets[sample + 1]]
        second = again.values[again.sample_offsets[place] : again.sample_offsets[place + 1]]
        np.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-7)


def test_parts_of_sequences_add_up_and_name_their_nucleotides(case):
    network, drawn, inputs, output = case

    found = sequence_gradients(network, drawn, inputs, output, np.arange(3))

    assert [one.feature for one in found] == [0, 1, 2]
    for one in found:
        assert one.values.sum() == pytest.approx(one.change, abs=2e-5 * max(1, abs(one.change)))
        letters = "".join(one.patches)
        assert set(letters) <= set("ACGTN")
        assert len(one.patches) == len(one.values)
        holders = sum(one.feature in drawn.sample(row)[0] for row in range(drawn.n_samples))
        assert one.n_samples == holders


def test_patches_are_the_sequence_in_order():
    assert patches(np.array([1, 2, 3, 4, 1, 0, 0]), 3) == ["ACG", "TA"]


@pytest.mark.parametrize("n", [1, 4, 16])
def test_the_quadrature_is_exact_for_polynomials(n):
    points, weights = points_of(n)

    for degree in range(2 * n):
        assert weights @ points**degree == pytest.approx(1 / (degree + 1))


def test_models_without_gradients_are_named():
    with pytest.raises(ModelError, match="kernel head, and has no gradients"):
        differentiable_networks(opened("kernel"))
    with pytest.raises(ModelError, match="pre-trained encoder without a target"):
        differentiable_networks(opened("encoder"))
    assert len(networks_of(opened("kernel"), "attention")) == 1  # its pre-trained encoder
    assert len(networks_of(opened("ensemble"), "attention")) == 2


def test_an_unknown_output_is_refused_with_those_there_are():
    network = differentiable_networks(opened("network"))[0]

    with pytest.raises(ModelError, match="there is no output 'x': choose from"):
        output_of(network, "x")
