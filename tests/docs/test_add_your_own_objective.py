"""The tutorial on objectives: its code runs, and does what the page says."""

import json
import re
import sys
from pathlib import Path

import pytest

from aam.cli import main
from aam.config import objectives
from helpers.commands import QUIET, SMALL, simulate

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "add-your-own-objective.md").read_text(
    encoding="utf-8"
)
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHORT = {
    "pretrain": [*SMALL, "--epochs", "2", "--nuc-penalty", "0"], "train": ["--epochs", "1"], "embed": [],
}  # fmt: skip

pytestmark = QUIET


def test_each_objective_takes_less_than_40_lines():
    for name, code in BLOCKS:
        if name.endswith(".py"):
            assert len([line for line in code.splitlines() if line.strip()]) < 40


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Run the code of the page in a study, at a small size; give the study and the exit code of each command."""
    folder = tmp_path_factory.mktemp("page")
    study = simulate(folder / "study", 24, 30, 40)
    before, codes = dict(objectives.OBJECTIVES), []

    def run_small(arguments):
        codes.append(main([*arguments, *SHORT[arguments[0]]]))

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(study)
        patch.setattr("aam.cli.main", run_small)
        namespace = {}
        try:
            for name, code in BLOCKS:
                if name.endswith(".py"):
                    (folder / name).write_text(code, encoding="utf-8")
                else:
                    exec(code, namespace)
        finally:
            objectives.OBJECTIVES.clear()
            objectives.OBJECTIVES.update(before)
            for name, _ in BLOCKS:
                sys.modules.pop(name.removesuffix(".py"), None)
    return study, codes


def test_the_code_of_the_page_adds_two_objectives(page):
    study, codes = page

    scores = json.loads((study / "pretrained/metrics.json").read_text())
    assert codes == [0] * 4
    for name in ("dominance", "gc-content"):
        assert {f"{name}_r2", f"{name}_mae", f"{name}_baseline_mae"} <= set(scores)


def test_the_code_of_the_page_embeds_goes_on_and_fine_tunes_a_model_that_predicts_without_the_rows(page):
    study, _ = page
    files = [f"--{flag}={study}/{name}" for flag, name in (("table", "table.biom"), ("sequences", "sequences.fasta"))]

    assert main(["predict", "--model", f"{study}/trained", *files, "--output", f"{study}/predictions.tsv"]) == 0

    for name in ("vectors.tsv", "predictions.tsv"):
        assert len((study / name).read_text().splitlines()) == 25


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["embed", "--model", "pretrained"], ["--output", "out"]),
        (["pretrain", "--pretrained", "pretrained", "--objectives", "shannon"], ["--output-dir", "out"]),
        (
            ["train", "--pretrained", "further", "--metadata", "metadata.tsv", "--metadata-column", "age"],
            ["--output-dir", "out"],
        ),
    ],
)
def test_without_the_rows_such_a_model_is_refused_with_what_to_do(page, command, output, capsys, monkeypatch):
    study, _ = page
    monkeypatch.chdir(study)

    code = main([*command, "--table", "table.biom", "--sequences", "sequences.fasta", *output])

    said = capsys.readouterr().err
    assert code == 2
    assert "learned from 'dominance', 'gc-content', which this aam does not know. Add the rows" in said
    assert "damaged" not in said
    assert not (study / "out").exists()


def test_the_methods_of_the_page_are_those_of_the_class():
    from aam.objectives.objective import UnlabelledObjective

    named = re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE)

    assert len(named) == 8
    assert all(hasattr(UnlabelledObjective, name) for name in named)
