"""The tutorial on objectives: its code runs, and does what the page says."""

import json
import re
import sys
from pathlib import Path

import pytest

from aam.cli import main
from aam.config import objective_table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "add-your-own-objective.md").read_text(
    encoding="utf-8"
)
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TINY = [
    "--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--epochs", "2", "--max-bp", "40",
    "--nuc-penalty", "0",
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*num_workers.*")


def test_each_objective_takes_less_than_40_lines():
    for name, code in BLOCKS:
        if name.endswith(".py"):
            assert len([line for line in code.splitlines() if line.strip()]) < 40


def test_the_code_of_the_page_adds_two_objectives(tmp_path, monkeypatch):
    study = tmp_path / "study"
    main(["simulate", "--output-dir", str(study), "--samples", "24", "--features", "30", "--sequence-length", "40"])
    before = dict(objective_table.OBJECTIVES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(study)
    namespace = {}
    try:
        for name, code in BLOCKS:
            if name.endswith(".py"):
                (tmp_path / name).write_text(code, encoding="utf-8")
            elif name == "rows":
                exec(code, namespace)
            else:
                exec(
                    code.replace("main([", f"code = main([*{['pretrain', *TINY]!r}, ").replace('"pretrain", ', ""),
                    namespace,
                )
    finally:
        objective_table.OBJECTIVES.clear()
        objective_table.OBJECTIVES.update(before)
        for name, _ in BLOCKS:
            sys.modules.pop(name.removesuffix(".py"), None)

    scores = json.loads((study / "pretrained/metrics.json").read_text())
    assert namespace["code"] == 0
    for name in ("dominance", "gc-content"):
        assert {f"{name}_r2", f"{name}_mae", f"{name}_baseline_mae"} <= set(scores)


def test_the_methods_of_the_page_are_those_of_the_class():
    from aam.objectives.unlabelled import UnlabelledObjective

    named = re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE)

    assert len(named) == 8
    assert all(hasattr(UnlabelledObjective, name) for name in named)
