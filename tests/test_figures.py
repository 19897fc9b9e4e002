"""Pictures show the numbers that they say they show."""

import io

import numpy as np
import pytest
from matplotlib import font_manager
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, r2_score

from aam.figures import (
    MOST_CELLS_WITH_NUMBERS,
    MOST_POINTS,
    _font_with,
    draw_confusion,
    draw_regression,
    r_squared,
)


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


def test_r_squared_is_scikit_learns(stream):
    truth, prediction = stream.normal(size=(2, 9))

    assert r_squared(prediction, truth) == pytest.approx(r2_score(truth, prediction))
    assert np.isnan(r_squared(prediction, np.full(9, 2.0)))


def test_every_sample_is_a_point_at_its_truth_and_prediction(stream):
    truth, prediction = stream.normal(40, 9, size=(2, 7))

    axes = drawn(draw_regression(prediction, truth, "age"))

    np.testing.assert_allclose(axes.collections[0].get_offsets(), np.stack([truth, prediction], axis=1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true age", "predicted age")
    assert axes.get_title() == f"R² = {r2_score(truth, prediction):.3f}, n = 7"


def test_points_that_are_no_samples_are_called_by_their_name(stream):
    truth, prediction = stream.normal(size=(2, 1234))

    axes = drawn(draw_regression(prediction, truth, "distance", "pairs of samples"))

    assert axes.get_title().endswith(", n = 1,234 pairs of samples")


def test_both_axes_have_one_scale_that_holds_all_points_and_the_diagonal(stream):
    truth, prediction = stream.normal(40, 9, size=7), stream.normal(-300, 2, size=7)

    axes = drawn(draw_regression(prediction, truth, "age"))

    low, high = axes.get_xlim()
    assert axes.get_ylim() == (low, high)
    assert low < prediction.min() < truth.max() < high
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[low, low], [high, high]])


def test_a_large_scatter_is_thinned_but_its_score_is_of_all_points(stream):
    truth = stream.normal(size=3 * MOST_POINTS + 1)
    prediction = truth + stream.normal(size=len(truth))

    axes = drawn(draw_regression(prediction, truth, "age"))

    assert MOST_POINTS / 2 < len(axes.collections[0].get_offsets()) <= MOST_POINTS
    assert axes.get_title() == f"R² = {r2_score(truth, prediction):.3f}, n = 15,001"


@pytest.mark.parametrize("values", [[4.0], [4.0, 4.0, 4.0]])
def test_a_constant_column_is_drawn_without_a_score(values):
    axes = drawn(draw_regression(np.array(values), np.array(values), "age"))

    assert axes.get_title() == f"R² = nan, n = {len(values)}"


def test_cells_count_what_scikit_learn_counts_with_the_truth_in_rows(stream):
    truth, prediction = stream.integers(0, 3, size=(2, 40))

    axes = drawn(draw_confusion(prediction, truth, ["gut", "skin", "tongue"], "site"))

    expected = confusion_matrix(truth, prediction)
    assert cells(axes) == {index: str(count) for index, count in np.ndenumerate(expected)}
    share = expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(axes.images[0].get_array(), share)
    assert axes.get_title() == f"balanced accuracy = {balanced_accuracy_score(truth, prediction):.3f}, n = 40"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gut", "skin", "tongue"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted site", "true site")


def test_a_class_without_samples_is_an_empty_row_and_not_in_the_score():
    axes = drawn(draw_confusion(np.array([0, 2, 1]), np.array([0, 2, 2]), ["a", "b", "c"], "site"))

    assert [cells(axes)[1, k] for k in range(3)] == ["0", "0", "0"]
    assert axes.get_title() == "balanced accuracy = 0.750, n = 3"


def test_many_classes_are_coloured_without_numbers():
    n = MOST_CELLS_WITH_NUMBERS + 1

    axes = drawn(draw_confusion(np.arange(n), np.arange(n), [f"class {k}" for k in range(n)], "site"))

    assert not axes.texts
    np.testing.assert_array_equal(axes.images[0].get_array(), np.eye(n))


@pytest.mark.parametrize("name", ["$5% to $10", r"a$\b$", "x_1^2", "a$b", r"\frac{1}"])
def test_names_are_shown_as_they_are_and_not_read_as_formulas(name):
    confusion = drawn(draw_confusion(np.array([0, 1]), np.array([0, 1]), [name, "other"], name))
    scatter = drawn(draw_regression(np.array([0.0, 1.0]), np.array([0.5, 1.0]), name))

    shown = [confusion.yaxis.label, confusion.get_yticklabels()[0], scatter.xaxis.label]
    assert [text.get_text().removeprefix("true ") for text in shown] == [name] * 3
    assert not any(text.get_parse_math() for text in shown)


@pytest.mark.parametrize("name", ["肠道 口腔", "кишечник", "लार", "\U0001f9a0", "a\tb"])
def test_a_name_in_any_script_is_drawn_without_a_warning(name):
    figures = [
        draw_confusion(np.array([0, 1]), np.array([0, 1]), [name, "other"], name),
        draw_regression(np.array([0.0, 1.0]), np.array([0.5, 1.0]), name),
    ]

    for figure in figures:
        figure.canvas.draw()  # as for TensorBoard
        drawn(figure)


def test_letters_that_the_default_font_lacks_are_drawn_in_one_that_has_them():
    name = "gut \N{SECTOR}"  # among the fonts of matplotlib, in a few only

    axes = drawn(draw_confusion(np.array([0, 1]), np.array([0, 1]), [name, "other"], "site"))

    default, fallback = axes.get_yticklabels()[0].get_fontfamily()
    assert default == "DejaVu Sans"
    assert ord("\N{SECTOR}") in font_manager.get_font(font_manager.findfont(fallback)).get_charmap()
    assert axes.get_yticklabels()[1].get_fontfamily() == ["sans-serif"]


def test_no_font_is_looked_for_where_the_default_has_all_letters_and_none_is_made_up():
    assert _font_with(frozenset("R² = é кишечник")) is None
    assert _font_with(frozenset("\U000e0fff")) is None
