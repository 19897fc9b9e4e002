"""Write annotations of a tree for iTOL (Letunic & Bork 2024), https://itol.embl.de/help.cgi: text files to drop onto the tree."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from aam.storage.atomic import write_text_atomic


def write_bars(path: Path, label: str, values: Mapping[str, float], colour: str) -> None:
    """Write a bar for each leaf (DATASET_SIMPLEBAR).

    Parameters
    ----------
    path
        File to write.
    label
        Title of the bars.
    values
        Length of the bar by name of the leaf.
    colour
        Colour of the bars, as #rrggbb.
    """
    rows = [f"{_cell(name)}\t{value:.6g}" for name, value in values.items()]
    _write(path, "DATASET_SIMPLEBAR", [("DATASET_LABEL", label), ("COLOR", colour)], rows)


def write_branch_colours(path: Path, label: str, colours: Mapping[str, tuple[str, float]]) -> None:
    """Write colour and width of the branches above nodes (DATASET_STYLE).

    Parameters
    ----------
    path
        File to write.
    label
        Title of the colours.
    colours
        Colour as #rrggbb, and factor of the width, by name of the node.
    """
    rows = [f"{_cell(name)}\tbranch\tnode\t{colour}\t{width:.3g}\tnormal" for name, (colour, width) in colours.items()]
    _write(path, "DATASET_STYLE", [("DATASET_LABEL", label), ("COLOR", "#333333")], rows)


def write_labels(path: Path, names: Mapping[str, str]) -> None:
    """Write what nodes are called in the tree (LABELS)."""
    _write(path, "LABELS", [], [f"{_cell(name)}\t{_cell(text)}" for name, text in names.items()])


def _write(path: Path, kind: str, settings: Iterable[tuple[str, str]], rows: list[str]) -> None:
    head = [kind, "SEPARATOR TAB", *(f"{name}\t{_cell(value)}" for name, value in settings), "DATA"]
    write_text_atomic(path, "\n".join([*head, *rows]) + "\n")


def _cell(text: str) -> str:
    return " ".join(text.split())
