"""How aam starts, stops and says what it is."""

import os
import signal
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
    assert shown.stderr.startswith(
        "aam: there is no command 'pretain'; did you mean pretrain? Commands: demo, simulate, "
    )


def test_without_a_command_the_overview_is_shown_as_a_mistake(capsys):
    assert main([]) == 2

    assert capsys.readouterr().out == cli.overview()


def test_stopping_by_hand_is_one_line_and_exit_code_130(monkeypatch, capsys, tmp_path):
    def stop(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("aam.commands.simulate.simulate", stop)

    assert main(["simulate", "--output-dir", str(tmp_path / "o")]) == 130
    assert capsys.readouterr().err == "aam: stopped by the user.\n"


@pytest.mark.multi_process
@pytest.mark.parametrize(("sent", "who"), [(signal.SIGINT, "the user"), (signal.SIGTERM, "SIGTERM")])
def test_stopping_training_says_what_is_left_and_how_to_start_anew(sent, who, tmp_path):
    study, output = tmp_path / "s", tmp_path / "out"
    assert main(["simulate", "--output-dir", str(study), "--samples", "12", "--features", "20"]) == 0
    files = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--output-dir", output]
    shape = ["--embedding-dim", "8", "--attention-layers", "1", "--max-bp", "20", "--penalty", "0"]
    never_ending = ["--epochs", "100000", "--patience", "100000"]

    with subprocess.Popen(
        [sys.executable, "-m", "aam", "pretrain", *map(str, [*files, *shape, *never_ending])],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("Epoch 2 "):  # the first is in a checkpoint then
            assert process.poll() is None
        process.send_signal(sent)
        last = process.stderr.read().splitlines()[-1]

    assert process.returncode == 128 + sent
    assert last == (
        f"aam: stopped by {who}. {output} holds 'checkpoints', 'config.yaml', 'plots', 'splits.tsv', 'tensorboard'. "
        "The same command with --resume continues the run, with --overwrite starts anew."
    )
    assert {item.name for item in output.iterdir()} == {
        "checkpoints",
        "config.yaml",
        "plots",
        "splits.tsv",
        "tensorboard",
    }


def test_termination_is_handled_during_a_run_only(monkeypatch, capsys, tmp_path):
    earlier = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("aam.commands.simulate.simulate", lambda config: os.kill(os.getpid(), signal.SIGTERM))

    assert main(["simulate", "--output-dir", str(tmp_path / "o")]) == 143
    assert capsys.readouterr().err == "aam: stopped by SIGTERM.\n"
    assert signal.getsignal(signal.SIGTERM) is earlier


def test_an_error_of_our_own_is_not_hidden(monkeypatch, tmp_path):
    def fail(config):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("aam.commands.simulate.simulate", fail)

    with pytest.raises(ZeroDivisionError, match="ours"):
        main(["simulate", "--output-dir", str(tmp_path / "o")])
