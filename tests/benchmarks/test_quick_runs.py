"""Each benchmark of speed runs from end to end on a small study, and writes only where it is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SECTIONS = {
    "speed": "Beside the padded reference", "options_cost": "Options", "scaling": "Scaling",
    "encoder_terms": "Terms of the ASV encoder",
}  # fmt: skip


def run(script, folder, *arguments):
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    places = {"TMPDIR": str(scratch), "AAM_CACHE_DIR": str(folder / "unused"), "MPLCONFIGDIR": str(folder / "fonts")}
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick", "--threads", "1", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=os.environ | places, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("script", SECTIONS)
def test_a_quick_run_writes_its_page_and_nothing_else(tmp_path, script):
    results, document = tmp_path / "results", tmp_path / "page.md"
    titles = {"speed": ["One training step", "Prediction of a whole table", "Where the time of a step goes"]}
    sections = [SECTIONS[script], *titles.get(script, [])]
    document.write_text("".join(f"before\n<!-- {name} -->\nold\n<!-- end of {name} -->\nafter\n" for name in sections))
    before = sorted((BENCHMARKS / "results").iterdir())

    finished = run(script, tmp_path, "--results", results, "--document", document, "--steps", 1)

    assert finished.returncode == 0, finished.stderr
    (page,) = results.glob(f"{script}_cpu1_*.md")
    assert page.read_text(encoding="utf-8").count("|") > 20
    assert not list((tmp_path / "scratch").iterdir())
    assert not (tmp_path / "unused").exists()
    assert sorted((BENCHMARKS / "results").iterdir()) == before
    text = document.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.count("before") == text.count("after") == len(sections)
    assert f"results/{page.name}" in text


def test_a_document_without_the_sections_is_refused_before_anything_is_measured(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("<!-- Options -->\n")

    finished = run("options_cost", tmp_path, "--results", tmp_path / "results", "--document", document)

    assert finished.returncode == 1
    assert "<!-- Options -->" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "results").exists()
