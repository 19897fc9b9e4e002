"""Draw the scores of the README: aam and the best classical model, one line per target.

    python benchmarks/scores_figure.py [--page README.md] [--image docs/images/scores.png]

The numbers are read from the page's marked table, so that picture and table cannot disagree.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

REPOSITORY = Path(__file__).resolve().parents[1]
UNSEEN = "unseen study"
OURS, OTHERS, LINE = "#0b6e4f", "#b0793a", "#c9c9c9"


@dataclass(frozen=True)
class Score:
    """One row of the table.

    Attributes
    ----------
    target
        Study, and what is predicted.
    measure
        Name of the score.
    ours, classical
        Score of aam, and of the best classical model.
    """

    target: str
    measure: str
    ours: float
    classical: float


def main() -> None:
    """Read the table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=REPOSITORY / "README.md", help="page with the marked table")
    parser.add_argument(
        "--image", type=Path, default=REPOSITORY / "docs" / "images" / "scores.png", help="file to write"
    )
    options = parser.parse_args()
    options.image.parent.mkdir(parents=True, exist_ok=True)
    scores = read_scores(options.page.read_text(encoding="utf-8"))
    draw(scores).savefig(options.image, metadata={"Software": None})


def read_scores(page: str) -> list[Score]:
    """Read the rows of the table between the marks of a page."""
    section = page.partition("<!-- scores -->")[2].partition("<!-- end of scores -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.strip().splitlines()[2:]]
    return [Score(row[0], row[2], float(row[3]), float(row[4])) for row in rows]


def draw(scores: list[Score]) -> Figure:
    """Draw two points per row: to the right is better."""
    figure = Figure(figsize=(8.6, 0.34 * len(scores) + 1.3), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    for place, score in enumerate(scores):
        if score.target.startswith(UNSEEN):
            axes.axhspan(place - 0.5, place + 0.5, color="#f6f3ec", zorder=0)
        axes.plot([score.ours, score.classical], [place, place], color=LINE, linewidth=3, zorder=1)
        difference = f"{score.ours - score.classical:+.3f}".replace("-", "−").replace("+0.000", "0.000")
        axes.annotate(difference, (1.11, place), va="center", ha="right", fontsize=9.5)
    places = range(len(scores))
    first_kept_back = next(place for place in places if scores[place].target.startswith(UNSEEN))
    axes.annotate(
        "studies that nobody looked at before", (0.21, first_kept_back), va="center", fontsize=9, style="italic"
    )
    classical, ours = [score.classical for score in scores], [score.ours for score in scores]
    axes.scatter(classical, places, s=66, color=OTHERS, marker="D", label="best classical model", zorder=2)
    axes.scatter(ours, places, s=66, color=OURS, edgecolor="white", label="aam", zorder=3)
    axes.annotate("aam − classical", (1.11, -0.85), va="center", ha="right", fontsize=9, annotation_clip=False)
    axes.set_yticks(places, [f"{score.target} ({score.measure})" for score in scores], fontsize=9.5)
    axes.set_xlim(0.2, 1.12)
    axes.set_xticks([tick / 10 for tick in range(2, 11)])
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_xlabel("score on samples that training never saw", fontsize=9.5)
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return figure


if __name__ == "__main__":
    main()
