"""The shape of the code: imports point down, files and functions stay small, the command line stays torch-free."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "aam"

LAYERS = [
    {"cli", "__main__"},
    {"pipelines", "estimators"},
    {"inference", "baselines"},
    {"training"},
    {"models"},
    {"objectives", "kernels"},
    {"nn", "data", "ecology", "simulation", "metrics", "comparison"},
    {"batch", "drawn", "encoding", "figures", "io", "target_transform", "uncertainty"},
    {"config", "vocabulary", "errors", "loading", "shapes"},
]
"""From the top down; a part imports from lower layers and from itself, never sideways or up."""

FILES = sorted(SOURCE.rglob("*.py"))
ALLOWED_SIDEWAYS = {("config", "errors"), ("config", "vocabulary"), ("__main__", "cli")}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def imported_parts(path: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("aam."):
            parts.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "aam":
            parts |= {alias.name for alias in node.names}
    return parts


@pytest.mark.parametrize(
    "path", [p for p in FILES if p != SOURCE / "__init__.py"], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_point_down(path):
    part = part_of(path)

    for other in imported_parts(path) - {part}:
        assert (part, other) in ALLOWED_SIDEWAYS or layer_of(other) > layer_of(part), f"{part} imports {other}"


def test_models_and_objectives_never_import_data():
    for path in FILES:
        if part_of(path) in ("models", "objectives", "nn"):
            assert "data" not in imported_parts(path), path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= 300
    assert ast.get_docstring(ast.parse(text)), "the first line says what the file is for"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            n_arguments = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            assert node.end_lineno - node.lineno < 50, f"{node.name} is too long"
            assert n_arguments <= 7, f"{node.name} has too many parameters"


def test_packages_hold_no_logic_in_their_init():
    for path in SOURCE.rglob("__init__.py"):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(s, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign) for s in statements), path


def test_the_command_line_and_the_configs_do_not_import_heavy_libraries():
    code = (
        "import sys, aam.cli, aam.config.commands\n"
        "aam.cli.overview()\n"
        "heavy = {'torch', 'lightning', 'skbio', 'pandas', 'biom', 'sklearn', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_objective_is_one_file_and_one_row():
    """No file but its own and the table names an objective: there is no branch for any anywhere."""
    from aam.config.objective_table import OBJECTIVES, encoder_types
    from aam.loading import load
    from aam.models.build import class_of
    from aam.objectives.unlabelled import UnlabelledObjective

    table = SOURCE / "config" / "objective_table.py"
    defaults = {"config/study.py", "config/commands.py"}  # what is learned if only a file is given, and messages
    for name, row in OBJECTIVES.items():
        assert issubclass(class_of(name), UnlabelledObjective)
        assert row.measure is None or callable(load(row.measure))
        assert (row.weight_option is None) == (name in encoder_types())
    modules = {row.path.partition(":")[0] for row in OBJECTIVES.values()}
    own = {SOURCE.parent / (module.replace(".", "/") + ".py") for module in modules}
    for path in FILES:
        if path == table or path in own or str(path.relative_to(SOURCE)) in defaults:
            continue
        strings = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant)
        }
        named = set(OBJECTIVES) - {
            "counts",
            "nucleotides",
            "taxonomy",
        }  # also words of other meanings: arrays, options, streams
        assert not strings & named, f"{path} names an objective"
