"""What runs leave behind opens where users open it, and says what it should."""

import json

import numpy as np
import pytest
from skbio.metadata import SampleMetadata

from aam.figures import draw_regression
from aam.inference.metrics import evaluate
from aam.io.metadata import write_tsv
from aam.labels.target import TargetState
from aam.runs.results import draw_target, points_to_draw, prediction_columns, summarise, truth_columns, write_metrics
from aam.target_transform import TargetTransform

AGE = TargetState("age", "regression", guess=40.0, transform=TargetTransform(41.0, 9.0))
SITE = TargetState("site", "classification", guess="left palm", classes=("gut", "left palm", "tongue"))
SAMPLES = ["10317.000001", "S 2", "é"]
PROBABILITY = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2], [0.1, 0.2, 0.7]])


def opened(path):
    """Open a table as QIIME 2 does."""
    return SampleMetadata.load(str(path)).to_dataframe()


def test_predicted_numbers_open_as_qiime_2_metadata(tmp_path):
    prediction, truth = np.array([31.25, -2.5e-7, 1234567.0]), np.array([30.0, 1.0, 7.0])
    columns = {**prediction_columns(AGE, SAMPLES, prediction), **truth_columns(AGE, truth)}

    write_tsv(tmp_path / "p.tsv", columns)

    table = opened(tmp_path / "p.tsv")
    assert table.index.tolist() == SAMPLES
    np.testing.assert_allclose(table["prediction"], prediction, rtol=1e-8)
    np.testing.assert_array_equal(table["truth"], truth)


def test_predicted_classes_open_as_qiime_2_metadata_with_their_probabilities(tmp_path):
    columns = {**prediction_columns(SITE, SAMPLES, PROBABILITY), **truth_columns(SITE, np.array([1, 0, 0]))}

    write_tsv(tmp_path / "p.tsv", columns)

    table = opened(tmp_path / "p.tsv")
    assert table["prediction"].tolist() == ["left palm", "gut", "tongue"]
    assert table["truth"].tolist() == ["left palm", "gut", "gut"]
    named = table[[f"probability:{name}" for name in SITE.classes]]
    np.testing.assert_allclose(named, PROBABILITY)
    assert named.idxmax(axis=1).str.removeprefix("probability:").tolist() == table["prediction"].tolist()


def test_metrics_are_standard_json_in_full_and_a_table_of_the_single_numbers(tmp_path):
    metrics = {
        "n": 12345678,
        "r2": 1 / 3,
        "auroc": float("nan"),
        "worst": float("inf"),
        "confusion": {"classes": ["a"]},
    }

    write_metrics(tmp_path, metrics)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text, parse_constant=refuse) == {**metrics, "auroc": None, "worst": None}
    assert (tmp_path / "metrics.tsv").read_text() == "metric\tvalue\nn\t12345678\nr2\t0.333333\n"


@pytest.mark.parametrize(
    ("target", "prediction", "truth"),
    [(AGE, np.array([30.0, 44.0, 51.0]), np.array([33.0, 40.0, 50.0])), (SITE, PROBABILITY, np.array([1, 0, 0]))],
    ids=["regression", "classification"],
)
def test_the_picture_is_a_png_in_a_folder_of_its_own(target, prediction, truth, tmp_path):
    metrics = evaluate(target, prediction, truth)

    draw_target(tmp_path / "plots/target.png", target, prediction, truth, metrics, points_to_draw(2, seed=0))

    assert (tmp_path / "plots/target.png").read_bytes().startswith(b"\x89PNG")
    assert [item.name for item in (tmp_path / "plots").iterdir()] == ["target.png"]


@pytest.mark.parametrize("n", [3, 40])
def test_the_picture_of_many_shows_some_and_scores_all(n, tmp_path, monkeypatch):
    titles, seen = [], []
    truth = np.arange(float(n))
    truth.flags.writeable = False  # as pandas gives it

    def draw(prediction, truth, *rest):
        seen.append(truth.tolist())
        figure = draw_regression(prediction, truth, *rest)
        titles.append(figure.axes[0].get_title())
        return figure

    monkeypatch.setattr("aam.runs.results.draw_regression", draw)
    for _ in range(2):
        draw_target(tmp_path / "p.png", AGE, truth + 1, truth, evaluate(AGE, truth + 1, truth), points_to_draw(5, 0))

    score = 1 - n / np.square(truth - truth.mean()).sum()
    assert titles[0] == f"R² = {score:.3f}, {'all 3' if n == 3 else '5 of 40'} samples shown"
    assert seen[0] == seen[1]


def test_a_summary_names_the_score_beside_the_guess():
    ages = evaluate(AGE, np.array([30.0, 44.0, 51.0]), np.array([33.0, 40.0, 50.0]))
    sites = evaluate(SITE, PROBABILITY, np.array([1, 0, 0]))

    assert summarise(ages, AGE) == "R² 0.822, mean absolute error 2.667 (guessing 40: 5.667), n = 3"
    assert summarise(sites, SITE) == ("balanced accuracy 0.750 (guessing 'left palm': 0.500), AUROC 0.750, n = 3")
