"""The shape of the code: imports point down, files and functions stay small, the command line stays torch-free."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "aam"

LAYERS = [
    {"cli", "__main__"},
    {"commands"},
    {"crossval", "inspection", "estimators"},
    {"explanation"},
    {"runs"},
    {"inference", "baselines"},
    {"training", "kernels"},
    {"models"},
    {"objectives", "labels"},
    {"nn", "data", "ecology", "simulation", "metrics"},
    {"io"},
    {"distributed", "storage", "figures", "target_transform", "uncertainty"},
    {"config", "batch", "notices"},
    {"vocabulary", "errors", "shapes", "stored"},
]
"""From the top down; a part imports from lower layers and from itself, never sideways or up."""

WALLS = [
    ("labels", {"objectives", "inference", "models", "training"}),
    ("data", {"labels", "io.metadata", "io.label_files"}),
    ("models", {"data"}),
    ("nn", {"data"}),
    ("objectives", {"data", "labels"}),
]
"""What a part never imports, whatever its layer."""

FORMATS = {"biom", "csv", "gzip", "h5py"}
"""Libraries of file formats, which only ``io`` imports."""

MOST_LINES, MOST_FILES, MOST_LINES_OF_FUNCTION, MOST_PARAMETERS, LEAST_LINES = 400, 20, 50, 7, 40
TABLES = {"__main__.py", "vocabulary.py", "shapes.py", "notices.py"}
"""Files that may be short: tables of constants, and the face of the package."""

ACROSS = {
    "commands/test_bad_input", "commands/test_whole_commands", "config/test_config_conditioning",
    "config/test_config_network_head", "config/test_config_simulate", "io/test_bad_files",
    "io/test_round_trips", "io/test_unexpected_files", "metrics/test_processes", "models/test_packed_equals_padded",
    "training/test_objectives_learn",
}  # fmt: skip
"""Tests of several modules of a folder, which are named after none of them."""

OTHER_TESTS = {"benchmarks", "docs", "helpers", "kinds"}
"""Folders of tests that are not of ``src/aam``."""

FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in FILES}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def imported_modules(path: Path) -> set[str]:
    """Name the modules of aam that a file imports, such as ``data.study``."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("aam"):
            continue
        base = node.module.removeprefix("aam").removeprefix(".")
        names = {f"{base}.{alias.name}".strip(".") for alias in node.names}
        modules |= {name if name in MODULES else base for name in names} - {""}
    return modules


def imported_parts(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imported_modules(path)}


@pytest.mark.parametrize(
    "path", [p for p in FILES if p != SOURCE / "__init__.py"], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_point_down(path):
    part = part_of(path)

    for other in imported_parts(path) - {part}:
        is_face = (part, other) == ("__main__", "cli")
        assert is_face or layer_of(other) > layer_of(part), f"{part} imports {other}"


def test_files_import_each_other_in_no_circle():
    remaining = {name: imported_modules(path) & MODULES.keys() for name, path in MODULES.items()}
    while free := {name for name, needs in remaining.items() if not needs}:
        remaining = {name: needs - free for name, needs in remaining.items() if name not in free}

    assert not remaining


@pytest.mark.parametrize(("part", "hidden"), WALLS, ids=lambda value: value if isinstance(value, str) else "")
def test_walls_hold(part, hidden):
    for path in FILES:
        if part_of(path) == part:
            seen = imported_modules(path)
            assert not (seen | {module.split(".")[0] for module in seen}) & hidden, path


def test_only_io_knows_file_formats():
    for path in FILES:
        if part_of(path) == "io":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not FORMATS & {name.split(".")[0] for name in names}, path


def test_folders_stay_small():
    for folder in {path.parent for path in FILES}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, folder


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= MOST_LINES
    assert path.name == "__init__.py" or path.name in TABLES or text.count("\n") >= LEAST_LINES
    assert ast.get_docstring(ast.parse(text)), "the first line says what the file is for"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            n_arguments = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            assert node.end_lineno - node.lineno < MOST_LINES_OF_FUNCTION, f"{node.name} is too long"
            assert n_arguments <= MOST_PARAMETERS, f"{node.name} has too many parameters"


TEST_FILES = sorted(TESTS.rglob("*.py"))


def test_tests_lie_where_their_modules_lie():
    """``tests/nn/test_fusion_speed.py`` tests ``nn/fusion.py``; ``test_nn_fusion`` where another folder has a fusion, too."""
    for path in TEST_FILES:
        folder, name = path.parent.relative_to(TESTS), path.stem
        if not name.startswith("test_") or folder.name in {"", *OTHER_TESTS} or f"{folder}/{name}" in ACROSS:
            continue
        modules = {module.stem for module in (SOURCE / folder).glob("*.py")}
        topic = name.removeprefix("test_")
        own = {topic, topic.removeprefix(f"{folder.name}_")}
        is_of_module = any(f"{part}_".startswith(f"{module}_") for part in own for module in modules)
        assert is_of_module or topic == folder.name, f"{path} is named after no module of {folder}"


def test_names_of_tests_are_unique_and_exceptions_exist():
    names = [path.stem for path in TEST_FILES if path.stem not in {"__init__", "conftest"}]

    assert len(names) == len(set(names))
    assert all((TESTS / f"{name}.py").is_file() for name in ACROSS)


def test_tests_stay_small():
    for path in TEST_FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= MOST_LINES, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < MOST_LINES_OF_FUNCTION, f"{path}: {node.name} is too long"


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


def test_the_list_of_commands_needs_no_config():
    code = (
        "import sys, aam.cli\n"
        "aam.cli.overview()\n"
        "late = {'pydantic', 'yaml', 'tyro'} & set(sys.modules)\n"
        "assert not late, late\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_objective_is_one_file_and_one_row():
    """No file but its own and the table names an objective: there is no branch for any anywhere."""
    from aam.config.base import load
    from aam.config.objectives import OBJECTIVES, encoder_types
    from aam.models.build import class_of
    from aam.objectives.objective import UnlabelledObjective

    table = SOURCE / "config" / "objectives.py"
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
