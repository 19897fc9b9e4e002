"""How aam starts, stops and says what it is."""

import subprocess
import sys

import pytest

import aam
from aam import cli
from aam.cli import main


def python_m_aam(*arguments):
    return subprocess.run([sys.executable, "-m", "aam", *arguments], capture_output=True, text=True, check=False)


def test_python_m_aam_is_aam():
    shown = python_m_aam("--version")

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"aam {aam.__version__}\n", "")


def test_the_exit_code_of_a_mistake_reaches_the_shell():
    shown = python_m_aam("pretain")

    assert shown.returncode == 2
    assert shown.stdout == ""
    assert shown.stderr.startswith("aam: there is no command 'pretain'. Commands: demo, simulate, ")


def test_without_a_command_the_overview_is_shown_as_a_mistake(capsys):
    assert main([]) == 2

    assert capsys.readouterr().out == cli.overview()


def test_stopping_by_hand_is_one_line_and_exit_code_130(monkeypatch, capsys, tmp_path):
    def stop(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("aam.pipelines.simulate.simulate", stop)

    assert main(["simulate", "--output-dir", str(tmp_path / "o")]) == 130
    assert capsys.readouterr().err == "aam: stopped by the user\n"


def test_an_error_of_our_own_is_not_hidden(monkeypatch, tmp_path):
    def fail(config):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("aam.pipelines.simulate.simulate", fail)

    with pytest.raises(ZeroDivisionError, match="ours"):
        main(["simulate", "--output-dir", str(tmp_path / "o")])
