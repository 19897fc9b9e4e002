"""The shape of the code keeps its goals, and the script counts what it says it counts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from house import docstrings, flags_shown, imports_of, in_circles, replaced_names, write_into

ROOT = Path(__file__).resolve().parents[2]


def test_the_code_keeps_its_goals():
    finished = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "house.py")], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.startswith("| point | before | now | goal |\n")
    assert finished.stdout.count("\n") == 15


def test_nodes_in_circles_are_those_that_reach_themselves():
    graph = {"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a"]}

    assert in_circles(graph) == {"b", "c"}


def test_imports_are_found_in_functions_and_by_module_or_name(tmp_path):
    package = tmp_path / "aam"
    (package / "io").mkdir(parents=True)
    (package / "io" / "tables.py").write_text("import numpy\n")
    (package / "cli.py").write_text("def run():\n    from aam.io import tables\n    from aam.io.tables import read\n")

    assert imports_of(package) == {"cli": {"io.tables"}, "io.tables": set()}


@pytest.mark.parametrize(
    ("code", "folder", "names"),
    [
        ("class Pool:\n    facts: dict", "labels", ["Pool", "facts"]),
        ("def rows(x): ...", "nn", ["rows"]),
        ("def rows(x): ...", "io", []),
        ("class A:\n    def rows(self): ...", "nn", []),
        ("def build(shape: ModelConfig, held: np.ndarray): ...", "runs", ["shape", "held"]),
        ("def draw(shape: tuple[int, int]): ...", "runs", []),
    ],
)
def test_replaced_names_are_found_where_they_had_their_meaning(code, folder, names):
    assert list(replaced_names(ast.parse(code), folder)) == names


def test_docstrings_of_fields_count_and_other_strings_do_not():
    tree = ast.parse('"""Give."""\nx: int = 1\n"""Say what."""\ny = "Let it be."\n')

    assert list(docstrings(tree)) == ["Give.", "Say what."]


def test_an_option_begins_a_line_and_is_not_found_in_the_text_of_another():
    text = "  --table PATH  Counts; see\n                --sequences.\n  --tree PATH\n      --not this\n"

    assert flags_shown(text) == ["--table", "--tree"]


def test_a_page_takes_the_table_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- counted -->\nold\n<!-- end of counted -->\nb\n")

    write_into(page, ["| new |"])

    assert page.read_text() == "a\n<!-- counted -->\n\n| new |\n\n<!-- end of counted -->\nb\n"
