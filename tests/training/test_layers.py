"""How far below the heads each weight is."""

from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.models.build import build_covariates, build_encoder, build_predictor
from aam.nn.covariates import CovariateShape
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.optimiser import depths_below_heads, is_of_metadata

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=2, ffn_ratio=1.5, max_bp=11)


def test_depth_grows_from_the_heads_to_the_nucleotides():
    model = build_predictor(
        build_encoder(SHAPE, ["nucleotides"]), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), []
    )

    depths = depths_below_heads(model, SHAPE)

    expected = {
        "objectives.target.linear.weight": 0,
        "pooling.query": 0,
        "base_model.objectives.nucleotides.head.0.weight": 0,
        "base_model.pooling.query": 1,
        "base_model.scale": 1,
        "base_model.encoder.norm.weight": 1,
        "base_model.encoder.blocks.1.feed_forward.1.weight": 1,
        "base_model.encoder.blocks.0.feed_forward.1.weight": 2,
        "base_model.sample_encoder.transformer.blocks.1.attention_norm.weight": 3,
        "base_model.sample_encoder.transformer.blocks.0.attention_norm.weight": 4,
        "base_model.sample_encoder.counts.embedding.0.weight": 4,
        "base_model.asv_encoder.pooling.query": 5,
        "base_model.asv_encoder.transformer.blocks.0.attention_norm.weight": 6,
        "base_model.asv_encoder.stem.in_patch": 6,
    }
    assert {name: depths[name] for name in expected} == expected
    assert set(depths) == {name for name, _ in model.named_parameters()}


def test_an_encoder_alone_has_the_depths_of_a_base():
    encoder = build_encoder(SHAPE, ["nucleotides"])
    model = build_predictor(encoder, RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), [])

    alone, within = depths_below_heads(encoder, SHAPE), depths_below_heads(model, SHAPE)

    assert {f"base_model.{name}": depth for name, depth in alone.items()}.items() <= within.items()


def test_what_metadata_add_is_as_near_as_the_heads_and_is_told_from_them():
    options = CovariatesConfig(categorical_columns=("city",), numeric_columns=("age",), categorical_fusion="perceiver")
    base, target = build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0))
    model = build_predictor(
        base, target, (), conditioning=build_covariates(SHAPE, CovariateShape([3], [-1], 1), options)
    )

    depths = depths_below_heads(model, SHAPE)

    of_metadata = {name for name in depths if is_of_metadata(name)}
    assert of_metadata == {f"conditioning.{name}" for name, _ in model.conditioning.named_parameters()}
    assert {depths[name] for name in of_metadata} == {0}
