"""Pictures show the numbers that they say they show."""

import io

import numpy as np
import pytest
from matplotlib import font_manager
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from aam.figures import MOST_CELLS_WITH_NUMBERS, _font_with, draw_confusion, draw_methods, draw_regression


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def drawn(figure):
    """Render a figure as a user would, and give its first axes."""
    figure.savefig(io.BytesIO(), format="png")
    return figure.axes[0]


def cells(axes):
    """Give the numbers written into a confusion matrix."""
    return {tuple(int(c) for c in text.get_position()[::-1]): text.get_text() for text in axes.texts}


def test_every_sample_is_a_point_at_its_truth_and_prediction(stream):
    truth, prediction = stream.normal(40, 9, size=(2, 7))

    axes = drawn(draw_regression(prediction, truth, "age", 0.1236, 7))

    np.testing.assert_allclose(axes.collections[0].get_offsets(), np.stack([truth, prediction], axis=1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true age", "predicted age")
    assert axes.get_title() == "R² = 0.124, all 7 samples shown"


def test_the_title_says_how_many_of_how_many_points_are_shown_and_fits(stream):
    truth, prediction = stream.normal(size=(2, 1234))

    axes = drawn(draw_regression(prediction, truth, "distance", -0.5, 5678901, "pairs of samples"))

    assert axes.get_title() == "R² = -0.500, 1,234 of 5,678,901 pairs of samples shown"
    assert len(axes.collections[0].get_offsets()) == 1234
    title, whole = axes.title.get_window_extent(), axes.figure.bbox
    assert whole.x0 <= title.x0 < title.x1 <= whole.x1


def test_both_axes_have_one_scale_that_holds_all_points_and_the_diagonal(stream):
    truth, prediction = stream.normal(40, 9, size=7), stream.normal(-300, 2, size=7)

    axes = drawn(draw_regression(prediction, truth, "age", 0.5, 7))

    low, high = axes.get_xlim()
    assert axes.get_ylim() == (low, high)
    assert low < prediction.min() < truth.max() < high
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[low, low], [high, high]])


@pytest.mark.parametrize("values", [[4.0], [4.0, 4.0, 4.0]])
def test_a_constant_column_is_drawn_without_a_score(values):
    axes = drawn(draw_regression(np.array(values), np.array(values), "age", float("nan"), len(values)))

    assert axes.get_title() == f"R² not defined, all {len(values)} samples shown"


def test_cells_count_what_scikit_learn_counts_with_the_truth_in_rows(stream):
    truth, prediction = stream.integers(0, 3, size=(2, 40))

    expected = confusion_matrix(truth, prediction)

    axes = drawn(draw_confusion(expected, ["gut", "skin", "tongue"], "site"))

    assert cells(axes) == {index: str(count) for index, count in np.ndenumerate(expected)}
    share = expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(axes.images[0].get_array(), share)
    assert axes.get_title() == f"balanced accuracy = {balanced_accuracy_score(truth, prediction):.3f}, n = 40"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gut", "skin", "tongue"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted site", "true site")


def test_a_class_without_samples_is_an_empty_row_and_not_in_the_score():
    axes = drawn(draw_confusion(np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]]), ["a", "b", "c"], "site"))

    assert [cells(axes)[1, k] for k in range(3)] == ["0", "0", "0"]
    assert axes.get_title() == "balanced accuracy = 0.750, n = 3"


def test_many_classes_are_coloured_without_numbers():
    n = MOST_CELLS_WITH_NUMBERS + 1

    axes = drawn(draw_confusion(np.eye(n, dtype=int), [f"class {k}" for k in range(n)], "site"))

    assert not axes.texts
    np.testing.assert_array_equal(axes.images[0].get_array(), np.eye(n))


@pytest.mark.parametrize("name", ["$5% to $10", r"a$\b$", "x_1^2", "a$b", r"\frac{1}"])
def test_names_are_shown_as_they_are_and_not_read_as_formulas(name):
    confusion = drawn(draw_confusion(np.eye(2, dtype=int), [name, "other"], name))
    scatter = drawn(draw_regression(np.array([0.0, 1.0]), np.array([0.5, 1.0]), name, 0.5, 2))

    shown = [confusion.yaxis.label, confusion.get_yticklabels()[0], scatter.xaxis.label]
    assert [text.get_text().removeprefix("true ") for text in shown] == [name] * 3
    assert not any(text.get_parse_math() for text in shown)


@pytest.mark.parametrize("name", ["肠道 口腔", "кишечник", "लार", "\U0001f9a0", "a\tb"])
def test_a_name_in_any_script_is_drawn_without_a_warning(name):
    figures = [
        draw_confusion(np.eye(2, dtype=int), [name, "other"], name),
        draw_regression(np.array([0.0, 1.0]), np.array([0.5, 1.0]), name, 0.5, 2),
    ]

    for figure in figures:
        figure.canvas.draw()  # as for TensorBoard
        drawn(figure)


def test_letters_that_the_default_font_lacks_are_drawn_in_one_that_has_them():
    name = "gut \N{SECTOR}"  # among the fonts of matplotlib, in a few only

    axes = drawn(draw_confusion(np.eye(2, dtype=int), [name, "other"], "site"))

    default, fallback = axes.get_yticklabels()[0].get_fontfamily()
    assert default == "DejaVu Sans"
    assert ord("\N{SECTOR}") in font_manager.get_font(font_manager.findfont(fallback)).get_charmap()
    assert axes.get_yticklabels()[1].get_fontfamily() == ["sans-serif"]


def test_no_font_is_looked_for_where_the_default_has_all_letters_and_none_is_made_up():
    assert _font_with(frozenset("R² = é кишечник")) is None
    assert _font_with(frozenset("\U000e0fff")) is None


def test_methods_are_drawn_from_the_top_with_their_folds_means_and_pooled_scores():
    scores = {"aam": [0.5, 0.7], "guess": [0.0, np.nan], "depth": [np.nan, np.nan]}

    axes = drawn(draw_methods(scores, {"aam": 0.65, "guess": -0.1, "depth": -0.2}, "R² of age"))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["aam", "guess", "depth"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first on top"
    assert [text.get_text() for text in axes.texts] == ["0.650", "-0.100", "-0.200"]
    assert [line.get_xdata()[0] for line in axes.lines] == [0.6, 0.0], "the mean, of those that have one"
    folds, pooled = axes.collections[::2], axes.collections[1::2]
    assert [len(points.get_offsets()) for points in folds] == [2, 1, 0]
    assert [points.get_offsets().tolist() for points in pooled] == [[[0.65, 0]], [[-0.1, 1]], [[-0.2, 2]]]
