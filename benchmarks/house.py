"""Count the shape of the code: sizes of files and folders, circles of imports, names and voice, and the length of the help.

    python benchmarks/house.py [--source src/aam] [--document docs/explanation/architecture.md]

Prints a Markdown table of what was counted at commit 1709cfd, of what is counted now, and of the goals; with ``--document`` it
writes the table into the marked section of that page as well. The exit code is 1 where a goal is missed.
"""

import argparse
import ast
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from measuring import REPOSITORY, table

COLUMNS = ("point", "before", "now", "goal")
BEGIN, END = "<!-- counted -->\n", "<!-- end of counted -->\n"
SHORT = 60
"""Lines of a file below which it is short."""
INDIRECT = ("Give", "Say", "Let")
"""First words of docstrings that leave open what a function returns."""

REPLACED = {
    "APART", "ALONE", "as_begun", "Cohort", "compose", "Composer", "Composition", "Conditioning", "Conditions", "doubt_of",
    "EnsembleReader", "equal_depth", "EqualDepth", "facts", "further_columns", "give_back", "increasing", "is_told_by_another",
    "KernelReader", "lent_to", "Limits", "Line", "Material", "meaning", "meet", "of_all_samples", "Overall", "Part", "Participants",
    "Placement", "places_of_run", "Pool", "Problem", "PRODUCTS_KEPT", "Reading", "Recognised", "recognise", "rescued", "Rows",
    "SampleReader", "says_the_same", "settle", "Share", "speaks_for_all", "Stopped", "suspects", "take_over", "taken", "Told",
    "told_by_depth", "unlike", "WholeCopies",
}  # fmt: skip
"""Names that were replaced by words of the field, wherever they are defined."""
ORDINARY_FUNCTIONS = {"agreed", "joined", "learn", "place", "rows", "spread", "wrap"}
"""Ordinary words that were names of functions of a module, in the folders of `OF_RUNS`."""
ORDINARY_VALUES = {("held", "np.ndarray"), ("parts", "np.ndarray"), ("shape", "ModelConfig")}
"""Ordinary words that were names of fields and parameters of a type, in the folders of `OF_RUNS`."""
OF_RUNS = {"commands", "data", "distributed", "labels", "nn", "pipelines", "runs", "training"}
"""Folders that the ordinary words were replaced in; elsewhere, and for variables, they keep their ordinary meaning."""
OF_TWO_MEANINGS = {
    "Ensemble", "Facts", "Fitted", "Member", "NO_FACTS", "NOTHING", "Part", "Resources", "Share", "SPREAD", "TARGET", "TREES",
}  # fmt: skip
"""Names of classes and constants that were defined in several files, as different things."""


@dataclass(frozen=True)
class Count:
    """One row of the table.

    Attributes
    ----------
    point
        What is counted.
    before
        What it was at commit 1709cfd.
    now
        What it is, as text.
    goal
        What it should be, as text.
    is_met
        Whether it is.
    """

    point: str
    before: str
    now: str
    goal: str
    is_met: bool


def main() -> int:
    """Count, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=REPOSITORY / "src" / "aam", help="the package to count")
    parser.add_argument("--document", type=Path, help="a page whose marked section takes the table")
    options = parser.parse_args()
    counts = [*count_files(options.source), *count_words(options.source), *count_help(options.source)]
    lines = table(COLUMNS, [(count.point, count.before, count.now, count.goal) for count in counts])
    print("\n".join(lines))
    if options.document is not None:
        write_into(options.document, lines)
    missed = [count.point for count in counts if not count.is_met]
    if missed:
        sys.stderr.write(f"Missed: {'; '.join(missed)}.\n")
    return 1 if missed else 0


def write_into(document: Path, lines: list[str]) -> None:
    """Replace what stands between the marks of a page."""
    before, rest = document.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + after, encoding="utf-8")


def count_files(source: Path) -> Iterator[Count]:
    """Count files, their lengths, and circles of imports; faces of packages (``__init__.py``) are no files here."""
    files = [path for path in sorted(source.rglob("*.py")) if path.name != "__init__.py"]
    lengths = [path.read_text(encoding="utf-8").count("\n") for path in files]
    median, share = statistics.median(lengths), sum(length < SHORT for length in lengths) / len(files)
    folder, fullest = Counter(path.parent for path in files).most_common(1)[0]
    yield Count("files", "281", str(len(files)), "≤ 280", len(files) <= 280)
    yield Count("median lines of a file", "88", f"{median:.0f}", "≥ 150", median >= 150)
    yield Count(f"files under {SHORT} lines", "33 %", f"{share:.0%}".replace("%", " %"), "≤ 8 %", share <= 0.08)
    name = f"{fullest} (`{folder.relative_to(source)}`)"
    yield Count("files in the fullest folder", "45 (`pipelines`)", name, "≤ 20", fullest <= 20)
    imports = imports_of(source)
    parts: dict[str, set[str]] = {}
    for module, others in imports.items():
        parts.setdefault(module.split(".")[0], set()).update(other.split(".")[0] for other in others)
    parts = {part: others - {part} for part, others in parts.items()}
    for kind, graph, before in (("folders", parts, "0"), ("files", imports, "2")):
        n_nodes = len(in_circles(graph))
        yield Count(f"{kind} that import each other in a circle", before, str(n_nodes), "0", n_nodes == 0)


def imports_of(source: Path) -> dict[str, set[str]]:
    """Return the modules of the package that each module imports, anywhere in it, such as ``data.study``."""
    modules = {".".join(path.relative_to(source).with_suffix("").parts): path for path in source.rglob("*.py")}
    imports: dict[str, set[str]] = {}
    for module, path in modules.items():
        imports[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != source.name:
                continue
            base = (node.module or "").removeprefix(source.name).removeprefix(".")
            names = {f"{base}.{alias.name}".strip(".") for alias in node.names}
            imports[module] |= {name if name in modules else base for name in names} & modules.keys()
    return imports


def in_circles(graph: Mapping[str, Collection[str]]) -> set[str]:
    """Return the nodes from which a path leads back to them."""
    circles = set()
    for start in graph:
        reached: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting += graph.get(node, ())
        if start in reached:
            circles.add(start)
    return circles


def count_words(source: Path) -> Iterator[Count]:
    """Count docstrings that begin indirectly, definitions under names that were replaced, and names of two meanings."""
    n_indirect, replaced = 0, []
    files_of: dict[str, set[Path]] = {}
    for path in sorted(source.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        n_indirect += sum(text.strip().startswith(tuple(f"{word} " for word in INDIRECT)) for text in docstrings(tree))
        folder = path.relative_to(source).parts[0]
        replaced += [f"{path.relative_to(source)}: {name}" for name in replaced_names(tree, folder)]
        for name in OF_TWO_MEANINGS & {name for node in tree.body for name, _ in _all_defined(node)}:
            files_of.setdefault(name, set()).add(path)
    if replaced:
        sys.stderr.write(f"To be replaced: {'; '.join(replaced)}.\n")
    n_double = sum(len(paths) > 1 for paths in files_of.values())
    words = ", ".join(INDIRECT)
    yield Count(f"docstrings that open with {words}", "323", str(n_indirect), "< 60", n_indirect < 60)
    yield Count("definitions under names that were replaced", "144", str(len(replaced)), "0", not replaced)
    yield Count("names of two meanings", "10", str(n_double), "0", not n_double)


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Return the texts that document modules, classes, functions and fields: strings that stand as statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def replaced_names(tree: ast.Module, folder: str) -> Iterator[str]:
    """Return what a module defines (functions, classes, constants, fields, parameters) under names that were replaced."""
    is_of_runs = folder in OF_RUNS
    for node in ast.walk(tree):
        for name, annotation in _defined(node):
            is_replaced = name in REPLACED and not isinstance(node, ast.AnnAssign)  # whose target is met as a name
            if is_replaced or (is_of_runs and (name, annotation) in ORDINARY_VALUES):
                yield name
    for node in tree.body if is_of_runs else ():
        if isinstance(node, ast.FunctionDef) and node.name in ORDINARY_FUNCTIONS:
            yield node.name


def _defined(node: ast.AST) -> list[tuple[str, str]]:
    """Return what a node itself defines, each with its annotation."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [(node.name, "")]
    if isinstance(node, ast.arg):
        return [(node.arg, "" if node.annotation is None else ast.unparse(node.annotation))]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [(node.target.id, ast.unparse(node.annotation))]
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [(node.id if isinstance(node, ast.Name) else node.attr, "")]
    return []


def _all_defined(statement: ast.stmt) -> list[tuple[str, str]]:
    """Return the classes, functions and constants that a statement of a module defines."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement]
    return [pair for target in targets for pair in _defined(target)]


def count_help(source: Path) -> Iterator[Count]:
    """Count the options and lines that the help of the two commands that learn shows."""
    for command, before in (("train", "121 in 644"), ("pretrain", "81 in 472")):
        text = help_of(source, command)
        flags, n_lines = flags_shown(text), text.count("\n")
        is_met = 0 < len(flags) <= 30 and n_lines <= 110
        now = f"{len(flags)} in {n_lines}"
        yield Count(f"options, in lines, of `aam {command} --help`", before, now, "≤ 30 in ≤ 110", is_met)
    for command in ("train", "pretrain"):
        flags = flags_shown(help_of(source, command, "all"))
        n_repeated = len(flags) - len(set(flags))
        now = f"{len(set(flags))}" + (f", {n_repeated} repeated" if n_repeated else "")
        yield Count(f"options of `aam {command} --help all`", "–", now, "each once", len(flags) > 30 and not n_repeated)


def help_of(source: Path, command: str, *topic: str) -> str:
    """Return what ``aam COMMAND --help`` prints in a terminal of 80 columns."""
    arguments = [sys.executable, "-m", source.name, command, "--help", *topic]
    environment = os.environ | {"PYTHONPATH": str(source.parent), "COLUMNS": "80"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True).stdout


def flags_shown(text: str) -> list[str]:
    """Return the options that a help describes, in its order: each begins a line."""
    return re.findall(r"^(?:│ |  )(--[a-z][\w-]*)", text, re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
