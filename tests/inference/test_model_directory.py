"""A model directory: what is saved is what is loaded, strictly and without pickle."""

import dataclasses
import json
import pickletools
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from aam.batch import CATEGORIES, NUMBERS, batch_input
from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.target import ClassConfig, NetworkHeadConfig, NumberConfig
from aam.data.batching.batches import Masking
from aam.errors import ModelError
from aam.inference.build import build_model, build_target
from aam.inference.card import model_card
from aam.inference.description import ModelDescription
from aam.inference.model_directory import load_model, save_model
from aam.labels.covariates import Categories, CategoryColumn, Covariates, NumberColumn
from aam.labels.target import TargetState
from aam.storage.cache import digest_of
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.3, max_bp=11)
PRETRAINED = ModelDescription(
    model=SHAPE, objectives=("distance", "nucleotides"), depth=1234, token_limit=2048, seed=7, study_digest="c0ffee",
    options={"lr": 0.001, "tree": "t.nwk", "overwrite": False, "sequences": None},
    metrics={"loss": 0.123456, "n": 12345},
)  # fmt: skip
AGE = dataclasses.replace(
    PRETRAINED, target=TargetState("age", "regression", guess=31.5, transform=TargetTransform(1 / 3, 1e-3)),
    objectives=("distance", "counts"), depth=None,
)  # fmt: skip
SITE = dataclasses.replace(
    PRETRAINED, target=TargetState("body site", "classification", guess="gut", classes=("gut", "left palm", "tongue"))
)
HEAD = NetworkHeadConfig(
    regressor_hidden_dims=(6, 5), output_scaling="site", numbers=NumberConfig(loss_type="quantile", bounded_targets=True),
    classes=ClassConfig(class_weights="weights.tsv"),
)  # fmt: skip
SITES = Categories("site", ("gut", "skin"))
OTHER_AGE = dataclasses.replace(
    AGE, network_head=HEAD,
    target=TargetState(
        "age", "regression", guess=31.5, transform=TargetTransform(3.0, 2.0, centres=(2.5, 4.0), scales=(1.0, 2.0)),
        normalized_by=SITES, bounds=(0.5, 90.0), scaled_by=SITES,
    ),
)  # fmt: skip
STAGE = dataclasses.replace(
    PRETRAINED, target=TargetState("stage", "ordinal", guess="old", classes=("young", "old"), class_weights=(0.5, 2.0))
)
PLACES = Covariates(
    (
        CategoryColumn(Categories("country", ("France", "Italy"))),
        CategoryColumn(Categories("city", ("Paris", "Rome", "Pisa")), "country", (0, 1, -1)),
    ),
    (NumberColumn("bmi", 25.5, 3.0),),
)  # fmt: skip
CONDITIONED = dataclasses.replace(
    AGE, covariates=PLACES,
    covariates_config=CovariatesConfig(
        categorical_columns=("city",), numeric_columns=("bmi",), category_parents=("city=country",), categorical_fusion="gmu"
    ),
)  # fmt: skip
DESCRIPTIONS = pytest.mark.parametrize(
    "description",
    [PRETRAINED, AGE, SITE, OTHER_AGE, STAGE, CONDITIONED],
    ids=["pretrained", "regression", "classification", "head", "ordinal", "conditioned"],
)


def built(description):
    model = build_model(description)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.fixture
def saved(tmp_path):
    save_model(tmp_path / "model", built(AGE), AGE)
    return tmp_path / "model"


def outputs(model):
    info = {CATEGORIES: np.array([[0, 1], [1, -1], [-1, -1]]), NUMBERS: np.array([[0.5], [np.nan], [-1.0]])}
    targets = {name: batch_input(values) for name, values in info.items()}
    batch = make_batch(
        make_study(n_samples=3), masking=Masking(nuc_mask_ratio=0.3, count_mask_ratio=0.3), targets=targets
    )
    encoding = model(batch)
    predictions = {name: objective(encoding, batch) for name, objective in model.active_objectives().items()}
    return {"vectors": encoding.samples.sample_vectors, **predictions}


@DESCRIPTIONS
def test_a_loaded_model_gives_equal_outputs_and_knows_the_same(description, tmp_path):
    model = built(description)
    save_model(tmp_path, model, description)

    loaded, known = load_model(tmp_path)

    assert known == description
    assert type(loaded) is type(model)
    assert not loaded.training
    expected, found = outputs(model), outputs(loaded)
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    if description.target is not None:
        batch = make_batch(make_study(n_samples=3))
        first, second = (m.target.in_own_units(outputs(m)["target"], batch) for m in (model, loaded))
        assert torch.equal(first, second)


@DESCRIPTIONS
def test_saving_what_was_loaded_gives_the_same_files(description, tmp_path):
    save_model(tmp_path / "a", built(description), description)

    save_model(tmp_path / "b", *load_model(tmp_path / "a"))

    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_run_directory_is_as_good_as_the_model_in_it(saved):
    first, second = load_model(saved), load_model(saved.parent)

    assert first[1] == second[1]
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))


def test_no_file_is_a_pickle(saved):
    assert set(contents(saved)) == {"model.safetensors", "config.json", "state.json", "README.md"}
    for path in saved.iterdir():
        assert not zipfile.is_zipfile(path)
        with pytest.raises(ValueError, match=r"opcode|pickle|exhausted|not enough|newline|invalid literal"):
            list(pickletools.genops(path.read_bytes()))


def test_weights_open_with_safetensors_alone(saved):
    model, _ = load_model(saved)

    tensors = load_file(saved / "model.safetensors")

    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[name], value) for name, value in model.state_dict().items())


def test_an_earlier_model_is_replaced_whole(saved):
    save_model(saved, built(SITE), SITE)

    assert load_model(saved)[1] == SITE
    assert len(contents(saved)) == 4


def test_json_is_standard_even_where_a_metric_is_no_number(tmp_path):
    description = dataclasses.replace(AGE, metrics={"pearson": float("nan"), "n": 3})

    save_model(tmp_path, built(description), description)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    state = json.loads((tmp_path / "state.json").read_text(), parse_constant=refuse)
    assert state["metrics"] == {"pearson": None, "n": 3}
    assert "pearson" not in (tmp_path / "README.md").read_text()


def edited(saved, name, **changes):
    path = saved / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def reshaped(saved, change):
    tensors = load_file(saved / "model.safetensors")
    save_file(change(tensors), saved / "model.safetensors")
    config = json.loads((saved / "config.json").read_text())
    config["weights_digest"] = digest_of(saved / "model.safetensors")
    (saved / "config.json").write_text(json.dumps(config))


def edited_places(**changes):
    """Change the column of cities."""
    country, city = asdict(PLACES)["categories"]
    return {"categories": [country, city | changes]}


TRANSFORM = asdict(AGE.target)["transform"]
DAMAGES = {
    "weights of another width": (
        lambda saved: edited(saved, "config.json", model=asdict(dataclasses.replace(SHAPE, embedding_dim=10))),
        r"RuntimeError: .*size mismatch",
    ),
    "weights of more layers": (
        lambda saved: edited(saved, "config.json", model=asdict(dataclasses.replace(SHAPE, attention_layers=2))),
        r"RuntimeError: .*Missing key",
    ),
    "a tensor too many": (
        lambda saved: reshaped(saved, lambda tensors: {**tensors, "extra": torch.zeros(2)}), r"RuntimeError: .*Unexpected key"
    ),
    "a tensor too few": (
        lambda saved: reshaped(saved, lambda tensors: {k: v for k, v in tensors.items() if k != "base_model.scale"}),
        r"RuntimeError: .*Missing key.*base_model\.scale",
    ),
    "the target of another run": (
        lambda saved: edited(saved, "state.json", target=asdict(SITE.target)), r"RuntimeError: .*size mismatch"
    ),
    "a scale of 0": (
        lambda saved: edited(saved, "state.json", target=asdict(AGE.target) | {"transform": {**TRANSFORM, "scale": 0.0}}),
        r"ValueError: scale is 0\.0",
    ),
    "categories without sizes": (
        lambda saved: edited(saved, "state.json", target=asdict(AGE.target) | {"normalized_by": {"column": "s", "names": ["a"]}}),
        r"ValueError: centres is \[\]",
    ),
    "bounds the wrong way round": (
        lambda saved: edited(saved, "state.json", target=asdict(AGE.target) | {"bounds": [3.0, 1.0]}),
        r"ValueError: bounds is \[3\.0, 1\.0\]",
    ),
    "a category within none": (
        lambda saved: edited(saved, "state.json", conditions=edited_places(parents=[0, 1, 2])),
        r"ValueError: parents is \[0, 1, 2\]",
    ),
    "a parent after its child": (
        lambda saved: edited(saved, "state.json", conditions=edited_places(parent="state")),
        "ValueError: parent is 'state'",
    ),
    "a deviation of 0": (
        lambda saved: edited(saved, "state.json", conditions={"numbers": [{"column": "bmi", "mean": 1.0, "std": 0.0}]}),
        r"ValueError: std is 0\.0",
    ),
    "columns without weights": (
        lambda saved: edited(saved, "state.json", conditions=asdict(PLACES)), r"RuntimeError: .*Missing key.*conditioning"
    ),
    "a weight below 0": (
        lambda saved: edited(saved, "state.json", target=asdict(SITE.target) | {"class_weights": [1, -1, 1]}),
        r"ValueError: class_weights\[1\] is -1",
    ),
    "an unknown option of the head": (
        lambda saved: edited(saved, "config.json", network_head={"depth": 3}),
        r"ConfigError: NetworkHeadConfig .*\bdepth\b",
    ),
    "no target": (lambda saved: edited(saved, "state.json", target=None), r"RuntimeError"),
    "an unknown setting": (
        lambda saved: edited(saved, "config.json", model={"width": 3}), r"ConfigError: ModelConfig .*\bwidth\b"
    ),
    "a setting less": (
        lambda saved: (saved / "state.json").write_text('{"seed": 1}'), r"ValueError: depth is missing"
    ),
    "text for weights": (lambda saved: (saved / "model.safetensors").write_text("weights"), r".*not have the digest"),
    "no weights": (lambda saved: (saved / "model.safetensors").unlink(), r"FileNotFoundError"),
    "text for JSON": (lambda saved: (saved / "state.json").write_text("depth: 3"), r"JSONDecodeError"),
    "a list for JSON": (
        lambda saved: (saved / "state.json").write_text("[]"), r"ValueError: state\.json is \[\], not a valid dictionary"
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_parts_that_do_not_fit_together_are_an_error_and_never_a_guess(damage, saved):
    change, cause = DAMAGES[damage]
    change(saved)

    with pytest.raises(ModelError, match=rf"The model in \S+ cannot be loaded \({cause}") as raised:
        load_model(saved)

    assert "copy the whole directory again, or train anew" in str(raised.value)
    assert len(str(raised.value)) < 800


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_directory_without_a_model_is_an_error(name, tmp_path):
    with pytest.raises(ModelError, match=r"config\.json in it or in \S+model\..*--output-dir\b"):
        load_model(tmp_path / name)


def test_the_head_follows_the_task_with_what_was_fitted():
    regression, classification = build_target(SHAPE, AGE.target), build_target(SHAPE, SITE.target)

    assert (regression.column, regression.transform) == ("age", AGE.target.transform)
    assert classification.classes == ["gut", "left palm", "tongue"]


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (
            PRETRAINED,
            ["pre-trained encoder", "1,234 reads of each sample", "1,234 reads", "aam embed"],
        ),
        (AGE, ["regression of `age`", "all reads of each sample", "all reads", "aam predict"]),
        (
            SITE,
            [
                "classification of `body site`",
                "Classes: gut, left palm, tongue.",
                "one would guess gut.",
                "aam predict",
            ],
        ),
        (
            CONDITIONED,
            [
                "city of a sample (Paris, Rome, Pisa)",
                "(mean 25.5, standard deviation 3)",
                "--metadata metadata.tsv",
            ],
        ),
    ],
    ids=["pretrained", "regression", "classification", "conditioned"],
)
def test_the_card_says_what_the_model_is_and_how_to_use_it(description, said):
    card = model_card(description)

    common = [
        "the first 11 nucleotides of up to 2,048 ASVs", "Width 8, 1 layers, 2 heads", "11 nucleotides of up to 2,048 ASVs",
        "| loss | 0.1235 |", "| n | 12345 |",
    ]  # fmt: skip
    assert [text for text in (*said, *common) if text not in card] == []
    assert card.startswith("# aam ")


def test_the_commands_of_the_card_are_commands():
    from aam.cli import parse

    for description in (PRETRAINED, AGE, CONDITIONED):
        (line,) = (line.split() for line in model_card(description).splitlines() if line.startswith("    aam "))

        parse(line[1], line[2:])


def test_versions_and_options_are_on_record(saved):
    config = json.loads((saved / "config.json").read_text())

    assert config["kind"] == "SequencePredictor"
    assert torch.__version__.startswith(config["versions"]["torch"])  # a build adds its name
    assert config["options"] == AGE.options


def test_a_model_of_the_first_format_is_read(saved):
    """Before there were transforms and options of the head."""
    expected = load_model(saved)[0]
    config, state = (json.loads((saved / name).read_text()) for name in ("config.json", "state.json"))
    del config["network_head"]
    old = {"column": "age", "task": "regression", "guess": 31.5, "mean": 1 / 3, "std": 1e-3, "classes": []}
    (saved / "config.json").write_text(json.dumps(config | {"format": 1}))
    (saved / "state.json").write_text(json.dumps(state | {"target": old}))

    model, description = load_model(saved)

    assert description.target == AGE.target
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))


def test_a_format_of_a_later_version_is_refused(saved):
    edited(saved, "config.json", format=3)

    with pytest.raises(ModelError, match=r"format is 3\b"):
        load_model(saved)


def test_a_flipped_bit_of_the_weights_is_noticed(saved):
    content = bytearray((saved / "model.safetensors").read_bytes())
    content[-50] ^= 1
    (saved / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelError, match=r"model\.safetensors .*digest .*config\.json"):
        load_model(saved)


def test_an_objective_that_is_not_in_the_table_is_named_with_what_to_do(saved):
    edited(saved, "config.json", objectives=["distance", "astrology"])

    with pytest.raises(ModelError, match="'astrology'"):
        load_model(saved)
