"""What the files of a model may hold: somebody may have edited them, and a number out of range must not be computed with."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aam.config.objectives import OBJECTIVES
from aam.errors import ModelError, name_some

FORMAT = 2
"""Version of the layout of a model directory that is written."""

READABLE = (1, FORMAT)
"""Those that are read; in the first, a target had a mean and a standard deviation, and a network one kind of head."""


def check_config(values: dict[str, Any]) -> None:
    """Refuse what no ``config.json`` of ours holds, beyond what building the model refuses.

    Raises
    ------
    ValueError
        A value is of another kind or out of range.
    """
    _check("format", values["format"], values["format"] in READABLE, "one that this version of aam reads")
    _check("objectives", values["objectives"], _are_texts(values["objectives"]), "names")
    _check("options", values["options"], isinstance(values["options"], dict), "options")
    if values.get("ensemble") is not None:
        _check_ensemble(values["ensemble"])


def _check_ensemble(ensemble: dict[str, Any]) -> None:
    shapes, calibration = ensemble["vectors"], ensemble["calibration"]
    are_shapes = all(len(shape) == 2 and all(_is_whole(size, 1) for size in shape) for shape in shapes)
    _check("vectors", shapes, are_shapes and len(shapes) > 1, "the shape of each member's")
    _check("weights", ensemble["weights"], _are_texts(ensemble["weights"]), "digests")
    _check("weights", ensemble["weights"], len(ensemble["weights"]) == len(shapes), "one for each member")
    thresholds, distances = calibration["thresholds"], calibration["distances"]
    _check("coverage", calibration["coverage"], 0 < calibration["coverage"] < 1, "a share")
    _check("thresholds", thresholds, all(map(_is_number, thresholds)) and len(thresholds) > 0, "numbers")
    sizes = [calibration["temperature"], calibration["farthest"], *distances]
    _check("distances", distances, len(distances) == len(shapes), "one for each member")
    _check("calibration", sizes, all(_is_number(size) and size > 0 for size in sizes), "numbers above 0")


def check_objectives(names: Sequence[str], directory: Path) -> None:
    """Refuse a model that was learned from what the table does not list here.

    Raises
    ------
    ModelError
        There is such an objective; the message says how to make it known.
    """
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown:
        raise ModelError(
            f"The model in {directory} learned from {name_some(unknown)}, which this aam does not know. Add the rows that it was "
            "trained with to aam.config.objectives.OBJECTIVES: in a checkout, or in a script that then runs this command by "
            "aam.cli.main (docs/tutorials/add-your-own-objective.md)."
        )


def check_state(values: dict[str, Any]) -> None:
    """Refuse what no ``state.json`` of ours holds.

    Raises
    ------
    ValueError
        A value is of another kind or out of range.
    """
    depth, target = values["depth"], values["target"]
    _check("depth", depth, depth is None or _is_whole(depth, 1), "a number of reads or null")
    _check("token_limit", values["token_limit"], _is_whole(values["token_limit"], 1), "a number of ASVs")
    _check("seed", values["seed"], _is_whole(values["seed"], 0), "a whole number")
    for name in ("metrics", "objective_settings"):
        _check(name, values[name], isinstance(values[name], dict), name.replace("_", " "))
    if target is not None:
        _check("target", target, isinstance(target, dict), "a target or null")
        parts = target.get("parts", [target])
        _check("parts", parts, isinstance(parts, list) and len(parts) > 0, "a list of targets")
        for part in parts:
            _check_target(part, ["regression"] if "parts" in target else list(_TASKS))
    _check_conditions(values.get("conditions", {}))


def _check_target(target: dict[str, Any], tasks: list[str]) -> None:
    _check("target", target, isinstance(target, dict), "a target")
    _check("column", target["column"], isinstance(target["column"], str), "the name of a column")
    _check("task", target["task"], target["task"] in tasks, " or ".join(tasks))
    _TASKS[target["task"]](target)
    _check_categories("scaled_by", target.get("scaled_by"))


def _check_regression(target: dict[str, Any]) -> None:
    _check("guess", target["guess"], _is_number(target["guess"]), "a number")
    if "transform" not in target:  # of a model from before there were any
        _check_sizes("mean", [target["mean"]], "std", [target["std"]])
        return
    bounds = target.get("bounds")
    are_bounds = bounds is None or (len(bounds) == 2 and all(map(_is_number, bounds)) and bounds[0] < bounds[1])
    _check("bounds", bounds, are_bounds, "the smallest and the largest value")
    transform, categories = target["transform"], target["normalized_by"]
    _check("is_log", transform["is_log"], isinstance(transform["is_log"], bool), "true or false")
    _check_sizes("centre", [transform["centre"]], "scale", [transform["scale"]])
    _check_sizes("centres", transform["centres"], "scales", transform["scales"])
    _check_categories("normalized_by", categories)
    n_categories = 0 if categories is None else len(categories["names"])
    _check("centres", transform["centres"], len(transform["centres"]) == n_categories, "one for each category")


def _check_sizes(centre: str, centres: list[Any], scale: str, scales: list[Any]) -> None:
    _check(centre, centres, all(map(_is_number, centres)) and len(centres) == len(scales), "numbers")
    _check(scale, scales, all(_is_number(value) and value > 0 for value in scales), "numbers above 0")


def _check_categories(name: str, categories: dict[str, Any] | None) -> None:
    if categories is not None:
        _check("column", categories["column"], isinstance(categories["column"], str), "the name of a column")
        names = categories["names"]
        _check(name, names, _are_texts(names) and len(set(names)) == len(names), "different names")


def _check_conditions(conditions: dict[str, Any]) -> None:
    columns: dict[str, int] = {}
    for one in conditions.get("categories", ()):
        _check_categories("known", one["known"])
        parent, parents = one["parent"], one["parents"]
        _check("parent", parent, parent is None or parent in columns, "a column above")
        n_parents = 0 if parent is None else len(one["known"]["names"])
        most = 0 if parent is None else columns[parent]
        are_parents = all(type(number) is int and -1 <= number < most for number in parents)
        _check("parents", parents, are_parents and len(parents) == n_parents, "the number of each category's parent")
        columns[one["known"]["column"]] = len(one["known"]["names"])
    for one in conditions.get("numbers", ()):
        _check("column", one["column"], isinstance(one["column"], str), "the name of a column")
        _check_sizes("mean", [one["mean"]], "std", [one["std"]])


def _check_classification(target: dict[str, Any]) -> None:
    classes = target["classes"]
    are_classes = _are_texts(classes) and len(set(classes)) == len(classes) > 1
    _check("classes", classes, are_classes, "different names")
    _check("guess", target["guess"], target["guess"] in classes, "one of the classes")
    weights = target.get("class_weights", [])
    are_weights = all(_is_number(value) and value > 0 for value in weights) and len(weights) in (0, len(classes))
    _check("class_weights", weights, are_weights, "a number above 0 for each class")


_TASKS = {"regression": _check_regression, "classification": _check_classification, "ordinal": _check_classification}


def _check(name: str, value: Any, is_right: bool, expected: str) -> None:
    if not is_right:
        raise ValueError(f"{name} is {value!r:.80}, not {expected}")


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < 2**63


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
