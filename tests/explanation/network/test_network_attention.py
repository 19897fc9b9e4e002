"""Attention of whole models: weights that add up, rollout by hand, and predictions that stay."""

import numpy as np
import pandas as pd
import pytest
import torch

from aam.errors import ModelError
from aam.explanation.network.attention import (
    POOLING,
    ROLLOUT,
    asv_attention,
    asv_layers,
    attention_table,
    mean_attention,
    sample_attention,
    sample_layers,
)
from aam.explanation.network.members import networks_of
from aam.nn.attention_weights import AttentionWatch
from inference.test_predictor import metadata, opened, study  # noqa: F401

NAMES = ("network", "ensemble", "kernel", "encoder")


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    return networks_of(opened(request.param), "attention")[0]


def test_rows_of_weights_add_up_to_one(network, study):  # noqa: F811
    drawn = network.drawn(study)
    found = list(sample_attention(network, drawn))

    assert [one.name for one in found] == list(drawn.sample_ids)
    for row, one in enumerate(found):
        held = drawn.sample(row)[0]
        assert sorted(one.positions) == sorted(drawn.feature_ids[feature] for feature in held)
        for weights in one.weights.values():
            np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
            assert weights.shape[-1] == len(held)


def test_rollout_is_the_product_of_the_layers(network, study):  # noqa: F811
    one = next(sample_attention(network, network.drawn(study)))
    n = len(one.positions)
    product = np.eye(n)
    for layer, weights in one.weights.items():  # from the first layer up
        if "pooling" not in layer:
            product = (weights.mean(axis=0) + np.eye(n)) / 2 @ product

    np.testing.assert_allclose(one.rollout(), one.weights[POOLING].mean(axis=0)[0] @ product, rtol=1e-9)
    assert one.rollout().sum() == pytest.approx(1)


def test_attention_of_sequences_adds_up_and_keeps_their_order(network, study):  # noqa: F811
    features = np.array([4, 0, 2])

    found = asv_attention(network, network.drawn(study), features)

    assert [one.name for one in found] == [study.feature_ids[feature] for feature in features.tolist()]
    for one in found:
        assert set(one.weights) == set(asv_layers(network))
        assert one.rollout().sum() == pytest.approx(1)
        assert len(one.positions) == one.weights[POOLING].shape[-1]


@pytest.mark.parametrize("name", ["network", "ensemble"])
def test_watching_changes_no_prediction(name, study, metadata):  # noqa: F811
    predictor = opened(name)
    expected = predictor.predict(study, metadata).values
    networks = networks_of(predictor, "attention")
    watches = [
        AttentionWatch({**sample_layers(one), **{f"asv {k}": v for k, v in asv_layers(one).items()}})
        for one in networks
    ]

    for watch in watches:
        watch.start()
    watched = predictor.predict(study, metadata).values
    for watch in watches:
        watch.stop()

    np.testing.assert_array_equal(watched, expected)
    assert all(any(seen) for watch in watches for seen in [watch.take().values()])


def test_the_table_names_layers_heads_and_members(study):  # noqa: F811
    table = attention_table(opened("ensemble"), study, [POOLING])

    assert set(table["layer"]) == {POOLING}
    assert set(table["member"]) == {1, 2}
    sums = table.groupby(["member", "sample-id", "head"])["weight"].sum()
    np.testing.assert_allclose(sums, 1, rtol=1e-5)
    heads = table[table["head"] != "mean"].groupby(["member", "sample-id", "feature-id"])["weight"].mean()
    means = table[table["head"] == "mean"].set_index(["member", "sample-id", "feature-id"])["weight"]
    pd.testing.assert_series_equal(heads, means.sort_index(), check_names=False)


def test_means_are_over_the_samples_that_hold_an_asv(study):  # noqa: F811
    table = attention_table(opened("network"), study)

    means = mean_attention(table)

    rows = table[(table["layer"] == ROLLOUT)].groupby("feature-id")["weight"]
    found = means[means["layer"] == ROLLOUT].set_index("feature-id")
    pd.testing.assert_series_equal(found["weight"].sort_index(), rows.mean(), check_names=False)
    pd.testing.assert_series_equal(found["n_samples"].sort_index(), rows.size(), check_names=False)


def test_an_unknown_layer_is_refused_with_those_there_are(study):  # noqa: F811
    with pytest.raises(ModelError, match="no layer 'x': choose from sample-encoder-1"):
        attention_table(opened("network"), study, ["x"])


def test_values_play_no_part(study):  # noqa: F811
    """Weights come from queries and keys alone."""
    network = networks_of(opened("network"), "attention")[0]
    before = next(sample_attention(network, network.drawn(study), ["sample-encoder-1"])).weights["sample-encoder-1"]
    layer = sample_layers(network)["sample-encoder-1"]
    size = layer.project_in.weight.shape[0] // 3
    with torch.no_grad():
        layer.project_in.weight[2 * size :] *= 3

    after = next(sample_attention(network, network.drawn(study), ["sample-encoder-1"])).weights["sample-encoder-1"]

    np.testing.assert_array_equal(after, before)
